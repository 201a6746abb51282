/**
 * How does a batch run in a Durable Object? Synchronously, inside `transactionSync`, which rolls back when a statement
 * throws.
 */
import { BelfryError } from "../../base/error.ts";
import {
  type Cell,
  type Counters,
  counters,
  type Driver,
  DriverError,
  type List,
  putRow,
  type Query,
  type Row,
  sent,
} from "../driver.ts";

/** The rows of a statement. */
export interface DurableObjectCursor {
  toArray(): unknown[];
  readonly rowsRead: number;
  readonly rowsWritten: number;
}

/** The part of `ctx.storage` that is used. */
export interface DurableObjectStorage {
  readonly sql: { exec(query: string, ...bindings: Cell[]): DurableObjectCursor };
  transactionSync<T>(run: () => T): T;
}

/** Runs batches on a Durable Object's database. */
export class DurableObjectDriver implements Driver {
  readonly name = "durable-object";
  readonly counters: Counters = counters();
  readonly #storage: DurableObjectStorage;
  #closed = false;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  async batch(queries: readonly Query[]): Promise<Row[][]> {
    if (this.#closed) throw new BelfryError("CLOSED", "Cannot use the object's database: its storage was closed");
    this.counters.roundTrips++;
    try {
      return this.#storage.transactionSync(() => {
        let looked: Query | undefined;
        let found = false;
        return queries.map((query) => {
          const { when } = query;
          if (when && when !== looked) {
            looked = when;
            found = this.#run(when).length > 0;
          }
          return when && !found ? [] : this.#run(query);
        });
      });
    } catch (error) {
      throw explain(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Runs a statement, once or for each row of its list. */
  #run({ sql, args }: Query): Row[] {
    const text = sql.parts.join("?");
    const params: Cell[] = sql.slots.map((name) => sent(args[name]));
    if (sql.each === null) return this.#exec(text, params);
    const found: Row[] = [];
    for (const [place, row] of (args[sql.each] as List).rows.entries()) {
      putRow(params, sql, row, place);
      found.push(...this.#exec(text, params));
    }
    return found;
  }

  #exec(text: string, params: readonly Cell[]): Row[] {
    this.counters.statements++;
    const cursor = this.#storage.sql.exec(text, ...params);
    const rows = cursor.toArray() as Row[];
    this.counters.rowsRead += cursor.rowsRead;
    this.counters.rowsWritten += cursor.rowsWritten;
    return rows;
  }
}

function explain(error: unknown): Error {
  if (error instanceof BelfryError) return error;
  const { message } = error as Error;
  return new DriverError("STORAGE_UNUSABLE", `Cannot use the Durable Object's database: ${message}`, {
    cause: error,
    missing: /no such (table|column)|has no column/.test(message),
    conflict: /constraint failed|already exists/i.test(message),
  });
}
