/**
 * Which SQL does each operation of the port send? Written down in `snapshots/`, a folder for each kind of database and
 * a file for each operation, so that a reviewer sees what a change does to it. After a change that is meant: `npm test
 * -- node test/sql -u` writes them anew.
 *
 * A file has a section for each way to call the operation. A statement is written out once per folder; where it is sent
 * besides, a line says its name and its file. What follows from the end of jobs is in `effects.sql`.
 */
import { expect, test } from "vitest";
import { localSqliteDialect, postgresDialect, remoteSqliteDialect, sqliteDialect } from "../../src/sql/dialect.ts";
import type { Query, Sql } from "../../src/sql/driver.ts";
import { SqlStorage } from "../../src/sql/storage.ts";
import type { Statement } from "../../src/storage/port.ts";
import { format } from "./format.ts";
import { homeOf, type Named, namesOf } from "./names.ts";
import { OPERATIONS } from "./operations.ts";
import { record, type Target } from "./record.ts";

const TARGETS: Record<string, Target & { readonly title: string }> = {
  sqlite: { title: "SQLite in this process, and Durable Objects", dialect: localSqliteDialect },
  remote_sqlite: { title: "sqld, Turso and D1", dialect: remoteSqliteDialect },
  postgres: {
    title: "PostgreSQL",
    dialect: postgresDialect,
    notification: (wake) => `SELECT pg_notify('belfry_wake', '${wake}')`,
  },
};

/** The text of one file. */
class Page {
  readonly #file: string;
  readonly #names: Map<string, Named>;
  readonly #written = new Set<string>();
  readonly #lines: string[];

  constructor(file: string, title: string, names: Map<string, Named>) {
    this.#file = file;
    this.#names = names;
    this.#lines = [`-- ${file} on ${title}; written by test/sql/snapshots.test.ts`];
  }

  section(title: string): void {
    if (title !== "") this.#lines.push("", `-- ---------- ${title} ----------`);
  }

  /** Statements in order. */
  batch(queries: readonly Query[]): void {
    for (const [i, { sql, when, unless }] of queries.entries()) {
      if (when && when !== queries[i - 1]?.when) this.#note(`only where ${this.#nameOf(when.sql)} finds a row:`);
      const notes = sql.each === null ? [] : [`once for each row of :${sql.each}`];
      if (unless) notes.push(`not where ${this.#nameOf(unless.query.sql)} changed as many rows as were asked for`);
      this.statement(sql.text, sql.names, notes);
    }
  }

  statement(text: string, names: readonly string[], notes: readonly string[]): void {
    const name = this.#names.get(text)?.name ?? null;
    const home = name === null ? null : homeOf(name);
    if (this.#written.has(text) || (home !== null && home !== this.#file)) {
      const where = home !== null && home !== this.#file ? `, see ${home}.sql` : ", as above";
      this.#note(`${name ?? `${format(text).split("\n")[0]!} ...`}${where}`);
      return;
    }
    this.#written.add(text);
    this.#lines.push("");
    if (name !== null) this.#lines.push(`-- ${name}`);
    for (const note of notes) this.#lines.push(`-- ${note}`);
    if (names.length > 0) this.#lines.push(...wrapped(names.map((parameter, i) => `${i + 1} ${parameter}`)));
    this.#lines.push(`${format(text)};`);
  }

  /** A line of its own, close to other such lines. */
  #note(text: string): void {
    if (!this.#lines.at(-1)!.startsWith("--")) this.#lines.push("");
    this.#lines.push(`-- ${text}`);
  }

  #nameOf(sql: Sql): string {
    return this.#names.get(sql.text)?.name ?? sql.text;
  }

  get text(): string {
    return `${this.#lines.join("\n")}\n`;
  }
}

/** Comment lines of at most 100 characters. */
function wrapped(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last !== undefined && `${last}, ${item}`.length <= 100) lines[lines.length - 1] = `${last}, ${item}`;
    else lines.push(`--   ${item}`);
  }
  return lines;
}

for (const [folder, target] of Object.entries(TARGETS)) {
  const names = namesOf(target.dialect, target.notification);

  test.each(Object.keys(OPERATIONS))(`%s() on ${folder} sends the SQL of its snapshot`, async (operation) => {
    const page = new Page(operation, target.title, names);
    for (const [title, call] of Object.entries(OPERATIONS[operation]!)) {
      page.section(title);
      const { batches, returned } = await record(target, call);
      for (const queries of batches) page.batch(queries);
      if (batches.length === 0) for (const { sql } of returned as Statement[]) page.statement(sql, [], []);
    }
    await expect(page.text).toMatchFileSnapshot(`snapshots/${folder}/${operation}.sql`);
  });

  test(`what follows from the end of jobs on ${folder} is the SQL of its snapshot`, async () => {
    const page = new Page("effects", target.title, names);
    for (const { name, sql } of names.values()) {
      if (homeOf(name) === "effects") page.statement(sql.text, sql.names, []);
    }
    await expect(page.text).toMatchFileSnapshot(`snapshots/${folder}/effects.sql`);
  });
}

test("the layout of a snapshot changes nothing but white space", () => {
  const bare = (text: string): string => text.replace(/\s+/g, "");
  for (const target of Object.values(TARGETS)) {
    for (const { sql } of namesOf(target.dialect, target.notification).values()) {
      expect(bare(format(sql.text))).toBe(bare(sql.text));
    }
  }
});

test("every method of the storage that sends SQL has a snapshot", () => {
  const own = Object.getOwnPropertyDescriptors(SqlStorage.prototype);
  const methods = Object.keys(own).filter((name) => name !== "constructor" && name !== "close" && !own[name]!.get);
  expect(Object.keys(OPERATIONS).sort()).toEqual([...methods, "enqueueStatements"].sort());
});

test.each(Object.keys(OPERATIONS))(
  "%s() on a libSQL file sends what sqld gets, but for the time",
  async (operation) => {
    const textsOn = async (target: Target, call: (typeof OPERATIONS)[string][string]): Promise<string[]> => {
      const { batches } = await record(target, call);
      return batches.flat().map(({ sql }) => sql.text.replace(/, CAST\(unixepoch.* AS time/, ""));
    };
    for (const call of Object.values(OPERATIONS[operation]!)) {
      const remote = await textsOn({ dialect: remoteSqliteDialect }, call);
      const file = await textsOn({ dialect: sqliteDialect }, call);
      expect(file).toEqual(remote.filter((text) => !text.startsWith("SELECT CAST(unixepoch")));
    }
  },
);
