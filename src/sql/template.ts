/**
 * How does a text become a statement? `{jobs}` becomes the table with its prefix, `:name` a placeholder, and
 * `[[jobs item]]` a list parameter as a table of that alias.
 *
 * A list travels as JSON and is expanded by the database: one statement for a thousand rows. Where the database is in
 * this process, running a prepared statement once per row is faster than parsing JSON, so there a statement written
 * with {@link Templates.each} loses its list and gets a parameter for each of its columns. An insert then takes its row
 * from VALUES, since INSERT ... SELECT opens a journal of its own each time (2 us of 7); what it asks of other tables
 * stands around its first value, and a row whose first value is null is left out (see `schema.ts`).
 *
 * Texts are compiled once per storage and kept, so drivers can key prepared statements by them. They write
 * `LIMIT (SELECT :limit)`: SQLite prepares a statement anew for each value of a bare parameter there (50 us).
 */
import type { Dialect, ListColumns } from "./dialect.ts";
import type { Sql } from "./driver.ts";

/** Turns texts into statements of one dialect, with one table prefix. */
export class Templates {
  readonly dialect: Dialect;
  readonly prefix: string;
  readonly #compiled = new Map<string, Sql>();

  constructor(dialect: Dialect, prefix: string) {
    this.dialect = dialect;
    this.prefix = prefix;
  }

  /** The statement of a text. */
  sql(template: string): Sql {
    const known = this.#compiled.get(template);
    if (known) return known;
    const sql = this.#compile(template, null);
    this.#compiled.set(template, sql);
    return sql;
  }

  /**
   * The statement of a text that treats each row of one list by itself: `FROM [[jobs item]] WHERE ...` or
   * `FROM [[jobs item]], {other} ... WHERE ...`.
   */
  each(columns: ListColumns, template: string): Sql {
    const [marker, param, alias] = /\[\[(\w+) (\w+)\]\]/.exec(template)!;
    if (!this.dialect.rowByRow) {
      return this.sql(template.replace(marker, `${this.dialect.list(param!, columns)} AS ${alias!}`));
    }
    const names = columns.map(([name]) => name);
    const text = oneRow(template)
      .replace(new RegExp(`FROM\\s+${escaped(marker)}\\s+WHERE`), "WHERE")
      .replace(new RegExp(`${escaped(marker)}\\s+LEFT JOIN`), "(SELECT 1 AS one) AS once LEFT JOIN")
      .replace(new RegExp(`${escaped(marker)}\\s*,`), "")
      .replace(new RegExp(`ORDER BY ${alias!}\\.ord`, "g"), "")
      .replace(
        new RegExp(`\\b${alias!}\\.(\\w+)`, "g"),
        (_, name: string) => `:cell${name === "ord" ? "_ord" : names.indexOf(name)}`,
      );
    return this.#compile(text, param!);
  }

  #compile(template: string, each: string | null): Sql {
    const source = template.replace(/\{([a-z_]+)\}/g, (_, table: string) => this.prefix + table).replace(/\s+/g, " ");
    const names: string[] = [];
    const parts: string[] = [];
    const slots: string[] = [];
    let text = "";
    let end = 0;
    // A colon that follows a colon is a cast of Postgres; names begin with a letter.
    for (const match of source.matchAll(/(?<!:):([a-zA-Z]\w*)/g)) {
      const name = match[1]!;
      const part = source.slice(end, match.index);
      let n = names.indexOf(name) + 1;
      if (n === 0) n = names.push(name);
      parts.push(part);
      slots.push(name);
      text += part + this.dialect.placeholder(n);
      end = match.index + match[0].length;
    }
    parts.push(source.slice(end));
    text += source.slice(end);
    parts[0] = parts[0]!.trimStart();
    text = text.trim();
    const returns = / RETURNING /.test(text) || !/^(WITH .* )?(UPDATE|INSERT|DELETE|CREATE|DROP|ALTER) /.test(text);
    const cells = slots.map((name) => {
      if (each === null || !name.startsWith("cell")) return null;
      return name === "cell_ord" ? -1 : Number(name.slice(4));
    });
    return { text, names, parts, slots, returns, each, cells };
  }
}

const INSERT =
  /^(INSERT INTO .*?\))\s+SELECT ([^,]+),(.*?)\s+FROM \[\[\w+ \w+\]\](?:, (.*?))?\s+(WHERE .*?)\s+ORDER BY \w+\.ord( ON CONFLICT .*)$/s;

/** An insert from a list, as the insert of one row; other texts as they are. */
function oneRow(template: string): string {
  return template.replace(
    INSERT,
    (_, into: string, first: string, rest: string, other: string | undefined, where, then) => {
      return `${into} VALUES (${other ? `(SELECT ${first} FROM ${other} ${where})` : first},${rest})${then}`;
    },
  );
}

function escaped(text: string): string {
  return text.replace(/[[\]]/g, "\\$&");
}
