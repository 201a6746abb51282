/**
 * How does a text become a statement? `{jobs}` becomes the table with its prefix, and `:name` a numbered placeholder.
 *
 * `:jobs.id` is the column `id` of a row of the list `jobs`, in a statement that is run once per row; `each.ts` writes
 * those. A text is compiled once per storage and its statement kept, so that drivers can key prepared statements by it.
 * Texts write `LIMIT (SELECT :limit)` (trick 21 of docs/sql.md).
 */
import type { Dialect } from "./dialect.ts";
import type { Sql } from "./driver.ts";
import {
  type Each,
  type Insert,
  type ListedSelect,
  type ListedUpdate,
  type Written,
  writeInsert,
  writeSelect,
  writeUpdate,
} from "./each.ts";
import type { ListKind } from "./list.ts";

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
    return this.#sql({ text: template, each: null });
  }

  /** The statement of an INSERT. */
  insert<C extends string>(insert: Insert<C>): Sql {
    return this.#sql(writeInsert(this.dialect, insert));
  }

  /** The statement of an UPDATE of the rows that a list names. */
  update<C extends string>(update: ListedUpdate<C>): Sql {
    return this.#sql(writeUpdate(this.dialect, update));
  }

  /** The statement of a SELECT that answers for each row of a list. */
  select<C extends string>(select: ListedSelect<C>): Sql {
    return this.#sql(writeSelect(this.dialect, select));
  }

  /** A list parameter as a table, for statements that need the whole list at once. */
  list(kind: ListKind<never>, param: string): string {
    return this.dialect.list(param, kind.columns);
  }

  #sql(written: Written): Sql {
    let sql = this.#compiled.get(written.text);
    if (!sql) {
      sql = this.#compile(written);
      this.#compiled.set(written.text, sql);
    }
    return sql;
  }

  #compile({ text: template, each }: Written): Sql {
    const source = template.replace(/\{([a-z_]+)\}/g, (_, table: string) => this.prefix + table).replace(/\s+/g, " ");
    const names: string[] = [];
    const parts: string[] = [];
    const slots: string[] = [];
    let text = "";
    let end = 0;
    // A colon that follows a colon is a cast of Postgres; names begin with a letter.
    for (const match of source.matchAll(/(?<!:):([a-zA-Z]\w*(?:\.\w+)?)/g)) {
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
    const cells = slots.map((name) => cellOf(name, each));
    return { text, names, parts, slots, returns, each: each === null ? null : each.param, cells };
  }
}

/** Where a row of the list has the value of a parameter; null: the parameter is not of the list. */
function cellOf(name: string, each: Each | null): number | null {
  if (each === null || !name.startsWith(`${each.param}.`)) return null;
  const column = name.slice(each.param.length + 1);
  return column === "ord" ? -1 : each.columns.findIndex(([known]) => known === column);
}
