/**
 * How does a text become a statement? `{jobs}` becomes the table with its prefix, `:name` a numbered placeholder.
 *
 * Texts are compiled once per storage and kept, so drivers can key prepared statements by them.
 */
import type { Dialect } from "./dialect.ts";
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
    const sql = this.#compile(template);
    this.#compiled.set(template, sql);
    return sql;
  }

  #compile(template: string): Sql {
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
    return { text, names, parts, slots, returns };
  }
}
