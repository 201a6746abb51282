/**
 * How do records travel to the database? As a list: rows of cells, in one parameter of a statement (trick 2 of
 * docs/sql.md).
 *
 * A kind of list says each column once: its name, its type, and its value in a record. Statements name the columns of
 * the current row through an {@link Item}, so that one statement serves both forms in which a list arrives: as JSON
 * that the database expands, or row by row.
 */
import type { ColumnType, Dialect, ListColumns } from "./dialect.ts";
import { type Cell, List } from "./driver.ts";

/** A kind of list: records of type `T`, laid out in columns of the names `C`. */
export interface ListKind<T, C extends string = string> {
  readonly columns: ListColumns<C>;
  /** Lays out a record in the order of the columns, for a batch at `now` (epoch ms). */
  readonly cells: (record: T, now: number) => Cell[];
}

/** Names of the columns of a kind of list. */
export type ColumnOf<K> = K extends ListKind<never, infer C> ? C : never;

/** A column of a list: its type, and its value in a record of a batch at `now` (epoch ms). */
export type ListColumn<T> = readonly [type: ColumnType, value: (record: T, now: number) => Cell];

/**
 * Makes a kind of list from its columns, in order.
 *
 * @example
 * ```ts ignore
 * const CLAIMS = listKind<{ id: string; token: string }>()({
 *   job_id: ["text", ({ id }) => id],
 *   token: ["text", ({ token }) => token],
 * });
 * ```
 */
export function listKind<T>(): <C extends string>(columns: Record<C, ListColumn<T>>) => ListKind<T, C> {
  return <C extends string>(columns: Record<C, ListColumn<T>>): ListKind<T, C> => {
    const entries = Object.entries(columns) as [C, ListColumn<T>][];
    const values = entries.map(([, [, value]]) => value);
    return {
      columns: entries.map(([name, [type]]) => [name, type] as const),
      cells: (record, now) => values.map((value) => value(record, now)),
    };
  };
}

/** Makes a kind of list that has the columns of another kind, and some more. @param part the record of the other kind */
export function listWith<T, P, C extends string, M extends string>(
  kind: ListKind<P, C>,
  part: (record: T) => P,
  more: ListKind<T, M>,
): ListKind<T, C | M> {
  return {
    columns: [...kind.columns, ...more.columns],
    cells: (record, now) => [...kind.cells(part(record), now), ...more.cells(record, now)],
  };
}

/** Lays records out as a list parameter of a batch at `now` (epoch ms). */
export function listOf<T>(dialect: Dialect, kind: ListKind<T>, records: readonly T[], now: number = 0): List {
  const rows = records.map((record) => kind.cells(record, now));
  return new List(rows, () => dialect.encodeList(kind.columns, rows));
}

/** Text by which a statement names each column of the current row of a list; `ord` is the row's place in it, from 0. */
export type Item<C extends string> = Readonly<Record<C | "ord", string>>;

/** Names the columns of a list as `prefix` and the column's name. */
export function itemOf<C extends string>(columns: ListColumns<C>, prefix: string): Item<C> {
  const names: (C | "ord")[] = ["ord", ...columns.map(([name]) => name)];
  return Object.fromEntries(names.map((name) => [name, prefix + name])) as Item<C>;
}
