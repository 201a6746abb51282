/**
 * Where do SQL databases differ? The table of differences; statements are written once and ask it for what differs.
 *
 * SQLite and the databases made from it (libSQL, D1, Durable Objects) have one writer at a time and need no row locks.
 * Postgres runs batches side by side at READ COMMITTED, so there locks are taken (trick 7 of docs/sql.md).
 */

import type { Cell } from "./driver.ts";

/** Type of a column: text compared by bytes, or a whole number up to 2^53. */
export type ColumnType = "text" | "int";

/** Columns of a list that travels as one JSON parameter, in order. */
export type ListColumns<C extends string = string> = readonly (readonly [name: C, type: ColumnType])[];

/** What differs. */
export interface Dialect {
  readonly name: "sqlite" | "postgres";
  /** The n-th parameter, from 1. */
  placeholder(n: number): string;
  /** A JSON parameter as a table with `ord` (the row's place in the list) and the given columns (trick 8). */
  list(param: string, columns: ListColumns): string;
  /** Encodes the rows of a list as {@link Dialect.list} reads them. */
  encodeList(columns: ListColumns, rows: readonly (readonly Cell[])[]): string;
  /** Whether a statement per row is faster than a list as JSON (trick 9). */
  readonly rowByRow: boolean;
  /** A parameter of texts as a table with the column `value`. */
  texts(param: string): string;
  /** Goes behind an expression: whether it is one of a parameter of texts. */
  oneOf(param: string): string;
  /** Encodes texts as {@link Dialect.texts} and {@link Dialect.oneOf} read them. */
  encodeTexts(texts: readonly string[]): string;
  /** Goes behind a SELECT: locks its rows until the batch ends. */
  readonly forUpdate: string;
  /** Goes behind a SELECT: locks the rows of one of its tables until the batch ends. */
  forUpdateOf(alias: string): string;
  /** Goes behind a SELECT: locks its rows and leaves out those that another batch has locked. */
  readonly skipLocked: string;
  /** The same for one of its tables. */
  skipLockedOf(alias: string): string;
  /** Goes behind a SELECT: keeps its rows from being changed until the batch ends. */
  readonly forShare: string;
  /** Whether batches run side by side, so that locks must be taken first. */
  readonly concurrent: boolean;
  /** Statement that makes batches with the same text in a parameter wait for each other; null where all batches do. */
  lockText(param: string): string | null;
  /**
   * The first jobs of each group, in order (trick 16). `outer` is a table of groups with the columns `key` and `room`
   * (how many jobs); `where` selects jobs and names their group as `outer_row.key`.
   *
   * @returns a query of job ids
   */
  topJobs(options: { jobs: string; outer: string; where: string; order: string }): string;
  /**
   * Joins the first rows of another table to a single row (trick 17): `join` goes behind the FROM of the single row,
   * `end` ends the query. Where the other table gives none, the single row comes with nulls.
   */
  firstOf(options: { table: string; alias: string; where: string; order: string; limit: string }): {
    join: string;
    end: string;
  };
  /** What the columns of a partial index begin with: one that is the same in all its rows, where that helps (trick 13). */
  anchor(column: string): string;
  /** The smaller of two numbers, neither null. */
  least(a: string, b: string): string;
  /** An expression of the server's time in epoch ms; null where the database has no clock of its own. */
  readonly serverTime: string | null;
  /** A name as the database stores it where it is not quoted. */
  fold(name: string): string;
  /** Type names of the schema. */
  readonly types: Readonly<Record<ColumnType, string>>;
  /**
   * Goes behind NOT NULL: a row whose column is null is not inserted, without an error; only used with `rowByRow`
   * (trick 10).
   */
  readonly ignoreNull: string;
  /** Ends a CREATE TABLE. */
  readonly tableOptions: string;
  /** Ends the CREATE TABLE of a table that is stored in the order of its key. */
  readonly clusteredOptions: string;
  /** Statement that makes concurrent migrations wait for each other; null where all batches do. */
  readonly lockSchema: string | null;
  /** Query of the column `name`: which of the texts `names` are names of tables that exist. */
  readonly existing: string;
}

/** SQLite behind a client that takes whole batches, without a clock of its own: a libSQL file. */
export const sqliteDialect: Dialect = {
  name: "sqlite",
  rowByRow: false,
  placeholder: (n) => `?${n}`,
  list(param, columns) {
    const fields = columns.map(([name], i) => `value->>${i} AS ${name}`);
    return `(SELECT key AS ord, ${fields.join(", ")} FROM json_each(:${param}))`;
  },
  encodeList: (_columns, rows) => JSON.stringify(rows),
  texts: (param) => `(SELECT value FROM json_each(:${param}))`,
  oneOf: (param) => `IN (SELECT value FROM json_each(:${param}))`,
  encodeTexts: (texts) => JSON.stringify(texts),
  forUpdate: "",
  forUpdateOf: () => "",
  skipLocked: "",
  skipLockedOf: () => "",
  forShare: "",
  concurrent: false,
  lockText: () => null,
  topJobs: ({ jobs, outer, where, order }) =>
    `SELECT picked.value AS id FROM ${outer} AS outer_row, json_each((
       SELECT json_group_array(id) FROM (
         SELECT id FROM ${jobs} WHERE ${where} ORDER BY ${order} LIMIT (SELECT max(room) FROM ${outer} AS rooms)
       ))) AS picked WHERE picked.key < outer_row.room`,
  firstOf: ({ table, alias, where, order, limit }) => ({
    join: `LEFT JOIN ${table} AS ${alias} ON ${where}`,
    end: `ORDER BY ${order} LIMIT ${limit}`,
  }),
  anchor: (column) => `${column}, `,
  least: (a, b) => `min(${a}, ${b})`,
  serverTime: null,
  fold: (name) => name,
  types: { text: "TEXT", int: "INTEGER" },
  ignoreNull: " ON CONFLICT IGNORE",
  tableOptions: " STRICT",
  clusteredOptions: " STRICT, WITHOUT ROWID",
  lockSchema: null,
  existing: "SELECT name FROM sqlite_master WHERE name IN (SELECT value FROM json_each(:names))",
};

/** SQLite in this process, and in a Durable Object. */
export const localSqliteDialect: Dialect = { ...sqliteDialect, rowByRow: true };

/** SQLite behind a network, where the server's clock counts: sqld, Turso, D1. */
export const remoteSqliteDialect: Dialect = {
  ...sqliteDialect,
  serverTime: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
};

/** Text is compared by bytes (trick 23). */
const POSTGRES_TYPES: Record<ColumnType, string> = { text: 'text COLLATE "C"', int: "bigint" };

/** True of every row of a list, but the planner cannot see that and expects a single row (trick 19). */
const EXPECT_ONE_ROW = (column: string, other: string): string => `${column} = COALESCE(${column}, ${other})`;

/** PostgreSQL 13 and later. */
export const postgresDialect: Dialect = {
  name: "postgres",
  rowByRow: false,
  placeholder: (n) => `$${n}`,
  list(param, columns) {
    const fields = columns.map(([name, type]) => `${name} ${type === "int" ? "bigint" : "text"}`);
    const names = columns.map(([name]) => name);
    return (
      `(SELECT ord - 1 AS ord, ${names.join(", ")} FROM ROWS FROM (json_to_recordset(:${param}::text::json) ` +
      `AS (${fields.join(", ")})) WITH ORDINALITY AS item(${names.join(", ")}, ord) WHERE ${EXPECT_ONE_ROW("ord", "0")})`
    );
  },
  encodeList(columns, rows) {
    return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map(([name], i) => [name, row[i] ?? null]))));
  },
  texts: (param) =>
    `(SELECT value FROM unnest(:${param}::text[]) AS item(value) WHERE ${EXPECT_ONE_ROW("value", "''")})`,
  oneOf: (param) => `= ANY (:${param}::text[])`,
  encodeTexts: (texts) => `{${texts.map((text) => `"${text.replace(/["\\]/g, "\\$&")}"`).join(",")}}`,
  forUpdate: " FOR UPDATE",
  forUpdateOf: (alias) => ` FOR UPDATE OF ${alias}`,
  skipLocked: " FOR UPDATE SKIP LOCKED",
  skipLockedOf: (alias) => ` FOR UPDATE OF ${alias} SKIP LOCKED`,
  forShare: " FOR SHARE",
  concurrent: true,
  lockText: (param) => `SELECT pg_advisory_xact_lock(hashtextextended(:${param}::text, 0))`,
  topJobs: ({ jobs, outer, where, order }) =>
    `SELECT picked.id FROM ${outer} AS outer_row CROSS JOIN LATERAL (
       SELECT id FROM ${jobs} WHERE ${where} ORDER BY ${order} LIMIT outer_row.room) AS picked`,
  firstOf: ({ table, alias, where, order, limit }) => ({
    join:
      `LEFT JOIN LATERAL (SELECT * FROM ${table} AS ${alias} WHERE ${where} ` +
      `ORDER BY ${order} LIMIT ${limit}) AS ${alias} ON TRUE`,
    end: `ORDER BY ${order}`,
  }),
  anchor: () => "",
  least: (a, b) => `LEAST(${a}, ${b})`,
  serverTime: "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
  fold: (name) => name.toLowerCase(),
  types: POSTGRES_TYPES,
  ignoreNull: "",
  tableOptions: "",
  clusteredOptions: "",
  // The number is the text "belfry" in ASCII; any number would do that no other program uses.
  lockSchema: "SELECT pg_advisory_xact_lock(108170552013433)",
  existing:
    "SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace " +
    "AND relname = ANY (:names::text[])",
};
