/**
 * Where do SQL databases differ? The table of differences; operations are written once, against these rows.
 *
 * SQLite (and its kin: libSQL, D1, Durable Objects) has one writer at a time, so it needs no row locks; Postgres runs
 * batches side by side at READ COMMITTED, where each statement sees its own moment: the first statement of a batch locks
 * and marks, the others follow the mark.
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
  /** A JSON parameter as a table with `ord` (its place in the list) and the given columns. */
  list(param: string, columns: ListColumns): string;
  /** Rows of a list as the JSON that {@link Dialect.list} reads. */
  encodeList(columns: ListColumns, rows: readonly (readonly Cell[])[]): string;
  /** Whether the database is so near that a statement per row is faster than a list as JSON. */
  readonly rowByRow: boolean;
  /** A parameter of plain texts as a table with the column `value`. */
  texts(param: string): string;
  /** After an expression: whether it is one of a parameter of plain texts. */
  oneOf(param: string): string;
  /** Texts as {@link Dialect.texts} and {@link Dialect.oneOf} read them. */
  encodeTexts(texts: readonly string[]): string;
  /** After a SELECT: locks its rows until the batch ends. */
  readonly forUpdate: string;
  /** After a SELECT: locks the rows of one of its tables until the batch ends. */
  forUpdateOf(alias: string): string;
  /** After a SELECT: locks its rows, leaving out those that others hold. */
  readonly skipLocked: string;
  /** The same for one of its tables. */
  skipLockedOf(alias: string): string;
  /** After a SELECT: keeps its rows from being changed until the batch ends. */
  readonly forShare: string;
  /** Whether batches run side by side, so that locks must be taken first. */
  readonly concurrent: boolean;
  /** Statement that makes batches with the same text parameter wait for each other; null where they do anyway. */
  lockText(param: string): string | null;
  /**
   * The first rows of an ordered selection for each row of another: `outer` is a table with columns `key` and `room`;
   * `inner` is a WHERE clause over jobs that names `outer.key`.
   *
   * @returns a query of job ids
   */
  topJobs(options: { jobs: string; outer: string; where: string; order: string }): string;
  /**
   * Joins the first rows of another table to a single row `l`: `join` goes behind its FROM, `end` ends the query. Where no
   * row is found, the single row comes with nulls.
   */
  firstOf(options: { table: string; alias: string; where: string; order: string; limit: string }): {
    join: string;
    end: string;
  };
  /**
   * What the key of a partial index begins with: a column that is the same in all of its rows, and that its questions name.
   * SQLite then finds an empty index by an equality, which its kin (sqld, D1) count as no row read; Postgres leaves out
   * of a search what the index's condition says, and would walk.
   */
  anchor(column: string): string;
  /** Smaller of two numbers, neither null. */
  least(a: string, b: string): string;
  /** The server's time in epoch ms as an expression; null where the database has no clock of its own. */
  readonly serverTime: string | null;
  /** A name as the database stores it where it is not quoted. */
  fold(name: string): string;
  /** Type names of the schema. */
  readonly types: Readonly<Record<ColumnType, string>>;
  /** What follows NOT NULL of a column that leaves a row out where it comes as null; only asked where `rowByRow`. */
  readonly leavesOut: string;
  /** What ends a CREATE TABLE. */
  readonly tableOptions: string;
  /** What ends the CREATE TABLE of a table that is stored in the order of its key. */
  readonly clusteredOptions: string;
  /** Statement that makes concurrent migrations wait for each other; null where they do anyway. */
  readonly lockSchema: string | null;
  /** Query of `name`: those of our tables and indexes that exist, of the texts `names`. */
  readonly existing: string;
}

/** SQLite and its kin, reached in batches. */
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
  // SQLite has no LATERAL, and LIMIT may not name a column: each key's ids are gathered into a JSON array and spread.
  topJobs: ({ jobs, outer, where, order }) =>
    `SELECT picked.value AS id FROM ${outer} AS outer_row, json_each((
       SELECT json_group_array(id) FROM (
         SELECT id FROM ${jobs} WHERE ${where} ORDER BY ${order} LIMIT (SELECT max(room) FROM ${outer} AS rooms)
       ))) AS picked WHERE picked.key < outer_row.room`,
  // One row outside leaves the order of the index as it is.
  firstOf: ({ table, alias, where, order, limit }) => ({
    join: `LEFT JOIN ${table} AS ${alias} ON ${where}`,
    end: `ORDER BY ${order} LIMIT ${limit}`,
  }),
  anchor: (column) => `${column}, `,
  least: (a, b) => `min(${a}, ${b})`,
  serverTime: null,
  fold: (name) => name,
  types: { text: "TEXT", int: "INTEGER" },
  leavesOut: " ON CONFLICT IGNORE",
  tableOptions: " STRICT",
  clusteredOptions: " STRICT, WITHOUT ROWID",
  lockSchema: null,
  existing: "SELECT name FROM sqlite_master WHERE name IN (SELECT value FROM json_each(:names))",
};

/** SQLite in this process. */
export const localSqliteDialect: Dialect = { ...sqliteDialect, rowByRow: true };

/** SQLite behind a network, whose own clock counts. */
export const remoteSqliteDialect: Dialect = {
  ...sqliteDialect,
  serverTime: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
};

const POSTGRES_TYPES: Record<ColumnType, string> = { text: 'text COLLATE "C"', int: "bigint" };

/**
 * True of every item of a list, which the planner cannot see: it takes the list for a single row instead of a hundred. Else a
 * plan that was made on a small table walks all of it for each list, and goes on to do so when the table has grown.
 */
const FEW = (column: string, other: string): string => `${column} = COALESCE(${column}, ${other})`;

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
      `AS (${fields.join(", ")})) WITH ORDINALITY AS item(${names.join(", ")}, ord) WHERE ${FEW("ord", "0")})`
    );
  },
  encodeList(columns, rows) {
    return JSON.stringify(rows.map((row) => Object.fromEntries(columns.map(([name], i) => [name, row[i] ?? null]))));
  },
  texts: (param) => `(SELECT value FROM unnest(:${param}::text[]) AS item(value) WHERE ${FEW("value", "''")})`,
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
  leavesOut: "",
  tableOptions: "",
  clusteredOptions: "",
  // Any fixed number will do; this one is the text "belfry" in ASCII.
  lockSchema: "SELECT pg_advisory_xact_lock(108170552013433)",
  existing:
    "SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace " +
    "AND relname = ANY (:names::text[])",
};
