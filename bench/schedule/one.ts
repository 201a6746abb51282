/** Measures one variant and prints its figures as JSON. Started by main.ts. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { sqlite } from "../../adapters/sqlite.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { Belfry } from "../../src/belfry.ts";
import { defineSchedule, type ScheduleSpec } from "../../src/schedule/define.ts";
import type { Storage } from "../../src/storage/port.ts";
import { Scheduler } from "../../src/tick/scheduler.ts";

const folder = await mkdtemp(join(tmpdir(), "belfry-bench-"));
const path = join(folder, "belfry.db");
type Figures = Record<string, number>;

async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** Counts the calls of a storage. */
function counted(storage: Storage): { storage: Storage; trips: () => number } {
  let trips = 0;
  const proxy = new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        trips++;
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return { storage: proxy, trips: () => trips };
}

/** A clock whose wall time stands where it is put. */
function standing(at: number): Clock & { at: number } {
  const clock = { ...systemClock, at, now: () => clock.at };
  return clock;
}

/** 500 different expressions in 8 zones: what a large system looks like. */
function list(count: number): ScheduleSpec[] {
  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "Asia/Kolkata",
  ];
  return Array.from({ length: count }, (_, i) => ({
    name: `schedule-${i}`,
    expression: `${i % 60} ${Math.floor(i / 60) % 9} * * *`,
    task: "report",
    options: { input: { userId: i }, timeZone: zones[i % zones.length]!, catchUp: "latest" as const },
  }));
}

async function sync(): Promise<Figures> {
  const { storage, trips } = counted(sqlite(path, { durability: "process" }));
  const belfry = new Belfry({ storage });
  const wanted = list(100_000);
  await belfry.engine.open();
  const before = trips();
  const syncFirst = await timed(() => belfry.sync(wanted, { owner: "bench", generation: 1 }));
  const syncFirstTrips = trips() - before;
  const again = await median(5, () => timed(() => belfry.sync(wanted, { owner: "bench", generation: 1 })));
  const from = trips();
  await belfry.sync(wanted, { owner: "bench", generation: 1 });
  const syncAgainTrips = trips() - from;
  const syncDefine = await timed(async () => {
    for (const spec of wanted) await defineSchedule(belfry.engine, spec);
  });
  const raw = new DatabaseSync(path);
  const read = raw.prepare("SELECT * FROM belfry_schedules WHERE owner = 'bench' ORDER BY name");
  const syncRaw = await median(5, () => timed(() => read.all()));
  await belfry.tick({ work: false });
  const idleTick = await median(50, () => timed(() => belfry.tick({ work: false })));
  await belfry.close();
  return { syncFirst, syncFirstTrips, syncAgain: again, syncAgainTrips, syncDefine, syncRaw, idleTick };
}

async function fire(durability: "process" | "disk"): Promise<Figures> {
  const start = Date.parse("2026-01-01T00:00:00Z");
  const clock = standing(start);
  const { storage, trips } = counted(sqlite(path, { durability }));
  const belfry = new Belfry({ storage, clock });
  const specs = list(10_000).map((spec) => ({
    ...spec,
    expression: "0 0 2 1 *",
    options: { ...spec.options, timeZone: "UTC" },
  }));
  await belfry.sync(specs, { owner: "bench" });
  clock.at = Date.parse("2026-01-02T00:00:00Z");
  await belfry.close();
  // The figure is of a process that starts, reads and fires: nothing is warm but the code.
  const again = counted(sqlite(path, { durability }));
  const fresh = new Belfry({ storage: again.storage, clock });
  await fresh.engine.open();
  const before = again.trips();
  let fired = 0;
  const took = await timed(async () => {
    ({ fired } = await fresh.tick({ work: false }));
  });
  if (fired !== 10_000) throw new Error(`${fired} fired`);
  void trips;
  const fireTrips = again.trips() - before;
  await fresh.close();
  return {
    [`fire ${durability}`]: took,
    [`fireTrips ${durability}`]: fireTrips,
    [`fireRaw ${durability}`]: await rawFire(durability),
  };
}

/** What the same rows cost without an engine: read 10,000 schedules, move them, insert as many jobs and outcomes, in tens. */
async function rawFire(durability: "process" | "disk"): Promise<number> {
  const source = new DatabaseSync(path);
  const copy = join(folder, "raw.db");
  source.exec(`VACUUM INTO '${copy}'`);
  source.close();
  const db = new DatabaseSync(copy);
  db.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === "disk" ? "FULL" : "NORMAL"}`);
  const columns = (table: string): string[] =>
    (db.prepare(`SELECT name FROM pragma_table_info('${table}')`).all() as { name: string }[]).map(({ name }) => name);
  const jobs = db.prepare("SELECT * FROM belfry_jobs").all();
  const outcomes = db.prepare("SELECT * FROM belfry_occurrences").all();
  db.exec("DELETE FROM belfry_jobs; DELETE FROM belfry_occurrences; PRAGMA wal_checkpoint(TRUNCATE)");
  const insert = (table: string) => {
    const names = columns(table);
    return {
      names,
      statement: db.prepare(`INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`),
    };
  };
  const job = insert("belfry_jobs");
  const outcome = insert("belfry_occurrences");
  const values = (names: string[], row: unknown) =>
    names.map((name) => (row as Record<string, string | number | null>)[name] ?? null);
  const read = db.prepare("SELECT * FROM belfry_schedules ORDER BY next_at, name LIMIT 1000 OFFSET ?");
  const move = db.prepare(
    "UPDATE belfry_schedules SET next_at = ?, fired = fired + 1, revision = revision + 1, last_at = ?, updated_at = ? WHERE name = ?",
  );
  return await timed(() => {
    for (let from = 0; from < 10_000; from += 1_000) {
      db.exec("BEGIN IMMEDIATE");
      const due = read.all(from) as { name: string; next_at: number }[];
      for (const { name, next_at } of due) move.run(next_at, next_at, next_at, name);
      for (const row of jobs.slice(from, from + 1_000)) job.statement.run(...values(job.names, row));
      for (const row of outcomes.slice(from, from + 1_000)) outcome.statement.run(...values(outcome.names, row));
      db.exec("COMMIT");
    }
  });
}

async function catchUp(): Promise<Figures> {
  const hours = Number(process.env["BENCH_MISSED_HOURS"] ?? 2);
  const start = Date.parse("2026-01-01T00:00:00Z");
  const clock = standing(start);
  const belfry = new Belfry({ storage: sqlite(path, { durability: "process" }), clock });
  for (let i = 0; i < 10; i++) await belfry.schedule(`s${i}`, "@every 1s", "report");
  for (let i = 0; i < 10; i++) {
    await belfry.schedule(`latest${i}`, "@every 1s", "report", { catchUp: "latest", paused: true });
    await belfry.schedule(`cron${i}`, "* * * * * *", "report", { catchUp: "latest", paused: true });
  }
  const occurrences = 10 * hours * 3600;
  clock.at = start + hours * 3_600_000;
  let fired = 0;
  let firstMb = 0;
  const took = await timed(async () => {
    for (let more = true; more; ) {
      const report = await belfry.tick({ work: false });
      fired += report.fired;
      more = report.more;
      if (firstMb === 0 && fired >= occurrences / 10) firstMb = memoryMb();
    }
  });
  if (fired !== occurrences) throw new Error(`${fired} of ${occurrences} fired`);
  const lastMb = memoryMb();
  for (let i = 0; i < 10; i++) await belfry.schedules.pause(`s${i}`);
  const drain = (kind: string): Promise<number> =>
    timed(async () => {
      for (let i = 0; i < 10; i++) await belfry.schedules.resume(`${kind}${i}`, { missed: "fire" });
      while ((await belfry.tick({ work: false })).more);
    });
  clock.at = start + 7 * 86_400_000;
  const [catchUpLatest, catchUpLatestCron] = [await drain("latest"), await drain("cron")];
  await belfry.close();
  return {
    catchUp: took,
    catchUpOccurrences: occurrences,
    catchUpFirstMb: firstMb,
    catchUpLastMb: lastMb,
    catchUpLatest,
    catchUpLatestCron,
  };
}

async function lateness(): Promise<Figures> {
  const belfry = new Belfry({ storage: sqlite(path) });
  const late: number[] = [];
  const stop = new AbortController();
  const seconds = Number(process.env["BENCH_SECONDS"] ?? 15);
  // Told after the commit: how late a worker could begin.
  belfry.on("schedule:fired", ({ at }) => {
    late.push(Date.now() - at);
    if (late.length > seconds) stop.abort();
  });
  await belfry.schedule("s", "* * * * * *", "report");
  await belfry.run({ signal: stop.signal, work: false });
  await belfry.close();
  const sorted = late.slice(1).sort((a, b) => a - b);
  return { latenessMedian: sorted[sorted.length >> 1]!, latenessP99: sorted.at(-1)! };
}

async function idle(): Promise<Figures> {
  const seconds = Number(process.env["BENCH_IDLE_SECONDS"] ?? 60);
  const storage = sqlite(path);
  const belfry = new Belfry({ storage });
  const far = list(10_000).map((spec) => ({ ...spec, expression: "0 0 1 1 *" }));
  await belfry.sync(far, { owner: "bench" });
  const { storage: watched, trips } = counted(storage);
  const scheduler = new Scheduler({ ...belfry.engine, storage: watched }, { leaseTtlMs: 15_000 });
  const stop = new AbortController();
  const running = scheduler.run(stop.signal);
  const noise = spawn(
    process.execPath,
    ["--no-warnings", fileURLToPath(new URL("noise.ts", import.meta.url)), path, "500"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await new Promise((resolve) => noise.stdout.once("data", resolve));
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const from = process.cpuUsage();
  const at = performance.now();
  const before = trips();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  const { user, system } = process.cpuUsage(from);
  const idleTicks = trips() - before;
  const idleCpu = (user + system) / 10 / (performance.now() - at);
  noise.kill();
  stop.abort();
  await running;
  await belfry.close();
  return { idleCpu, idleTicks, idleSeconds: seconds };
}

function memoryMb(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Math.round(process.memoryUsage().rss / 1_048_576);
}

async function median(times: number, measure: () => Promise<number>): Promise<number> {
  const list: number[] = [];
  for (let i = 0; i < times; i++) list.push(await measure());
  return list.sort((a, b) => a - b)[times >> 1]!;
}

const variants: Record<string, () => Promise<Figures>> = {
  sync,
  "fire-process": () => fire("process"),
  "fire-disk": () => fire("disk"),
  "catch-up": catchUp,
  lateness,
  idle,
};

try {
  console.log(JSON.stringify(await variants[process.argv[2]!]!()));
} finally {
  await rm(folder, { recursive: true, force: true });
}
