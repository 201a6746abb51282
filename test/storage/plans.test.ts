/**
 * Does any statement walk through a table that grows? The plans of all that the port sends, on sqld's SQLite (3.45) and on
 * that of Node, which plan differently.
 *
 * Found so: on 3.45 each claim and each save walked through all stored jobs, looking for children of what had ended.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { createClient } from "@libsql/client";
import { expect, inject, it } from "vitest";
import { type LibsqlClient, libsql } from "../../adapters/libsql.ts";
import type { Storage } from "../../src/storage.ts";
import { claiming, create, firing, instant, job, saving, schedule } from "./races/rows.ts";

/** Sends every kind of batch once. */
async function everything(storage: Storage): Promise<void> {
  const now = instant(0);
  await storage.migrate({ now });
  await create(storage, now, schedule("s", now, { watchesJobs: true }));
  await create(storage, now, schedule("o", now, { owner: "o" }));
  const tick = await storage.beginTick({ holder: "h", token: null, now, ttlMs: 1, maxDue: 9, resignIfIdle: true });
  const firings = [{ ...firing("s", 1, now, "fired"), cancelUnfinished: true }];
  const lease = { holder: "h", token: tick.lease!.token };
  await storage.fire({ op: "f", now, lease, firings, resign: true });
  const limit = { key: "l", concurrency: 1, rate: { count: 9, perMs: 9 } };
  const jobs = [job("a", now, { limit }), job("b", now, { key: "k" }), job("c", now), job("d", now, { parentId: "c" })];
  await storage.enqueue({ op: "e", now, jobs });
  const queue = jobs[0]!.queue;
  await storage.putQueues({ now, queues: [{ name: queue, paused: false, concurrency: 9, rate: limit.rate }] });
  await storage.claim(claiming("t", now, { limit: 9, tasks: ["race"] }));
  await storage.claim(claiming("u", now, { limit: 9, queues: [queue, "other"] }));
  await storage.renew({ now, claimMs: 1, claims: [{ id: "a", token: "t" }] });
  const step = { jobId: "c", name: "s", kind: "step", state: "done", seq: 0, attempt: 1, output: "1" } as const;
  const steps = [{ ...step, error: null, wakeAt: null, ref: null, startedAt: now, finishedAt: now }];
  await storage.save(
    saving("v", now, [
      { id: "c", token: "t", steps, forget: ["x"], children: [job("e", now, { parentId: "c", limit })] },
      { id: "b", token: "t", transition: { to: "waiting", availableAt: null, wakes: 0 } },
      { id: "a", token: "t", transition: { to: "completed", result: "1" } },
    ]),
  );
  await storage.signal({ now, signals: [{ jobId: "b", name: "n", key: "k", payload: "1" }] });
  await storage.cancel({ op: "x", now, ids: ["c"], error: "{}" });
  await storage.retry({ op: "r", now, jobs: [{ id: "c", forget: ["s"] }] });
  await storage.getJob({ id: "c" });
  for (const filter of [{ queue }, { task: "race" }, { states: ["failed" as const] }]) {
    await storage.listJobs({ ...filter, limit: 9 });
  }
  for (const filter of [{ schedule: "s" }, { parentId: "c" }, { task: "race", key: "k" }]) {
    await storage.listJobs({ ...filter, limit: 9 });
  }
  await storage.listSchedules({ after: "a", limit: 9 });
  await storage.listSchedules({ owner: "o", limit: 9 });
  await storage.listSchedules({ names: ["s"], limit: 9 });
  await storage.listOccurrences({ schedule: "s", limit: 9 });
  const purged = { now, finishedBefore: now, failedBefore: now, occurrencesBefore: now, limit: 9 };
  await storage.purge(purged);
  await storage.stats({ now });
  await storage.exportPage({ cursor: null, limit: 9 });
}

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
          for (const row of plan.rows) note(String(row[3]), sql, walks);
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
});
