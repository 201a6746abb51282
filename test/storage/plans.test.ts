/**
 * Does any statement walk through a table that grows? The plans of all that the port sends, on sqld's SQLite (3.45) and on
 * that of Node, which plan differently.
 *
 * Found so: on 3.45 each claim and each save walked through all stored jobs, looking for children of what had ended; and
 * maintenance walked through all schedules, looking for broken ones.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { createClient } from "@libsql/client";
import { beforeEach, expect, inject, it } from "vitest";
import { type LibsqlClient, libsql } from "../../adapters/libsql.ts";
import { everything } from "./everything.ts";

/** Statements that look for broken schedules where there is nothing but those. */
const broken: string[] = [];
beforeEach(() => broken.splice(0));

/** A client that explains each statement before its batch runs, and notes those that walk through a table. */
function explaining(client: LibsqlClient & { execute(statement: unknown): Promise<unknown> }, walks: Set<string>) {
  return new Proxy(client, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (name !== "batch") return typeof value === "function" ? value.bind(target) : value;
      return async (statements: { sql: string; args: SQLInputValue[] }[], mode: "write" | "read") => {
        const answer = await target.batch(statements as never, mode);
        for (const { sql, args } of statements) {
          if (!/^(WITH|SELECT|UPDATE|DELETE|INSERT)/.test(sql)) continue;
          const plan = (await target.execute({ sql: `EXPLAIN QUERY PLAN ${sql}`, args })) as unknown as {
            rows: ArrayLike<unknown>[];
          };
          for (const row of plan.rows) {
            note(String(row[3]), sql, walks);
            if (String(row[3]).includes("belfry_schedules_broken")) broken.push(sql);
          }
        }
        return answer;
      };
    },
  });
}

/** Notes a walk through jobs, steps, signals, occurrences or schedules that no index bounds. */
function note(detail: string, sql: string, walks: Set<string>): void {
  const [, name] = /^SCAN (\w+)$/.exec(detail) ?? [];
  // People and metrics ask for the depths; they count the schedules.
  if (name === undefined || sql.startsWith("SELECT state, count(*) AS schedules")) return;
  const table = new RegExp(`belfry_(jobs|steps|signals|occurrences|schedules)( AS ${name}\\b)`).test(sql);
  const plain = /^belfry_(jobs|steps|signals|occurrences|schedules)$/.test(name);
  if (table || plain) walks.add(`${detail}: ${sql}`);
}

it("no statement walks through a table on sqld's SQLite", async () => {
  const client = createClient({ url: inject("sqldUrl") });
  const walks = new Set<string>();
  const storage = libsql(explaining(client as never, walks) as never, { prefix: "belfry_" });
  await everything(storage);
  client.close();
  expect([...walks]).toEqual([]);
  expect(broken).toHaveLength(1);
});

it("no statement walks through a table on Node's SQLite", async () => {
  const database = new DatabaseSync(":memory:");
  const walks = new Set<string>();
  const execute = async (statement: string | { sql: string; args: SQLInputValue[] }) => {
    const { sql, args } = typeof statement === "string" ? { sql: statement, args: [] } : statement;
    const prepared = database.prepare(sql);
    prepared.setReturnArrays(true);
    const columns = prepared.columns().map(({ name }) => name);
    return { columns, rows: prepared.all(...args) as unknown as ArrayLike<unknown>[], rowsAffected: 0 };
  };
  const client = {
    protocol: "file",
    execute,
    batch: async (statements: { sql: string; args: SQLInputValue[] }[]) => {
      const answers = [];
      for (const statement of statements) answers.push(await execute(statement));
      return answers;
    },
  };
  await everything(libsql(explaining(client as never, walks) as never));
  database.close();
  expect([...walks]).toEqual([]);
  expect(broken).toHaveLength(1);
});
