/**
 * How does Postgres avoid planning the same statements for each batch? They are prepared under names made from their
 * text (trick 30 of docs/sql.md).
 *
 * Which connection a batch meets need not be known (one of a pool, or of a pooler behind the client): the batch
 * executes by name, and when the connection does not know a name nothing has happened, and the batch is sent again
 * behind a block that prepares what is missing. Queries behind a look (`when`) go as one block that executes them, by
 * name too, only where the look finds a row.
 */
import type { Query, Sql } from "../driver.ts";
import { literal, textOf } from "./literal.ts";

/** Parameters that are whole numbers. Those of export pages have several types; all others are texts. */
const NUMBERS = new Set(
  "now until limit most alarms term generation finishedBefore failedBefore occurrencesBefore since till skips".split(
    " ",
  ),
);
const UNTYPED = /^after\d/;

/** The settings of a batch, for plans that are chains of index lookups. */
export const SETTINGS: string = `SELECT ${[
  ...["enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit"].map((name) => [name, "off"]),
  ["plan_cache_mode", "force_generic_plan"],
]
  .map(([name, value]) => `set_config('${name}', '${value}', true)`)
  .join(", ")}`;

/** A statement of the message. */
export interface Text {
  text: string;
  /** How many queries it runs; more than one give no rows. */
  of: number;
  returns: boolean;
}

interface Prepared {
  name: string;
  /** Text that prepares it. */
  text: string;
}

/** Knows the names of statements. */
export class PreparedNames {
  readonly #known = new Map<Sql, Prepared | null>();

  /** The texts of a batch. @param heal put the block in front that prepares what is missing */
  textsOf(queries: readonly Query[], heal: boolean): Text[] {
    // The tables of a migration do not exist yet when its statements would be prepared.
    if (queries.some(({ sql }) => /^(CREATE|ALTER|DROP) /.test(sql.text))) {
      return queries.map((query) => ({ text: textOf(query), of: 1, returns: query.sql.returns }));
    }
    const texts: Text[] = heal ? [{ text: this.#block(queries), of: 0, returns: false }] : [];
    for (let at = 0; at < queries.length; ) {
      const query = queries[at]!;
      let end = at + 1;
      while (query.when && queries[end]?.when === query.when) end++;
      texts.push(
        query.when
          ? { text: this.#guarded(query.when, queries.slice(at, end)), of: end - at, returns: false }
          : { text: this.#text(query), of: 1, returns: query.sql.returns },
      );
      at = end;
    }
    return texts;
  }

  #text(query: Query): string {
    const prepared = this.#prepared(query.sql);
    if (!prepared) return textOf(query);
    const { names } = query.sql;
    const values = names.map((name) => literal(query.args[name])).join(", ");
    return `EXECUTE ${prepared.name}${names.length > 0 ? ` (${values})` : ""}`;
  }

  /** In a block each statement has a snapshot of its own, as in the batch. */
  #guarded(when: Query, queries: readonly Query[]): string {
    const run = (query: Query): string => `EXECUTE ${literal(this.#text(query))}`;
    const all = queries.map((query) => `${run(query)};`).join(" ");
    return `DO ${literal(`DECLARE found int; BEGIN ${run(when)} INTO found; IF found = 1 THEN ${all} END IF; END`)}`;
  }

  #block(queries: readonly Query[]): string {
    const blocks = new Map<string, string>();
    for (const { sql } of queries.flatMap((query) => (query.when ? [query.when, query] : [query]))) {
      const prepared = this.#prepared(sql);
      if (!prepared) continue;
      const missing = `IF NOT EXISTS (SELECT FROM pg_prepared_statements WHERE name = '${prepared.name}')`;
      blocks.set(prepared.name, `${missing} THEN EXECUTE ${literal(prepared.text)}; END IF;`);
    }
    return `DO ${literal(`BEGIN ${[...blocks.values()].join(" ")} END`)}`;
  }

  #prepared(sql: Sql): Prepared | null {
    const known = this.#known.get(sql);
    if (known !== undefined) return known;
    const plannable =
      /^(SELECT|WITH|UPDATE|INSERT|DELETE) /.test(sql.text) && !sql.names.some((name) => UNTYPED.test(name));
    let prepared: Prepared | null = null;
    if (plannable) {
      const types = sql.names.map((name, i) => typeOf(sql, name, i)).join(", ");
      const name = `belfry_${hash(`${types} ${sql.text}`)}`;
      prepared = { name, text: `PREPARE ${name}${types === "" ? "" : ` (${types})`} AS ${sql.text}` };
    }
    this.#known.set(sql, prepared);
    return prepared;
  }
}

function typeOf(sql: Sql, name: string, place: number): string {
  if (sql.text.includes(`$${place + 1}::text[]`)) return "text[]";
  return NUMBERS.has(name) ? "bigint" : "text";
}

/** Two runs of FNV-1a: 64 bits, so two statements are not expected to get the same name. */
function hash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0xcbf29ce4;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ (code + i), 0x01000193);
  }
  return (a >>> 0).toString(16).padStart(8, "0") + (b >>> 0).toString(16).padStart(8, "0");
}
