/**
 * Do the promises hold for real processes? Six of them on one database, killed, stopped and continued at random.
 *
 * `node test/simulation/torture/main.ts --on sqlite|libsql|postgres [--minutes 10] [--seed 1]`: the driver keeps six players
 * alive, sends clients' wishes through an engine of its own (register, enqueue, signal, cancel), then lets everything
 * come to rest and judges the rows: each occurrence one job, none missing between the first and the last, every result
 * what its script must give, nothing unfinished; and the database's own integrity check.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Belfry } from "../../../src/belfry.ts";
import { delay, systemClock } from "../../../src/clock.ts";
import { silentLogger } from "../../../src/log.ts";
import type { JobRecord, Storage } from "../../../src/storage.ts";
import { seededRandom } from "../../../src/testing/random.ts";
import { drawScript, judgeResult, type Op, waitsOf } from "../../../src/testing/simulation/script.ts";
import { startPostgres } from "../../engines/postgres.ts";
import { startSqld } from "../../engines/sqld.ts";
import { openStorage } from "./open.ts";

const { values } = parseArgs({
  options: {
    on: { type: "string", default: "sqlite" },
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
  },
});
const PLAYERS = 6;
const SCHEDULES: Readonly<Record<string, number>> = { "@every 1s": 1000, "*/2 * * * * *": 2000, "@every 3s": 3000 };

const random = seededRandom(Number(values.seed));
const wait = (ms: number): Promise<boolean> => delay(systemClock, ms);

async function openDatabase(): Promise<{ where: string; check: () => string; dispose: () => Promise<void> }> {
  if (values.on === "libsql") {
    const engine = await startSqld();
    return { where: `libsql:${engine.url}`, check: () => "ok", dispose: () => engine.dispose() };
  }
  if (values.on === "postgres") {
    const engine = await startPostgres({ durable: true });
    return { where: `postgres:${engine.url}`, check: () => "ok", dispose: () => engine.dispose() };
  }
  const folder = mkdtempSync(join(tmpdir(), "belfry-torture-"));
  const path = join(folder, "a.db");
  const check = (): string => {
    const database = new DatabaseSync(path);
    const [row] = database.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
    database.close();
    return row!.integrity_check;
  };
  return { where: `sqlite:${path}`, check, dispose: async () => rmSync(folder, { recursive: true, force: true }) };
}

const players: ChildProcess[] = [];
const tally = { killed: 0, stopped: 0, enqueued: 0, signals: 0, cancelled: 0, refused: 0 };
let over = false;

function play(place: number, where: string): void {
  const program = fileURLToPath(new URL("player.ts", import.meta.url));
  const player = spawn(process.execPath, [program, where], { stdio: ["ignore", "ignore", "inherit"] });
  players[place] = player;
  player.on("exit", () => {
    if (!over) play(place, where);
  });
}

/** Kills, stops and continues players. */
async function torment(until: number): Promise<void> {
  while (performance.now() < until) {
    await wait(200 + random.below(1500));
    const player = random.pick(players);
    if (random.chance(0.5)) {
      tally.killed++;
      player.kill("SIGKILL");
    } else {
      tally.stopped++;
      player.kill("SIGSTOP");
      // Sometimes for longer than leases and claims last.
      await wait(random.chance(0.3) ? 3500 : random.below(1000));
      player.kill("SIGCONT");
    }
  }
}

/** What clients wish; an engine of its own that neither ticks nor works. */
async function wish(belfry: Belfry, until: number): Promise<void> {
  const known: [string, Op[]][] = [];
  while (performance.now() < until) {
    await wait(random.below(300));
    try {
      const dice = random.below(10);
      if (dice < 6 || known.length === 0) {
        const script = drawScript(random, 1);
        const job = await belfry.enqueue("play", script, random.chance(0.2) ? { key: `k${random.below(50)}` } : {});
        if (job.created) known.push([job.id, script]);
        tally.enqueued++;
      } else if (dice < 8) {
        const [id, script] = random.pick(known);
        for (const name of waitsOf(script)) {
          await belfry.signal(id, name, `signal ${name}`);
          tally.signals++;
        }
      } else if (dice < 9) {
        tally.cancelled += (await belfry.cancel(random.pick(known)[0])).length;
      } else {
        // Registering again what is there must change nothing.
        for (const expression of Object.keys(SCHEDULES)) await register(belfry, expression);
      }
    } catch {
      tally.refused++;
    }
  }
}

async function register(belfry: Belfry, expression: string): Promise<void> {
  await belfry.schedule(expression, expression, "play", {
    input: [{ op: "step", name: "only", ms: 1, fails: 0, tries: 1, timeoutMs: null }],
  });
}

async function allJobs(storage: Storage): Promise<JobRecord[]> {
  const jobs: JobRecord[] = [];
  for (let before: string | undefined; ; ) {
    const page = await storage.listJobs({ limit: 500, ...(before === undefined ? {} : { before }) });
    jobs.push(...page);
    if (page.length < 500) return jobs;
    before = page.at(-1)!.id;
  }
}

/** Judges what is stored. @returns what is wrong */
async function judge(storage: Storage, jobs: readonly JobRecord[]): Promise<string[]> {
  const wrong: string[] = [];
  const fired = new Map<string, string>();
  for (const job of jobs) {
    if (!["completed", "failed", "cancelled", "expired"].includes(job.state))
      wrong.push(`job ${job.id} is ${job.state}`);
    if (job.state === "completed") {
      const fault = judgeResult(job.id, JSON.parse(job.input) as Op[], JSON.parse(job.result!));
      if (fault !== null) wrong.push(`job ${job.id}: ${fault}`);
    }
    if (job.schedule === null) continue;
    const occurrence = `${job.schedule} @ ${job.scheduledAt}`;
    if (fired.has(occurrence)) wrong.push(`${occurrence} has two jobs: ${fired.get(occurrence)}, ${job.id}`);
    fired.set(occurrence, job.id);
  }
  for (const [name, everyMs] of Object.entries(SCHEDULES)) {
    const outcomes = await storage.listOccurrences({ schedule: name, limit: 1_000_000 });
    for (const [i, { at, jobId }] of outcomes.entries()) {
      const before = outcomes[i - 1];
      if (before && at - before.untilAt !== everyMs) wrong.push(`${name}: nothing between ${before.untilAt} and ${at}`);
      if (jobId !== null && fired.get(`${name} @ ${at}`) !== jobId)
        wrong.push(`${name} @ ${at}: its job ${jobId} is not stored`);
    }
    if (outcomes.length === 0) wrong.push(`${name} never fired`);
  }
  return wrong;
}

const { where, check, dispose } = await openDatabase();
const { storage, close } = openStorage(where);
const belfry = new Belfry({ storage, logger: silentLogger, onError: () => {} });
for (const expression of Object.keys(SCHEDULES)) await register(belfry, expression);
for (let i = 0; i < PLAYERS; i++) play(i, where);
// Torment begins when all of it runs.
const fires = async (name: string): Promise<boolean> =>
  (await storage.listOccurrences({ schedule: name, limit: 1 })).length > 0;
for (const name of Object.keys(SCHEDULES)) while (!(await fires(name))) await wait(100);
const until = performance.now() + Number(values.minutes) * 60_000;
await Promise.all([torment(until), wish(belfry, until)]);

// Rest: no more torment, no new occurrences; what was begun comes to its end.
for (const expression of Object.keys(SCHEDULES)) await belfry.pause(expression);
const patience = performance.now() + 180_000;
let jobs = await allJobs(storage);
while (jobs.some(({ state }) => ["ready", "running", "waiting"].includes(state)) && performance.now() < patience) {
  await wait(1000);
  jobs = await allJobs(storage);
}
over = true;
for (const player of players) player.kill("SIGKILL");
const wrong = await judge(storage, jobs);
const integrity = check();
if (integrity !== "ok") wrong.push(`integrity: ${integrity}`);
const scheduled = jobs.filter(({ schedule }) => schedule !== null).length;
console.log({
  on: values.on,
  minutes: Number(values.minutes),
  ...tally,
  jobs: jobs.length,
  scheduled,
  integrity,
  wrong: wrong.slice(0, 20),
});
await close();
await dispose();
process.exit(wrong.length === 0 ? 0 : 1);
