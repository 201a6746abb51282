/**
 * Do the promises hold for real processes? Six of them on one database, killed, stopped and continued at random.
 *
 * `node test/simulation/torture/main.ts --on sqlite|libsql|postgres [--minutes 10] [--seed 1]`: keeps six players running,
 * sends requests of clients through an engine of its own (register, enqueue, signal, cancel), then lets all work finish and
 * checks three things: the rows (`judge_rows.ts`), the order of events that the players saw (`judge_log.ts`), and the
 * database's own integrity (`databases.ts`). It prints counts and violations; exit code 1 when there are any.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { delay, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry } from "../../../src/belfry.ts";
import type { ScheduleOptions } from "../../../src/schedule/options.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { seededRandom } from "../../../src/testing/random.ts";
import { drawScript, type Op, waitsOf } from "../simulator/script.ts";
import { openDatabase, type TorturedDatabase } from "./databases.ts";
import { judgeLog, type LogReport } from "./judge_log.ts";
import { judgeRows, type KnownSchedule, type Rows, readRows } from "./judge_rows.ts";
import { openStorage } from "./open.ts";
import { readSideLog } from "./side_log.ts";

const { values } = parseArgs({
  options: {
    on: { type: "string", default: "sqlite" },
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    keep: { type: "boolean", default: false },
  },
});
const PLAYERS = 6;
const QUIESCE_MS = 180_000;
const STUCK_MS = 20_000;

const step = (name: string, ms: number): Op => ({ op: "step", name, ms, fails: 0, tries: 1, timeoutMs: null });
const SCHEDULES: Readonly<Record<string, KnownSchedule & { options: ScheduleOptions; script: Op[] }>> = {
  "@every 1s": { everyMs: 1000, skips: false, anchored: true, options: {}, script: [step("only", 1)] },
  "*/2 * * * * *": { everyMs: 2000, skips: false, anchored: false, options: {}, script: [step("only", 1)] },
  "@every 3s": {
    everyMs: 3000,
    skips: false,
    anchored: true,
    options: { jitter: "1s" },
    script: [step("first", 5), { op: "sleep", name: "settle", ms: 300 }, step("second", 5)],
  },
  // Its job takes longer than its period now and then: overlapping occurrences are skipped.
  "*/4 * * * * *": {
    everyMs: 4000,
    skips: true,
    anchored: false,
    options: { timeZone: "Europe/Berlin", overlap: "skip" },
    script: [step("load", 50), { op: "wait", name: "never sent", ms: 3000 }, step("send", 50)],
  },
  // After a gap only the newest fires.
  "@every 5s": {
    everyMs: 5000,
    skips: true,
    anchored: true,
    options: { catchUp: "latest" },
    script: [{ op: "invoke", name: "child", script: [step("inner", 20)] }],
  },
};

const random = seededRandom(Number(values.seed));
const wait = (ms: number): Promise<boolean> => delay(systemClock, ms);
const folder = mkdtempSync(join(tmpdir(), "belfry-side-log-"));
const log = join(folder, "notes");
const players: ChildProcess[] = [];
const tally = { killed: 0, stopped: 0, enqueued: 0, signals: 0, cancelled: 0, registered: 0, refused: 0, restarts: 0 };
/** What the storage acknowledged to clients. */
const acknowledged = {
  jobs: new Set<string>(),
  keys: new Map<string, string>(),
  cancelled: new Set<string>(),
  signals: [] as [string, string, string][],
};
let over = false;
/** When all work must have finished. */
let giveUpAt = Number.POSITIVE_INFINITY;

function play(place: number, where: string): void {
  const program = fileURLToPath(new URL("player.ts", import.meta.url));
  const player = spawn(process.execPath, [program, where, log], { stdio: ["ignore", "ignore", "inherit"] });
  players[place] = player;
  player.on("exit", () => {
    if (!over) play(place, where);
  });
}

/** Kills, stops and continues players. */
async function injectFaults(until: number): Promise<void> {
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

/** Sends requests of clients, through an engine that neither ticks nor works. */
async function playClients(belfry: Belfry, until: number): Promise<void> {
  const known: [string, Op[]][] = [];
  for (let round = 0; performance.now() < until; round++) {
    await wait(random.below(300));
    try {
      const dice = random.below(10);
      if (dice < 6 || known.length === 0) {
        const script = drawScript(random, 1);
        const key = random.chance(0.2) ? `k${random.below(50)}` : undefined;
        const job = await belfry.enqueue("play", script, key === undefined ? {} : { key });
        if (job.created) known.push([job.id, script]);
        acknowledged.jobs.add(job.id);
        if (key !== undefined) acknowledged.keys.set(key, job.id);
        tally.enqueued++;
      } else if (dice < 8) {
        // Mostly a job that is still waiting, sometimes one that has ended.
        const waiting = known.filter(([, script]) => waitsOf(script).length > 0).slice(-4);
        if (waiting.length === 0) continue;
        const [id, script] = random.pick(waiting);
        for (const name of waitsOf(script)) {
          const key = `signal ${round}`;
          await belfry.job(id).signal(name, `signal ${name}`, { key });
          acknowledged.signals.push([id, name, key]);
          tally.signals++;
        }
      } else if (dice < 9) {
        for (const id of await belfry.job(random.pick(known.slice(-5))[0]).cancel()) {
          acknowledged.cancelled.add(id);
          tally.cancelled++;
        }
      } else {
        // Registering the same definition again must change nothing: the log of outcomes would show a gap.
        for (const name of Object.keys(SCHEDULES)) await register(belfry, name);
        tally.registered++;
      }
    } catch {
      tally.refused++;
    }
  }
}

/**
 * Restarts a server that has not replied for long. sqld 0.24.32 stops replying when clients die in the middle of requests:
 * its threads spin on its write lock for ever, even when all clients are gone.
 */
async function watch(database: TorturedDatabase, storage: Storage): Promise<void> {
  while (!over && database.restart) {
    const answered = storage.listQueues().then(
      () => true,
      () => true,
    );
    if (await Promise.race([answered, wait(STUCK_MS).then(() => false)])) {
      await wait(2000);
      continue;
    }
    tally.restarts++;
    await database.restart();
  }
}

async function register(belfry: Belfry, name: string): Promise<void> {
  const { options, script } = SCHEDULES[name]!;
  await belfry.schedule(name, name, "play", { ...options, input: script });
}

/** Tries until it works: the server may be down for a moment. */
async function untilAnswered<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
      await wait(500);
    }
  }
}

async function unfinished(storage: Storage): Promise<boolean> {
  return (await storage.listJobs({ states: ["ready", "running", "waiting"], limit: 1 })).length > 0;
}

/** Checks what only rows and notes together show. */
function compare(rows: Rows, notes: LogReport): string[] {
  const violations: string[] = [];
  const jobs = new Map((rows["jobs"] ?? []).map((row) => [String(row["id"]), row]));
  const done = new Set(
    (rows["steps"] ?? []).filter((row) => row["state"] === "done").map((row) => `${row["job_id"]} ${row["name"]}`),
  );
  for (const [id, state] of notes.ended) {
    const stored = jobs.get(id)?.["state"];
    if (stored !== state) violations.push(`job ${id} ended as ${state} and is ${stored}`);
  }
  for (const [id, names] of notes.done) {
    for (const name of names.keys())
      if (!done.has(`${id} ${name}`)) violations.push(`step "${name}" of ${id} was saved and is not stored`);
  }
  for (const [id, fence] of notes.fences) {
    const claims = Number(jobs.get(id)?.["claims"]);
    if (!(claims >= fence)) violations.push(`job ${id} was claimed ${fence} times and counts ${claims}`);
  }
  return violations;
}

const database = await openDatabase(values.on);
const { storage, close } = openStorage(database.where);
const belfry = new Belfry({ storage, logger: silentLogger, onError: () => {} });
for (const name of Object.keys(SCHEDULES)) await register(belfry, name);
for (let i = 0; i < PLAYERS; i++) play(i, database.where);
// Faults begin when every schedule has fired.
const fires = async (name: string): Promise<boolean> =>
  (await storage.listOccurrences({ schedule: name, limit: 1 })).length > 0;
for (const name of Object.keys(SCHEDULES)) while (!(await fires(name))) await wait(100);
const watching = watch(database, storage);
const until = performance.now() + Number(values.minutes) * 60_000;
await Promise.all([injectFaults(until), playClients(belfry, until)]);

giveUpAt = performance.now() + QUIESCE_MS;
// No more faults, no new occurrences: all work must finish.
for (const name of Object.keys(SCHEDULES)) await untilAnswered(() => belfry.schedules.pause(name));
while ((await untilAnswered(() => unfinished(storage))) && performance.now() < giveUpAt) await wait(1000);
over = true;
for (const player of players) player.kill("SIGKILL");
await watching;

const rows = await readRows(storage);
const notes = judgeLog(readSideLog(log));
await close();
const integrity = await database.check();
const violations = [
  ...judgeRows(rows, SCHEDULES, acknowledged),
  ...notes.violations,
  ...compare(rows, notes),
  ...integrity.violations.map((said) => `integrity: ${said}`),
];
const outcomes = rows["occurrences"] ?? [];
console.log({
  on: values.on,
  minutes: Number(values.minutes),
  seed: Number(values.seed),
  ...tally,
  jobs: rows["jobs"]?.length,
  fired: outcomes.filter((row) => row["job_id"] !== null).length,
  skipped: outcomes.reduce((sum, row) => sum + (row["job_id"] === null ? Number(row["count"]) : 0), 0),
  steps: rows["steps"]?.length,
  started: notes.started,
  resumed: notes.resumed,
  replayed: notes.replayed,
  terms: notes.terms,
  integrity: integrity.checked,
  violations: violations.length,
  found: violations.slice(0, 20),
});
await database.dispose();
if (values.keep) console.log(`notes: ${log}`);
else rmSync(folder, { recursive: true, force: true });
process.exit(violations.length === 0 ? 0 : 1);
