/**
 * How does each test get empty tables on a server that all share? From the test before: tables that were made once are
 * emptied again, down to the rows of the migrations. Making and dropping a dozen tables took longer than a test.
 *
 * Tables are emptied also when their test failed; tests that run side by side have tables of their own.
 */
import type { Dialect } from "../../src/sql/dialect.ts";
import { MIGRATIONS, TABLES } from "../../src/sql/schema.ts";

/** Statements that leave the tables of a prefix as a migration makes them. */
export function emptying(prefix: string, dialect: Dialect): string[] {
  const rows = MIGRATIONS.flatMap((migration) => migration.templates(dialect)).filter((sql) =>
    sql.startsWith("INSERT"),
  );
  return [
    // The version stays: the tables are there.
    ...TABLES.filter(({ name }) => name !== "meta").map(({ name }) => `DELETE FROM {${name}}`),
    ...rows,
  ].map((sql) => sql.replaceAll(/\{(\w+)\}/g, (_, name: string) => prefix + name));
}

/** Sets of tables that tests use one after the other. */
export class Reused<Tables> {
  readonly #idle: Tables[] = [];
  readonly #all: Tables[] = [];
  readonly #make: () => Tables | Promise<Tables>;
  readonly #empty: (tables: Tables) => Promise<void>;

  constructor(parts: { make: () => Tables | Promise<Tables>; empty: (tables: Tables) => Promise<void> }) {
    this.#make = parts.make;
    this.#empty = parts.empty;
  }

  /** Takes an empty set; makes one where none is idle. */
  async take(): Promise<Tables> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    const made = await this.#make();
    this.#all.push(made);
    return made;
  }

  /** Empties a set and gives it back. */
  async give(tables: Tables): Promise<void> {
    await this.#empty(tables);
    this.#idle.push(tables);
  }

  /** Ends all sets. */
  async end(end: (tables: Tables) => unknown): Promise<void> {
    for (const tables of this.#all) await end(tables);
  }
}
