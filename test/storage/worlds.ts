/**
 * How does each case get an empty database on a server that all share? From the case before: tables that were made once
 * are emptied again, with what the migrations put in. Making and dropping a dozen tables took longer than a case.
 *
 * A world is emptied whatever became of its case; cases side by side have worlds of their own.
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

/** Databases that go from case to case. */
export class Worlds<World> {
  readonly #idle: World[] = [];
  readonly #all: World[] = [];
  readonly #make: () => World | Promise<World>;
  readonly #empty: (world: World) => Promise<void>;

  constructor(parts: { make: () => World | Promise<World>; empty: (world: World) => Promise<void> }) {
    this.#make = parts.make;
    this.#empty = parts.empty;
  }

  /** Takes one that is empty; makes it where none is idle. */
  async take(): Promise<World> {
    const idle = this.#idle.pop();
    if (idle) return idle;
    const made = await this.#make();
    this.#all.push(made);
    return made;
  }

  /** Empties one and gives it back. */
  async give(world: World): Promise<void> {
    await this.#empty(world);
    this.#idle.push(world);
  }

  /** Ends all of them. */
  async end(end: (world: World) => unknown): Promise<void> {
    for (const world of this.#all) await end(world);
  }
}
