/**
 * What do the SQLite clients in one process have in common? The parts of node:sqlite, better-sqlite3 and bun:sqlite
 * that Belfry uses, and what their errors mean. All three prepare, run and return rows synchronously.
 */
import { BelfryError } from "../../base/error.ts";
import { DriverError } from "../driver.ts";

/** A prepared statement. */
export interface SqliteStatement {
  all(...params: (string | number | null)[]): unknown[];
  run(...params: (string | number | null)[]): { changes?: number | bigint } | undefined;
  /** node:sqlite since 22.16: rows come as arrays. */
  setReturnArrays?(enabled: boolean): void;
  /** The same: the columns that a statement gives; better-sqlite3 refuses to say it of one that gives none. */
  columns?(): { name: string }[];
}

/** A database object of node:sqlite, better-sqlite3 or bun:sqlite. */
export interface SqliteDatabase {
  prepare(sql: string): unknown;
  exec(sql: string): unknown;
  close(): unknown;
  /** node:sqlite: whether a transaction is open. */
  readonly isTransaction?: boolean;
  /** better-sqlite3 and bun:sqlite: the same. */
  readonly inTransaction?: boolean;
}

const BUSY = 5;
const LOCKED = 6;
const CONSTRAINT = 19;

/** Remedies of errors that trying again does not help, by SQLite's primary result code. */
const REMEDIES: Record<number, string> = {
  3: "permission was denied; let this process read and write the file and its folder",
  8: "it is read-only; let this process write to the file and its folder",
  10: "the disk gave an error; check it, and that the folder still exists",
  11: "the file is damaged; restore it from a backup",
  13: "the disk is full; free some space",
  14: "the file cannot be opened; check that its folder exists and may be written to",
  26: "the file is not a SQLite database; choose another path",
};

const NAMES: Record<string, number> = {
  SQLITE_PERM: 3,
  SQLITE_BUSY: BUSY,
  SQLITE_LOCKED: LOCKED,
  SQLITE_READONLY: 8,
  SQLITE_IOERR: 10,
  SQLITE_CORRUPT: 11,
  SQLITE_FULL: 13,
  SQLITE_CANTOPEN: 14,
  SQLITE_CONSTRAINT: CONSTRAINT,
  SQLITE_NOTADB: 26,
};

/** SQLite's primary result code of an error; 0 where there is none. */
function codeOf(error: unknown): number {
  const { errcode, code, errno, message } = error as {
    errcode?: unknown;
    code?: unknown;
    errno?: unknown;
    message?: string;
  };
  if (typeof errcode === "number") return errcode & 0xff;
  if (typeof code === "string") {
    const name = Object.keys(NAMES).find((candidate) => code.startsWith(candidate));
    if (name) return NAMES[name]!;
  }
  if (typeof errno === "number" && errno > 0) return errno & 0xff;
  // Some clients give only the text.
  if (/database is locked/.test(message ?? "")) return BUSY;
  if (/readonly database/.test(message ?? "")) return 8;
  if (/not a database/.test(message ?? "")) return 26;
  return 0;
}

/** Whether another connection, or the user's own transaction on this one, blocks the batch for the moment. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code === BUSY || code === LOCKED || /within a transaction/.test((error as Error).message);
}

/** Turns an error of the client into one of the storage. @param where the database, for the message */
export function explain(error: unknown, where: string): Error {
  if (error instanceof BelfryError) return error;
  const { message } = error as Error;
  const code = codeOf(error);
  const remedy = REMEDIES[code];
  if (remedy)
    return new DriverError("STORAGE_UNUSABLE", `Cannot use ${where}: ${remedy} (${message})`, { cause: error });
  const missing = /no such (table|column)|has no column/.test(message);
  const conflict = code === CONSTRAINT || /already exists/.test(message);
  return new DriverError("STORAGE_UNUSABLE", `Cannot use ${where}: ${message}`, { cause: error, missing, conflict });
}
