/**
 * A storage in a SQLite file: one machine, any number of processes, no server.
 *
 * `node:sqlite` is in Node >= 22.13, Deno and Bun with one API. It is loaded when the storage is opened, so a bundle also
 * runs where it is missing. An open database of node:sqlite, better-sqlite3 or bun:sqlite can be given instead of
 * a path, and then jobs can be enqueued inside the user's own transactions. The file is put in WAL mode; by default
 * each commit is synced to the disk (`durability: "disk"`).
 */
import { systemClock } from "../src/base/clock.ts";
import { type Duration, parseDuration } from "../src/base/duration.ts";
import { BelfryError } from "../src/base/error.ts";
import { type Checks, checkOptions, duration, oneOf } from "../src/base/options.ts";
import { localSqliteDialect } from "../src/sql/dialect.ts";
import type { Row } from "../src/sql/driver.ts";
import type { SqliteDatabase, SqliteStatement } from "../src/sql/sqlite/client.ts";
import { BLOCKING_WAIT_MS, LocalDriver } from "../src/sql/sqlite/driver.ts";
import { SQL_CHECKS, type SqlOptions, SqlStorage } from "../src/sql/storage.ts";

export type { SqliteDatabase } from "../src/sql/sqlite/client.ts";
export type { SqlOptions } from "../src/sql/storage.ts";

/** Options of {@link sqlite}. */
export interface SqliteOptions extends SqlOptions {
  /**
   * What a commit survives: `"disk"` (SQLite's synchronous FULL) a loss of power; `"process"` (NORMAL, several times as
   * many commits a second) only the end of the process, since a loss of power may undo the last commits, each as a whole.
   *
   * @default "disk"
   */
  durability?: "disk" | "process";
  /**
   * How long to wait for another writer before `STORAGE_BUSY`.
   *
   * @default "15s"
   */
  busyTimeout?: Duration;
}

const CHECKS: Checks<SqliteOptions> = {
  ...SQL_CHECKS,
  durability: oneOf(["disk", "process"]),
  busyTimeout: duration(),
};

interface NodeSqlite {
  DatabaseSync: new (path: string, options?: { timeout?: number }) => SqliteDatabase;
}

/**
 * Makes a storage in a SQLite file.
 *
 * @param database path of the file (made when it is missing; `":memory:"` for none), or an open database of node:sqlite,
 *   better-sqlite3 or bun:sqlite, which stays the caller's to close
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`; the file itself is checked when the storage is opened
 *
 * @example
 * ```ts
 * import { sqlite } from "belfry/sqlite";
 *
 * const storage = sqlite(":memory:");
 * const { to } = await storage.migrate({ now: 0 });
 * if (to < 1) throw new Error("no schema");
 * await storage.close();
 * ```
 */
export function sqlite(database: string | SqliteDatabase, options: SqliteOptions = {}): SqlStorage {
  checkOptions(options, "sqlite", CHECKS);
  const { durability = "disk", busyTimeout = "15s" } = options;
  if (typeof database === "string" ? database === "" : typeof database?.prepare !== "function") {
    throw new BelfryError(
      "OPTION_INVALID",
      'Cannot open a SQLite database: give the path of a file, ":memory:", or an open database object',
    );
  }
  const busyTimeoutMs = parseDuration(busyTimeout, "busyTimeout");
  const owned = typeof database === "string";
  const inMemory = database === ":memory:";
  const where = typeof database !== "string" ? "the SQLite database" : `the SQLite file ${JSON.stringify(database)}`;
  const driver = new LocalDriver({
    name: "sqlite",
    where,
    clock: options.clock ?? systemClock,
    busyTimeoutMs,
    owned,
    ...(inMemory ? {} : { watch: { prefix: options.prefix ?? "belfry_" } }),
    async open() {
      if (typeof database !== "string") return database;
      const { DatabaseSync } = await loadSqlite();
      const opened = new DatabaseSync(database);
      try {
        opened.exec(`PRAGMA busy_timeout = ${BLOCKING_WAIT_MS}`);
        opened.exec(`PRAGMA synchronous = ${durability === "disk" ? "FULL" : "NORMAL"}`);
      } catch (error) {
        opened.close();
        throw error;
      }
      return opened;
    },
    prepare(opened) {
      const warnings: string[] = [];
      // A write that is rolled back, to find a file that cannot be written to before anything is written. The lock alone
      // does not show it, since SQLite grants it on read-only databases too.
      const version = pragma(opened, "user_version");
      opened.exec("BEGIN IMMEDIATE");
      try {
        opened.exec(`PRAGMA user_version = ${Number(version)}`);
      } finally {
        opened.exec("ROLLBACK");
      }
      let mode = pragma(opened, "journal_mode");
      if (owned && !inMemory && mode !== "wal") mode = pragma(opened, "journal_mode = WAL");
      if (!inMemory && mode !== "wal" && mode !== "memory") {
        warnings.push(
          `${where} is in journal mode "${String(mode)}", not WAL: readers and writers wait for each other. ` +
            "Run PRAGMA journal_mode = WAL, on a disk of this machine (not a network share).",
        );
      }
      return { warnings };
    },
  });
  return new SqlStorage({
    driver,
    dialect: localSqliteDialect,
    capabilities: {
      serverClock: false,
      durable: !inMemory,
      shared: !inMemory,
      statements: true,
      maxBatchRows: 1000,
      maxBatchBytes: 8_000_000,
    },
    where,
    options,
  });
}

function pragma(database: SqliteDatabase, text: string): unknown {
  const [row] = (database.prepare(`PRAGMA ${text}`) as SqliteStatement).all() as Row[];
  return row && Object.values(row)[0];
}

async function loadSqlite(): Promise<NodeSqlite> {
  // Bundlers cannot resolve this name, so they leave the import to the runtime.
  const name = ["node", "sqlite"].join(":");
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as NodeSqlite;
  } catch (cause) {
    throw new BelfryError(
      "STORAGE_UNUSABLE",
      "Cannot open a SQLite file: this runtime has no node:sqlite; use Node >= 22.13, Deno or Bun, or give an open " +
        "database of another client",
      { cause },
    );
  }
}
