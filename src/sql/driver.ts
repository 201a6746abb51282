/**
 * How do statements reach a database? One method: a batch of statements, all or nothing, in one round trip.
 *
 * A driver knows its client and nothing of Belfry; `storage.ts` knows Belfry and nothing of clients. A new SQL database
 * costs a driver and, where its SQL differs, rows in `dialect.ts`. A driver turns what its client throws into a
 * {@link BelfryError}: `STORAGE_BUSY` for a lock that was not released in time, `STORAGE_UNAVAILABLE` where there was no
 * answer (then the batch may have happened), `STORAGE_UNUSABLE` where the database refuses, whatever is tried.
 */
import { BelfryError } from "../base/error.ts";
import type { CallOptions, Wake } from "../storage/port.ts";

/** What a cell of a list may be. */
export type Cell = string | number | null;

/** A list parameter: its rows, and the JSON that travels where they are not sent one by one. */
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

/** What a parameter may be. */
export type Value = Cell | List;

/** What is sent for a parameter. */
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

/** The statements of a query for whoever runs them one by one, with the values of their numbered placeholders. */
export function statementsOf({ sql, args }: Query): { sql: string; params: Cell[] }[] {
  const rows = sql.each === null ? [[]] : (args[sql.each] as List).rows;
  return rows.map((row, place) => {
    const values = sql.slots.map((name) => sent(args[name]));
    putRow(values, sql, row, place);
    return { sql: sql.text, params: sql.names.map((name) => values[sql.slots.indexOf(name)]!) };
  });
}

/** A row by column; integers may arrive as text or BigInt, `rows.ts` reads them. */
export type Row = Record<string, unknown>;

/** A statement made ready for one dialect; see `template.ts`. */
export interface Sql {
  /** The text with numbered placeholders. */
  readonly text: string;
  /** Names of the parameters in the order of their numbers. */
  readonly names: readonly string[];
  /** The text around the parameters, for drivers that write values into it. */
  readonly parts: readonly string[];
  /** The parameter that follows each part but the last. */
  readonly slots: readonly string[];
  /** Whether it gives rows. */
  readonly returns: boolean;
  /** The list parameter for each of whose rows it is run; null: it is run once. */
  readonly each: string | null;
  /** For each slot the column of that list, -1 for the place in the list, or null for a parameter of its own. */
  readonly cells: readonly (number | null)[];
}

/** A statement and its parameters. */
export interface Query {
  readonly sql: Sql;
  readonly args: Args;
  /** It gives no rows when that query of the batch has changed so many; a driver that knows may leave it out. */
  readonly unless?: { query: Query; changes: number };
  /**
   * It changes nothing and gives no rows where this look finds nothing. Neighbours share one look, taken before the first of
   * them; a driver that cannot decide within a batch runs them all.
   */
  readonly when?: Query;
}

/** Whether a batch writes: reads need no write lock, but see one moment. */
export type BatchMode = "read" | "write";

/** What was sent and touched since the start; rows stay 0 where the engine does not tell. */
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
   * Runs all statements in order in one transaction. When `options.signal` aborts, nobody waits for the answer any more:
   * the driver destroys the connection that it went over, and rejects.
   *
   * @returns the rows of each statement
   */
  batch(queries: readonly Query[], mode: BatchMode, options?: CallOptions): Promise<Row[][]>;
  /** Calls back when another connection has written; absent where the database cannot tell. */
  listen?(onWake: (wake: Wake) => void): Promise<() => Promise<void>>;
  /** Text of a SELECT that wakes listeners on other connections; absent where they find out by themselves. */
  announce?(wake: Wake): string;
  /**
   * Sets the database up for work, once its schema is known to be ours and before anything is written to it; absent
   * where there is nothing to set.
   */
  prepare?(): Promise<void>;
  /** Sentences on what is wrong with the footing but can be lived with. */
  warnings?(): Promise<string[]>;
  close(): Promise<void>;
}

/** Fresh counters. */
export function counters(): Counters {
  return { roundTrips: 0, statements: 0, rowsRead: 0, rowsWritten: 0 };
}

/** An error of a driver that the storage can act on. */
export class DriverError extends BelfryError {
  /** The batch may have happened. It is sent again only with marks of its own. */
  readonly ambiguous: boolean;
  /** A table or column is missing: the schema is not there yet. */
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
