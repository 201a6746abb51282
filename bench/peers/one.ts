/** One peer fires 10,000 due schedules, in a process of its own: prints JSON. See `main.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Pool } from "pg";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";
import type { SqlStorage } from "../../src/sql/storage.ts";
import { startPostgres } from "../../test/engines/postgres.ts";

const COUNT = Number(process.env["PEERS_SCHEDULES"] ?? 10_000);
/** Nobody waits longer for a peer; what it has fired by then is told. */
const PATIENCE_MS = 240_000;

/** What was fired, in what time. */
interface Fired {
  fired: number;
  ms: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Watches a count until it is full or patience ends. @param since instant of the first due, on `Date.now` */
async function watch(since: number, count: () => Promise<number>): Promise<Fired> {
  for (;;) {
    const fired = await count();
    const ms = Date.now() - since;
    if (fired >= COUNT || ms > PATIENCE_MS) return { fired, ms };
    await pause(20);
  }
}

/** The next full minute that leaves so much time. */
async function untilMinute(): Promise<number> {
  const at = Math.ceil(Date.now() / 60_000) * 60_000;
  while (Date.now() < at) await pause(Math.min(1000, at - Date.now()));
  return at;
}

/** Belfry: schedules that became due while nothing ran, and one tick. */
async function belfryOn(storage: SqlStorage): Promise<Fired> {
  const belfry = new Belfry({ storage });
  const task = belfry.task("nothing", async () => undefined);
  await belfry.schedule("pattern", "0 0 1 1 *", task);
  const [pattern] = await storage.listSchedules({ names: ["pattern"], limit: 1 });
  const nextAt = Date.now() - 60_000;
  for (let i = 0; i < COUNT; i += 1000) {
    const puts = Array.from({ length: Math.min(1000, COUNT - i) }, (_, j) => ({
      revision: null,
      record: { ...pattern!, name: `schedule ${i + j}`, nextAt },
      jobs: [],
      occurrences: [],
    }));
    await storage.putSchedules({ op: `put ${i}`, now: Date.now(), puts, removes: [], owner: null });
  }
  const start = performance.now();
  const { fired } = await belfry.tick({ work: false });
  const ms = performance.now() - start;
  await belfry.close();
  return { fired, ms };
}

async function plainjob(folder: string): Promise<Fired> {
  const { better, defineQueue, defineWorker } = await import("plainjob");
  const database = new DatabaseSync(join(folder, "plain.db"));
  // What it asks of better-sqlite3, on the SQLite that Node has.
  const client = {
    name: "plain.db",
    pragma: (text: string) => database.exec(`PRAGMA ${text}`),
    exec: (text: string) => database.exec(text),
    prepare: (text: string) => database.prepare(text),
    transaction: (work: (...args: unknown[]) => unknown) => {
      const run = (...args: unknown[]): unknown => {
        database.exec("BEGIN");
        const result = work(...args);
        database.exec("COMMIT");
        return result;
      };
      return Object.assign(run, { immediate: run, deferred: run, exclusive: run });
    },
    close: () => database.close(),
  };
  const silent = { error() {}, warn() {}, info() {}, debug() {} };
  const queue = defineQueue({ connection: better(client as never), logger: silent });
  for (let i = 0; i < COUNT; i++) queue.schedule(`type ${i}`, { cron: "0 0 1 1 *" });
  const worker = defineWorker("none", () => undefined, { queue, logger: silent });
  const start = Date.now();
  const running = worker.start();
  // A worker that never yields to timers is asked through its own queue.
  const fired = await watch(start, async () => queue.countJobs());
  await worker.stop();
  await running;
  return fired;
}

async function graphileWorker(url: string): Promise<Fired> {
  const { parseCronItems, run } = await import("graphile-worker");
  const parsedCronItems = parseCronItems(
    Array.from({ length: COUNT }, (_, i) => ({ task: "none", match: "* * * * *", identifier: `schedule ${i}` })),
  );
  const pool = new Pool({ connectionString: url, max: 10 });
  const runner = await run({ pgPool: pool, taskList: { other: () => undefined }, parsedCronItems });
  const at = await untilMinute();
  const count = async (): Promise<number> => {
    const { rows } = await pool.query<{ n: string }>("SELECT count(*) AS n FROM graphile_worker._private_jobs");
    return Number(rows[0]!.n);
  };
  const fired = await watch(at, count);
  await runner.stop();
  await pool.end();
  return fired;
}

async function pgBoss(url: string): Promise<Fired> {
  const { PgBoss } = await import("pg-boss");
  const boss = new PgBoss({ connectionString: url, cronMonitorIntervalSeconds: 1, cronWorkerIntervalSeconds: 1 });
  boss.on("error", () => undefined);
  await boss.start();
  await boss.createQueue("none");
  const minute = (Math.ceil((Date.now() + 90_000) / 60_000) * 60_000) as number;
  const cron = `${new Date(minute).getUTCMinutes()} * * * *`;
  for (let i = 0; i < COUNT; i += 10) {
    const ten = Array.from({ length: Math.min(10, COUNT - i) }, (_, j) => j);
    await Promise.all(ten.map((j) => boss.schedule("none", cron, {}, { key: `schedule-${i + j}` })));
  }
  const pool = new Pool({ connectionString: url, max: 1 });
  while (Date.now() < minute) await pause(200);
  const fired = await watch(minute, async () => {
    const { rows } = await pool.query<{ n: string }>("SELECT count(*) AS n FROM pgboss.job WHERE name = 'none'");
    return Number(rows[0]!.n);
  });
  await pool.end();
  await boss.stop({ graceful: false });
  return fired;
}

/** BullMQ's schedules become their next job when one starts: a worker that does nothing takes part. */
async function bullmq(url: string): Promise<Fired> {
  const { Queue, Worker } = await import("bullmq");
  const { hostname, port } = new URL(url);
  const connection = { host: hostname, port: Number(port) };
  const queue = new Queue("none", { connection });
  const minute = Math.ceil((Date.now() + 60_000) / 60_000) * 60_000;
  const pattern = `${new Date(minute).getUTCMinutes()} * * * *`;
  for (let i = 0; i < COUNT; i += 50) {
    const fifty = Array.from({ length: Math.min(50, COUNT - i) }, (_, j) => j);
    await Promise.all(fifty.map((j) => queue.upsertJobScheduler(`schedule ${i + j}`, { pattern, tz: "UTC" })));
  }
  let fired = 0;
  const worker = new Worker("none", async () => void fired++, { connection, concurrency: 100 });
  while (Date.now() < minute) await pause(200);
  const result = await watch(minute, async () => fired);
  await worker.close(true);
  await queue.close();
  return result;
}

const [name, url = ""] = process.argv.slice(2) as [string, string?];
const folder = mkdtempSync(join(tmpdir(), "belfry-peers-"));

async function onPostgres(work: (url: string) => Promise<Fired>): Promise<Fired> {
  const server = await startPostgres({ durable: true });
  try {
    return await work(server.url);
  } finally {
    await server.dispose();
  }
}

const PEERS: Record<string, () => Promise<Fired>> = {
  "belfry-sqlite": () => belfryOn(sqlite(join(folder, "app.db"))),
  "belfry-postgres": () =>
    onPostgres(async (address) => {
      const pool = new Pool({ connectionString: address, max: 10 });
      const fired = await belfryOn(postgres(pool));
      await pool.end();
      return fired;
    }),
  plainjob: () => plainjob(folder),
  "graphile-worker": () => onPostgres(graphileWorker),
  "pg-boss": () => onPostgres(pgBoss),
  bullmq: () => bullmq(url),
};
const fired = await PEERS[name]!();
rmSync(folder, { recursive: true });
process.stdout.write(`${JSON.stringify(fired)}\n`);
process.exit(0);
