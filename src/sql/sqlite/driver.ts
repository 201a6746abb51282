/**
 * How does a batch run on a SQLite database in this process? Synchronously, inside BEGIN IMMEDIATE, with statements
 * that were prepared once.
 *
 * Waiting for another writer's lock must not stop the event loop: SQLite itself waits a few milliseconds, then the
 * batch is tried again after a random pause, for `busyTimeoutMs` in all. A transaction that the user has open on the
 * same object is waited for in the same way.
 */
import { type Clock, delay } from "../../base/clock.ts";
import { BelfryError } from "../../base/error.ts";
import { systemIds } from "../../base/id.ts";
import type { Wake } from "../../storage/port.ts";
import {
  type BatchMode,
  type Cell,
  type Counters,
  counters,
  type Driver,
  DriverError,
  type List,
  putRow,
  type Query,
  type Row,
  type Sql,
  sent,
} from "../driver.ts";
import { explain, isBusy, type SqliteDatabase, type SqliteStatement } from "./client.ts";
import { pollChanges } from "./poller.ts";
import { viewOf } from "./view.ts";

/** How long SQLite itself waits for a lock; the event loop is blocked meanwhile. */
export const BLOCKING_WAIT_MS = 10;
const MAX_PAUSE_MS = 40;

/** A statement, and how its rows are read by name where they come as arrays. */
interface Prepared {
  readonly statement: SqliteStatement;
  readonly view: ((values: readonly unknown[]) => Row) | null;
}

/** Stands for the list of a statement that is run once. */
const ONCE: readonly (readonly Cell[])[] = [[]];

/** What the driver needs. */
export interface LocalDriverOptions {
  name: string;
  where: string;
  clock: Clock;
  busyTimeoutMs: number;
  /** Opens the database; called once, before the first batch. */
  open(): Promise<SqliteDatabase>;
  /** Sets the database up before it is first written to. */
  prepare(database: SqliteDatabase): { warnings: string[] };
  /** Whether the database was opened here, and so is closed here. */
  owned: boolean;
  /** What the names of the tables begin with, where other connections may write to them too. */
  watch?: { prefix: string };
}

/** Runs batches on a database object. */
export class LocalDriver implements Driver {
  readonly name: string;
  readonly counters: Counters = counters();
  readonly #options: LocalDriverOptions;
  readonly #prepared = new Map<Sql | string, Prepared>();
  #database: Promise<SqliteDatabase> | undefined;
  #warnings: string[] = [];
  #closed = false;
  /** Calls back when another connection has written; absent for a database in memory. */
  readonly listen?: (onWake: (wake: Wake) => void) => Promise<() => Promise<void>>;

  constructor(options: LocalDriverOptions) {
    this.name = options.name;
    this.#options = options;
    const { watch, clock } = options;
    if (watch) {
      this.listen = async (onWake) =>
        pollChanges({ database: await this.database(), clock, prefix: watch.prefix, onWake });
    }
  }

  async batch(queries: readonly Query[], mode: BatchMode): Promise<Row[][]> {
    const database = await this.database();
    return this.#patiently(() => this.#run(database, queries, mode));
  }

  /** The database, opened when it is first asked for. */
  async database(): Promise<SqliteDatabase> {
    if (this.#closed) throw new BelfryError("CLOSED", `Cannot use ${this.#options.where}: its storage was closed`);
    // Opening reads the schema, which is locked while another process switches the file to WAL.
    this.#database ??= this.#patiently(() => this.#options.open());
    try {
      return await this.#database;
    } catch (error) {
      this.#database = undefined;
      throw explain(error, this.#options.where);
    }
  }

  async prepare(): Promise<void> {
    const database = await this.database();
    const { warnings } = await this.#patiently(() => this.#options.prepare(database));
    this.#warnings = warnings;
  }

  async warnings(): Promise<string[]> {
    return this.#warnings;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const database = await this.#database?.catch(() => undefined);
    this.#prepared.clear();
    if (this.#options.owned) database?.close();
  }

  #run(database: SqliteDatabase, queries: readonly Query[], mode: BatchMode): Row[][] {
    const { counters } = this;
    counters.roundTrips++;
    this.#statement(database, mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN").statement.run();
    try {
      const rows: Row[][] = [];
      const changes: number[] = [];
      let looked: Query | undefined;
      let found = false;
      for (const query of queries) {
        const { unless, when } = query;
        if (when && when !== looked) {
          looked = when;
          found = this.#rows(database, when).length > 0;
        }
        if ((when && !found) || (unless && changes[queries.indexOf(unless.query)] === unless.changes)) {
          rows.push([]);
          changes.push(0);
          continue;
        }
        const given: Row[] = [];
        changes.push(this.#query(database, query, given));
        rows.push(given);
      }
      for (const changed of changes) counters.rowsWritten += changed;
      this.#statement(database, "COMMIT").statement.run();
      return rows;
    } catch (error) {
      // Some errors (a full disk) end the transaction by themselves.
      if (database.isTransaction ?? database.inTransaction ?? true) {
        try {
          this.#statement(database, "ROLLBACK").statement.run();
        } catch {
          // There was none to end; the first error is the cause.
        }
      }
      throw error;
    }
  }

  #rows(database: SqliteDatabase, query: Query): Row[] {
    const rows: Row[] = [];
    this.#query(database, query, rows);
    return rows;
  }

  #query(database: SqliteDatabase, query: Query, found: Row[]): number {
    this.counters.statements++;
    return runQuery(this.#statement(database, query.sql), query, found);
  }

  #statement(database: SqliteDatabase, sql: Sql | string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (!prepared) {
      const statement = database.prepare(typeof sql === "string" ? sql : sql.parts.join("?")) as SqliteStatement;
      let view: Prepared["view"] = null;
      if (typeof sql !== "string" && sql.returns && statement.setReturnArrays && statement.columns) {
        statement.setReturnArrays(true);
        view = viewOf(statement.columns().map(({ name }) => name));
      }
      prepared = { statement, view };
      this.#prepared.set(sql, prepared);
    }
    return prepared;
  }

  /** Tries again while another writer blocks the work, for `busyTimeoutMs` in all. */
  async #patiently<T>(work: () => T | Promise<T>): Promise<T> {
    const { clock, where, busyTimeoutMs } = this.#options;
    const since = clock.monotonic();
    for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      try {
        return await work();
      } catch (error) {
        if (!isBusy(error)) throw explain(error, where);
        if (clock.monotonic() - since >= busyTimeoutMs) {
          throw new DriverError(
            "STORAGE_BUSY",
            `Cannot use ${where}: another writer has held its lock for ${busyTimeoutMs} ms; end long transactions, ` +
              'or raise the option "busyTimeout"',
            { cause: error },
          );
        }
      }
      await delay(clock, pauseMs * (0.5 + systemIds.random()));
      if (this.#closed) throw new BelfryError("CLOSED", `Cannot use ${where}: its storage was closed`);
    }
  }
}

/** Runs a statement, once or for each row of its list. @returns how many rows it changed */
function runQuery({ statement, view }: Prepared, { sql, args }: Query, found: Row[]): number {
  const { slots, each, returns } = sql;
  const params: Cell[] = slots.map((name) => sent(args[name]));
  const list = each === null ? ONCE : (args[each] as List).rows;
  let changes = 0;
  for (let place = 0; place < list.length; place++) {
    const row = list[place]!;
    putRow(params, sql, row, place);
    if (!returns) {
      changes += Number(statement.run(...params)?.changes ?? 0);
      continue;
    }
    const given = statement.all(...params);
    for (let i = 0; i < given.length; i++) found.push(view ? view(given[i] as unknown[]) : (given[i] as Row));
  }
  return changes;
}
