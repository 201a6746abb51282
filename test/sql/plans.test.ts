/**
 * Does any statement scan a table that grows? The query plans of everything that the port sends, on sqld's SQLite
 * (3.45) and on that of Node, which plan differently.
 *
 * This test found that on 3.45 each claim and each save scanned all stored jobs for children of ended jobs, and that
 * maintenance scanned all schedules for broken ones.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { createClient } from "@libsql/client";
import { beforeEach, expect, inject, it } from "vitest";
import { type LibsqlClient, libsql } from "../../adapters/libsql.ts";
import { everyCall } from "../storage/every_call.ts";

/** Statements that use the index of broken schedules. */
const broken: string[] = [];
beforeEach(() => broken.splice(0));

/** A client that asks for the plan of each statement of a batch, and notes those that scan a table. */
function explaining(client: LibsqlClient & { execute(statement: unknown): Promise<unknown> }, scans: Set<string>) {
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
            note(String(row[3]), sql, scans);
            if (String(row[3]).includes("belfry_schedules_broken")) broken.push(sql);
          }
        }
        return answer;
      };
    },
  });
}

/** Notes a scan of jobs, steps, signals, occurrences or schedules that no index bounds. */
function note(detail: string, sql: string, scans: Set<string>): void {
  const [, name] = /^SCAN (\w+)$/.exec(detail) ?? [];
  // stats() counts all schedules; only dashboards and metrics call it.
  if (name === undefined || sql.startsWith("SELECT state, count(*) AS schedules")) return;
  const table = new RegExp(`belfry_(jobs|steps|signals|occurrences|schedules)( AS ${name}\\b)`).test(sql);
  const plain = /^belfry_(jobs|steps|signals|occurrences|schedules)$/.test(name);
  if (table || plain) scans.add(`${detail}: ${sql}`);
}

it("no statement scans a table on sqld's SQLite", async () => {
  const client = createClient({ url: inject("sqldUrl") });
  const scans = new Set<string>();
  const storage = libsql(explaining(client as never, scans) as never, { prefix: "belfry_" });
  await everyCall(storage);
  client.close();
  expect([...scans]).toEqual([]);
  expect(broken).toHaveLength(1);
});

it("no statement scans a table on Node's SQLite", async () => {
  const database = new DatabaseSync(":memory:");
  const scans = new Set<string>();
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
  await everyCall(libsql(explaining(client as never, scans) as never));
  database.close();
  expect([...scans]).toEqual([]);
  expect(broken).toHaveLength(1);
});
