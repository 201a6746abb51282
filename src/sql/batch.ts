/**
 * What is a batch made of, and how is its reply found? A batch is statements in order. A statement whose rows are read
 * has a name, and its rows are found by that name, wherever the statement stands and whatever else is sent with it.
 *
 * A batch is built, sent, answered and read. For another send after a lost reply it is built anew, with a new op mark
 * (trick 2 of docs/sql.md).
 */
import type { Args, Query, Row, Sql } from "./driver.ts";

/** What the sender of a batch needs. */
export interface SentBatch {
  readonly queries: readonly Query[];
  /** Takes the rows of each query, in order. */
  answer(rows: readonly Row[][]): void;
}

/** A batch under construction; `Name` are the names by which rows are read. */
export class Batch<Name extends string = never> implements SentBatch {
  readonly queries: Query[] = [];
  /** The parameters of all its statements. */
  readonly args: Args;
  readonly #places = new Map<Name, number>();
  #rows: readonly Row[][] | null = null;

  constructor(args: Args) {
    this.args = args;
  }

  /** Adds statements whose rows are not read. */
  run(...sqls: readonly Sql[]): void {
    for (const sql of sqls) this.#add({ sql, args: this.args });
  }

  /** Adds statements that do nothing when a look finds no row at the time of the first of them (trick 3). */
  runWhere(look: Sql, sqls: readonly Sql[]): void {
    const when = { sql: look, args: this.args };
    for (const sql of sqls) this.#add({ sql, args: this.args, when });
  }

  /**
   * Adds a statement whose rows are read.
   *
   * @param unless a statement that was added before, and how many rows it changes when this one returns none (trick 4)
   */
  read(name: Name, sql: Sql, unless?: { sql: Sql; changes: number }): void {
    this.#places.set(name, this.queries.length);
    const after = unless && this.queries.find((query) => query.sql === unless.sql);
    this.#add({ sql, args: this.args, ...(after && { unless: { query: after, changes: unless.changes } }) });
  }

  answer(rows: readonly Row[][]): void {
    this.#rows = rows;
  }

  /** Gives the rows of a statement; none where the batch was built without it. */
  rows(name: Name): readonly Row[] {
    if (!this.#rows) throw new Error("the batch has no answer yet");
    const place = this.#places.get(name);
    return place === undefined ? [] : this.#rows[place]!;
  }

  #add(query: Query): void {
    this.queries.push(query);
  }
}

/** An operation of the port, built for one send: its batches, which are sent as one, and how to read the reply. */
export interface Operation<Reply> {
  readonly batches: readonly SentBatch[];
  /** The parameters of the operation itself, its marks among them. */
  readonly args: Args;
  /** Reads the reply from the rows of the batches. */
  readonly reply: () => Reply;
}

/** Makes an operation of one batch. */
export function operation<Reply, Name extends string>(batch: Batch<Name>, reply: () => Reply): Operation<Reply> {
  return { batches: [batch], args: batch.args, reply };
}
