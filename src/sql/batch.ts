/**
 * What is a batch made of, and how is its reply found? Statements in order, of which those whose rows somebody reads have
 * a name; the rows are read by that name, wherever the statement stands and whatever else is sent with it.
 *
 * A batch is built, sent once, answered and read. One that is sent again after a lost reply is built anew, with new
 * marks (trick 1 of docs/sql.md).
 */
import type { Args, Query, Row, Sql } from "./driver.ts";

/** A batch, as far as who sends it is concerned. */
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

  /** Adds statements whose rows nobody reads. */
  run(...sqls: readonly Sql[]): void {
    for (const sql of sqls) this.#add({ sql, args: this.args });
  }

  /** Adds statements that do nothing where a look finds no row when the first of them is reached. */
  runWhere(look: Sql, sqls: readonly Sql[]): void {
    const when = { sql: look, args: this.args };
    for (const sql of sqls) this.#add({ sql, args: this.args, when });
  }

  /**
   * Adds a statement whose rows are read.
   *
   * @param unless a statement added before, and how many rows it changes where this one gives no row
   */
  read(name: Name, sql: Sql, unless?: { sql: Sql; changes: number }): void {
    this.#places.set(name, this.queries.length);
    const after = unless && this.queries.find((query) => query.sql === unless.sql);
    this.#add({ sql, args: this.args, ...(after && { unless: { query: after, changes: unless.changes } }) });
  }

  answer(rows: readonly Row[][]): void {
    this.#rows = rows;
  }

  /** The rows of a statement; none where the batch was built without it. */
  rows(name: Name): readonly Row[] {
    if (!this.#rows) throw new Error("the batch has no answer yet");
    const place = this.#places.get(name);
    return place === undefined ? [] : this.#rows[place]!;
  }

  #add(query: Query): void {
    this.queries.push(query);
  }
}

/** An operation of the port, built to be sent once: its batches, which travel as one, and what they answered. */
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
