/**
 * How does a batch run on Cloudflare D1? As `db.batch()`: one request, one transaction.
 *
 * D1 reports errors as text only, so they are recognized by their words. When it did not answer (it was reset,
 * overloaded, or the connection broke) the batch may have happened; the sender sends it again with a new op mark.
 */
import { BelfryError } from "../../base/error.ts";
import { type Cell, type Counters, counters, type Driver, DriverError, type Query, type Row, sent } from "../driver.ts";

/** A prepared statement of D1. */
export interface D1Statement {
  bind(...values: Cell[]): D1Statement;
}

/** The result of one statement of a batch. */
export interface D1Result {
  results?: unknown[];
  meta?: { rows_read?: number; rows_written?: number };
}

/** The part of a D1 binding (`env.DB`) that is used. */
export interface D1Database {
  prepare(sql: string): D1Statement;
  batch(statements: D1Statement[]): Promise<D1Result[]>;
}

/** Runs batches on a D1 binding. */
export class D1Driver implements Driver {
  readonly name = "d1";
  readonly counters: Counters = counters();
  readonly #db: D1Database;
  #closed = false;

  constructor(db: D1Database) {
    this.#db = db;
  }

  async batch(queries: readonly Query[]): Promise<Row[][]> {
    if (this.#closed) throw new BelfryError("CLOSED", "Cannot use the D1 database: its storage was closed");
    const statements = queries.map(({ sql, args }) => {
      const statement = this.#db.prepare(sql.text);
      return sql.names.length === 0 ? statement : statement.bind(...sql.names.map((name) => sent(args[name])));
    });
    this.counters.roundTrips++;
    this.counters.statements += statements.length;
    try {
      const answers = await this.#db.batch(statements);
      for (const { meta } of answers) {
        this.counters.rowsRead += meta?.rows_read ?? 0;
        this.counters.rowsWritten += meta?.rows_written ?? 0;
      }
      return answers.map(({ results }) => (results ?? []) as Row[]);
    } catch (error) {
      throw explain(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** Words of errors after which it is unknown whether the batch happened. */
const NO_ANSWER =
  /connection (was )?(lost|closed|reset)|caused object to be reset|overloaded|internal error|timed? ?out|no longer running|429|50\d/i;

function explain(error: unknown): Error {
  if (error instanceof BelfryError) return error;
  const { message } = error as Error;
  const refused = /SQLITE_|no such|constraint|syntax|already exists|has no column/i.test(message);
  if (!refused && NO_ANSWER.test(message)) {
    return new DriverError(
      "STORAGE_UNAVAILABLE",
      `The D1 database did not answer (${message}); what was asked may or may not have happened`,
      { cause: error, ambiguous: true },
    );
  }
  return new DriverError("STORAGE_UNUSABLE", `Cannot use the D1 database: ${message}`, {
    cause: error,
    missing: /no such (table|column)|has no column/.test(message),
    conflict: /constraint failed|already exists/i.test(message),
  });
}
