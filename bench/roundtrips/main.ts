/**
 * What does Belfry cost its storage? Round trips, rows read and rows written, counted, per idle tick, per occurrence that
 * fires and per job with n steps, on SQLite, sqld over HTTP, D1 (miniflare) and Postgres.
 *
 * One one-shot tick in 32 that worked also tidies up, by chance: two round trips more. Chance is fixed here, so that no row
 * has them.
 * The engine itself is run (`tick`), beside 100,000 schedules that are not due. Prints a table for the README; ends with 1
 * where a goal is missed: an idle tick is 1 round trip and reads at most 3 rows, a firing tick 2, a claim with history 1.
 *
 *     npm run bench -- roundtrips [schedules, 100000 by default] [engine ...]
 */
import { Belfry } from "../../mod.ts";
import { createIds } from "../../src/base/id.ts";
import type { ScheduleRecord } from "../../src/storage/port.ts";
import { ENGINES, type Engine, type Work } from "./engines.ts";

const CHUNK = 500;
const [text = "100000", ...chosen] = process.argv.slice(2);
const registered = Number(text);
/** The first of each only warms up: Postgres prepares statements when it first sees them. */
const FIRING = [2, 1, 100, 500];
const STEPS = [2, 0, 1, 10];

interface Measured {
  engine: string;
  what: string;
  work: Work;
}

type Counting = (what: string, work: () => Promise<void>) => Promise<void>;

async function put(engine: Engine, records: ScheduleRecord[], revision: number | null): Promise<void> {
  for (let i = 0; i < records.length; i += CHUNK) {
    await engine.storage.putSchedules({
      op: `put ${revision} ${i} ${records[i]!.name}`,
      now: Date.now(),
      puts: records.slice(i, i + CHUNK).map((record) => ({ revision, record, jobs: [], occurrences: [] })),
      removes: [],
      owner: null,
    });
  }
}

async function measure(engine: Engine): Promise<Measured[]> {
  const measured: Measured[] = [];
  const count: Counting = async (what, work) => {
    const before = await engine.work();
    await work();
    const after = await engine.work();
    const less = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a - b);
    if (what.endsWith(" 2") || what.endsWith(" 2 steps")) return;
    measured.push({
      engine: engine.name,
      what,
      work: {
        trips: after.trips - before.trips,
        read: less(after.read, before.read),
        written: less(after.written, before.written),
      },
    });
  };

  const ids = createIds(
    (bytes) => crypto.getRandomValues(bytes),
    () => 0,
  );
  const belfry = new Belfry({ storage: engine.storage, concurrency: 1, ids });
  const nothing = belfry.task("nothing", async () => 1);
  const steps = belfry.task("steps", async (ctx, { count: asked }: { count: number }) => {
    for (let i = 0; i < asked; i++) await ctx.step(`step ${i}`, () => i);
    return asked;
  });
  await belfry.schedule("pattern", "0 0 1 1 *", nothing);
  const [pattern] = await engine.storage.listSchedules({ names: ["pattern"], limit: 1 });
  const copies = Array.from({ length: registered }, (_, i) => ({ ...pattern!, name: `later ${i}` }));
  await put(engine, copies, null);
  // The first tick also looks after what is old.
  await belfry.tick();

  await count("idle tick", async () => {
    const { fired, ran } = await belfry.tick();
    if (fired + ran !== 0) throw new Error("The tick was not idle");
  });
  for (const due of FIRING) {
    const records = Array.from({ length: due }, (_, i) => ({
      ...pattern!,
      name: `due ${due} ${i}`,
      // An hour ago, whatever the expression says.
      nextAt: Date.now() - 3_600_000,
    }));
    await put(engine, records, null);
    await count(`tick that fires ${due}`, async () => {
      const { fired } = await belfry.tick({ work: false });
      if (fired !== due) throw new Error(`${fired} of ${due} fired`);
    });
    // Out of the way of the jobs that are measured.
    const { storage } = engine;
    for (;;) {
      const jobs = await storage.listJobs({ states: ["ready"], task: "nothing", limit: 100 });
      if (jobs.length === 0) break;
      const ids = jobs.map(({ id }) => id);
      await storage.cancel({ op: `clear ${ids[0]}`, now: Date.now(), ids, error: "{}" });
    }
  }
  let handle = await belfry.enqueue(steps, { count: 2 });
  while ((await belfry.tick()).ran === 0);
  await count("enqueue of a job", async () => {
    handle = await belfry.enqueue(steps, { count: 0 });
  });
  await handle.cancel();
  for (const asked of STEPS) {
    await belfry.enqueue(steps, { count: asked });
    // Where the server's clock counts, a job of this very millisecond may be the next tick's.
    await new Promise((resolve) => setTimeout(resolve, 50));
    await count(`tick that runs a job of ${asked} steps`, async () => {
      const { ran } = await belfry.tick();
      if (ran !== 1) throw new Error(`${ran} ran`);
    });
  }
  await claimWithHistory(engine, await belfry.enqueue(nothing).then(({ id }) => id), count);
  await belfry.close();
  return measured;
}

/** The batch that a worker sends for a job of ten finished steps. */
async function claimWithHistory(engine: Engine, id: string, count: Counting): Promise<void> {
  const { storage } = engine;
  const claim = (token: string) =>
    storage.claim({ token, worker: "w", queues: ["default"], tasks: null, limit: 1, now: Date.now(), claimMs: 30_000 });
  await claim("first");
  const now = Date.now();
  const steps = Array.from({ length: 10 }, (_, seq) => ({
    jobId: id,
    name: `step ${seq}`,
    kind: "step" as const,
    state: "done" as const,
    seq,
    tries: 1,
    attempt: 1,
    output: String(seq),
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: now,
    finishedAt: now,
  }));
  const transition = { to: "ready", availableAt: now, resuming: true, error: null } as const;
  const write = { id, token: "first", steps, forget: [], children: [], transition };
  await storage.save({ op: "ten steps", now, claimMs: 30_000, writes: [write] });
  await count("claim of a job with 10 steps of history", async () => {
    const { jobs } = await claim("second");
    if (jobs[0]?.steps.length !== 10) throw new Error("The history did not come");
  });
}

const all: Measured[] = [];
const names = chosen.length > 0 ? chosen : Object.keys(ENGINES);
for (const name of names) {
  const engine = await ENGINES[name]!();
  try {
    all.push(...(await measure(engine)));
  } finally {
    await engine.dispose();
  }
}

const engines = [...new Set(all.map(({ engine }) => engine))];
const shown = ({ trips, read, written }: Work): string => `${trips} / ${read ?? "–"} / ${written ?? "–"}`;
console.log(
  `Round trips / rows read / rows written, beside ${registered.toLocaleString("en")} schedules that are not due:\n`,
);
console.log(`| | ${engines.join(" | ")} |\n|---|${engines.map(() => "--:|").join("")}`);
for (const what of new Set(all.map((one) => one.what))) {
  const cells = engines.map((name) => shown(all.find((one) => one.engine === name && one.what === what)!.work));
  console.log(`| ${what} | ${cells.join(" | ")} |`);
}

const missed = all.filter(({ what, work }) => {
  if (what === "idle tick") return work.trips !== 1 || (work.read ?? 0) > 3;
  if (what.startsWith("tick that fires")) return work.trips !== 2;
  return what.startsWith("claim of a job") && work.trips !== 1;
});
for (const { engine, what, work } of missed) console.log(`\nGoal missed on ${engine}: ${what} ${shown(work)}`);
process.exitCode = missed.length > 0 ? 1 : 0;
