/**
 * How do statements reach a database? Through a driver, in batches: all or nothing, in one round trip.
 *
 * A driver knows its client and nothing of schedules and jobs; the rest of `src/sql` knows nothing of clients. A new
 * SQL database needs a driver and, where its SQL differs, entries in `dialect.ts`. A driver turns errors of its client
 * into a {@link BelfryError}: `STORAGE_BUSY` when a lock was not released in time, `STORAGE_UNAVAILABLE` when there was
 * no answer (the batch may have happened), `STORAGE_UNUSABLE` when the database refuses and will refuse again.
 */
import { BelfryError } from "../base/error.ts";
import type { CallOptions, Wake } from "../storage/port.ts";

/** A value of a column. */
export type Cell = string | number | null;

/** A list parameter: its rows, and the JSON in which they travel where they are not sent one by one. */
export class List {
  readonly rows: readonly (readonly Cell[])[];
  readonly #encode: () => string;
  #json: string | undefined;

  constructor(rows: readonly (readonly Cell[])[], encode: () => string) {
    this.rows = rows;
    this.#encode = encode;
  }

  /** All rows as JSON. */
  get json(): string {
    this.#json ??= this.#encode();
    return this.#json;
  }
}

/** A value of a parameter. */
export type Value = Cell | List;

/** Gives the value that is sent for a parameter. */
export function sent(value: Value | undefined): Cell {
  return value === undefined ? null : value instanceof List ? value.json : value;
}

/** Parameters by name. */
export type Args = Readonly<Record<string, Value>>;

/** Puts the cells of a row of a statement's list, which is at `place` of it, among the values of the other parameters. */
export function putRow(params: Cell[], { cells }: Pick<Sql, "cells">, row: readonly Cell[], place: number): void {
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!;
    if (cell !== null) params[i] = cell < 0 ? place : row[cell]!;
  }
}

/** Gives the statements of a query with the values of their numbered placeholders, for a caller that runs them itself. */
export function statementsOf({ sql, args }: Query): { sql: string; params: Cell[] }[] {
  const rows = sql.each === null ? [[]] : (args[sql.each] as List).rows;
  return rows.map((row, place) => {
    const values = sql.slots.map((name) => sent(args[name]));
    putRow(values, sql, row, place);
    return { sql: sql.text, params: sql.names.map((name) => values[sql.slots.indexOf(name)]!) };
  });
}

/** A row by column; integers may arrive as text or BigInt, which `rows.ts` reads. */
export type Row = Record<string, unknown>;

/** A statement in one dialect; see `template.ts`. */
export interface Sql {
  /** The text with numbered placeholders. */
  readonly text: string;
  /** Names of the parameters in the order of their numbers. */
  readonly names: readonly string[];
  /** The text around the parameters, for drivers that write values into it. */
  readonly parts: readonly string[];
  /** The parameter that follows each part but the last. */
  readonly slots: readonly string[];
  /** Whether it returns rows. */
  readonly returns: boolean;
  /** The list parameter: the statement is run once per row of it; null: it is run once. */
  readonly each: string | null;
  /** For each slot the index of the list's column, -1 for the place in the list, or null for any other parameter. */
  readonly cells: readonly (number | null)[];
}

/** A statement with its parameters. */
export interface Query {
  readonly sql: Sql;
  readonly args: Args;
  /**
   * It returns no rows when that query of the batch has changed so many rows; a driver that counts them may leave it
   * out (trick 4).
   */
  readonly unless?: { query: Query; changes: number };
  /**
   * It changes nothing and returns no rows when this look returns none (trick 3). Neighbours share one look, taken
   * before the first of them; a driver that cannot decide within a batch runs them all.
   */
  readonly when?: Query;
}

/** Whether a batch writes. One that only reads takes no write lock, but all its statements see the same state. */
export type BatchMode = "read" | "write";

/** Counts since the start; rows stay 0 where the engine does not report them. */
export interface Counters {
  roundTrips: number;
  statements: number;
  rowsRead: number;
  rowsWritten: number;
}

/** Runs batches. */
export interface Driver {
  /** The adapter's name, for messages: `"sqlite"`. */
  readonly name: string;
  readonly counters: Counters;
  /**
   * Runs all statements in order in one transaction. When `options.signal` aborts, the caller no longer waits for the
   * answer: the driver destroys the connection that the batch went over, and rejects.
   *
   * @returns the rows of each statement
   */
  batch(queries: readonly Query[], mode: BatchMode, options?: CallOptions): Promise<Row[][]>;
  /** Calls back when another connection has written; absent where the database cannot report it. */
  listen?(onWake: (wake: Wake) => void): Promise<() => Promise<void>>;
  /** Gives the text of a SELECT that notifies listeners on other connections; absent where they find out by themselves. */
  notification?(wake: Wake): string;
  /**
   * Sets the database up (WAL mode), once its schema is known to be ours and before anything is written to it; absent
   * where there is nothing to set.
   */
  prepare?(): Promise<void>;
  /** Gives sentences on settings of the database that are wrong but not fatal. */
  warnings?(): Promise<string[]>;
  close(): Promise<void>;
}

/** Fresh counters. */
export function counters(): Counters {
  return { roundTrips: 0, statements: 0, rowsRead: 0, rowsWritten: 0 };
}

/** An error of a driver that the storage can act on. */
export class DriverError extends BelfryError {
  /** There was no answer: the batch may have happened. It is sent again, with new op marks. */
  readonly ambiguous: boolean;
  /** A table or column is missing: the schema has not been made yet. */
  readonly missing: boolean;
  /** A unique key stopped the batch. */
  readonly conflict: boolean;

  constructor(
    code: BelfryError["code"],
    message: string,
    options: { cause?: unknown; ambiguous?: boolean; missing?: boolean; conflict?: boolean } = {},
  ) {
    super(code, message, { cause: options.cause });
    this.ambiguous = options.ambiguous ?? false;
    this.missing = options.missing ?? false;
    this.conflict = options.conflict ?? false;
  }
}
