/**
 * How does one statement treat each row of a list? Built from its parts, it is written in the form that suits the
 * database: over the list as a table, or for one row, run once per row (trick 3 of docs/sql.md).
 *
 * Every INSERT is such a value, {@link Insert}, also those that take their rows from elsewhere.
 */
import type { ListColumns } from "./dialect.ts";
import { type Item, itemOf, type ListKind } from "./list.ts";

/** Columns of a row to insert, in order, and the expression of each. */
export type Values = Readonly<Record<string, string>>;

/** An INSERT. */
export interface Insert<C extends string = string> {
  /** Name of the table, without prefix. */
  readonly into: string;
  readonly rows: OneRow | SelectedRows | ListedRows<C>;
  /** What follows ON CONFLICT: `DO NOTHING`, or a key and `DO UPDATE SET ...`; absent: a conflict is an error. */
  readonly conflict?: string;
  /** Columns to give back. */
  readonly returning?: string;
}

/** A single row. */
interface OneRow {
  readonly values: Values;
}

/** A row for each row of a selection. */
interface SelectedRows {
  readonly values: Values;
  /** All that follows FROM, with a WHERE clause (trick 24). */
  readonly from: string;
}

/** A row for each row of a list. */
interface ListedRows<C extends string> {
  readonly list: ListKind<never, C>;
  /** Name of the parameter that carries the list. */
  readonly param: string;
  /** Where there is a guard, the table must be one with {@link import("./schema.ts").Table.guarded} (trick 10). */
  readonly values: (item: Item<C>) => Values;
  /** Other tables and a condition on them: a row of the list is inserted only where they give a row. Absent: all are. */
  readonly guard?: (item: Item<C>) => { readonly from: string; readonly where: string };
}

/** An UPDATE of the rows that a list names. */
export interface ListedUpdate<C extends string> {
  /** The table and its alias: `{jobs} AS j`. */
  readonly update: string;
  readonly list: ListKind<never, C>;
  readonly param: string;
  readonly set: (item: Item<C>) => string;
  readonly where: (item: Item<C>) => string;
  readonly returning?: string;
}

/** A SELECT that answers for each row of a list. */
export interface ListedSelect<C extends string> {
  readonly list: ListKind<never, C>;
  readonly param: string;
  readonly select: (item: Item<C>) => string;
  /** Other tables: rows of the list for which they give nothing are left out. */
  readonly from?: string;
  /** Other tables, joined by LEFT JOIN: rows of the list for which they give nothing stay, with nulls. */
  readonly join?: (item: Item<C>) => string;
  readonly where: (item: Item<C>) => string;
  /** Whether the answers come in the order of the list. @default false */
  readonly ordered?: boolean;
}

/** A list that a statement runs over row by row. */
export interface Each {
  readonly param: string;
  readonly columns: ListColumns;
}

/** A statement's text for `template.ts`. */
export interface Written {
  readonly text: string;
  /** The list for each of whose rows the statement is run; null: it is run once. */
  readonly each: Each | null;
}

/** The form that suits a database. */
export interface Form {
  /** Whether statements are run once per row of their list. */
  readonly rowByRow: boolean;
  /** A list parameter as a table. */
  list(param: string, columns: ListColumns): string;
}

/** Writes an INSERT. */
export function writeInsert<C extends string>(form: Form, insert: Insert<C>): Written {
  const { rows } = insert;
  const tail = `${insert.conflict ? ` ON CONFLICT ${insert.conflict}` : ""}${insert.returning ? ` RETURNING ${insert.returning}` : ""}`;
  const head = (values: Values): string => `INSERT INTO {${insert.into}} (${Object.keys(values).join(", ")})`;
  if (!("list" in rows)) {
    const { values } = rows;
    const expressions = Object.values(values).join(", ");
    const body = "from" in rows ? `SELECT ${expressions} FROM ${rows.from}` : `VALUES (${expressions})`;
    return { text: `${head(values)} ${body}${tail}`, each: null };
  }
  const item = itemIn(form, rows);
  const values = rows.values(item);
  const guard = rows.guard?.(item);
  if (form.rowByRow) {
    const [first, ...rest] = Object.values(values);
    const asked = guard ? `(SELECT ${first} FROM ${guard.from} WHERE ${guard.where})` : first;
    return { text: `${head(values)} VALUES (${[asked, ...rest].join(", ")})${tail}`, each: eachOf(rows) };
  }
  const from = `${form.list(rows.param, rows.list.columns)} AS item${guard ? `, ${guard.from}` : ""}`;
  const text = `${head(values)} SELECT ${Object.values(values).join(", ")} FROM ${from} WHERE ${guard?.where ?? "true"} ORDER BY item.ord`;
  return { text: text + tail, each: null };
}

/** Writes an UPDATE. */
export function writeUpdate<C extends string>(form: Form, update: ListedUpdate<C>): Written {
  const item = itemIn(form, update);
  const from = form.rowByRow ? "" : ` FROM ${form.list(update.param, update.list.columns)} AS item`;
  const tail = update.returning ? ` RETURNING ${update.returning}` : "";
  const text = `UPDATE ${update.update} SET ${update.set(item)}${from} WHERE ${update.where(item)}${tail}`;
  return { text, each: form.rowByRow ? eachOf(update) : null };
}

/** Writes a SELECT. */
export function writeSelect<C extends string>(form: Form, select: ListedSelect<C>): Written {
  const item = itemIn(form, select);
  const tables = form.rowByRow ? [] : [`${form.list(select.param, select.list.columns)} AS item`];
  if (select.from) tables.push(select.from);
  // A join needs something to be joined to.
  else if (form.rowByRow) tables.push("(SELECT 1 AS one) AS once");
  const from = `${tables.join(", ")}${select.join ? ` ${select.join(item)}` : ""}`;
  const order = select.ordered && !form.rowByRow ? " ORDER BY item.ord" : "";
  const text = `SELECT ${select.select(item)} FROM ${from} WHERE ${select.where(item)}${order}`;
  return { text, each: form.rowByRow ? eachOf(select) : null };
}

/** The columns of the current row: of the table `item`, or parameters of their own. */
function itemIn<C extends string>(form: Form, { list, param }: { list: ListKind<never, C>; param: string }): Item<C> {
  return itemOf(list.columns, form.rowByRow ? `:${param}.` : "item.");
}

function eachOf({ list, param }: { list: ListKind<never>; param: string }): Each {
  return { param, columns: list.columns };
}
