/** One call of every kind, for tests of query plans and of lost replies. */
import type { Storage } from "../../src/storage/port.ts";
import { claiming, create, firing, instant, job, saving, schedule } from "./races/rows.ts";

/**
 * Makes every kind of call once, always with the same names and instants.
 *
 * @returns the answers that a second send repeats
 */
export async function everyCall(storage: Storage): Promise<Record<string, unknown>> {
  const now = instant(0);
  await storage.migrate({ now });
  await create(storage, now, schedule("s", now, { watchesJobs: true }));
  await create(storage, now, schedule("o", now, { owner: "o" }));
  const tick = await storage.beginTick({ holder: "h", token: null, now, ttlMs: 1, maxDue: 9, resignIfIdle: true });
  const firings = [{ ...firing("s", 1, now, "fired"), cancelUnfinished: true }];
  const lease = { holder: "h", token: tick.lease!.token };
  const fired = await storage.fire({ op: "f", now, lease, firings, resign: true });
  const limit = { key: "l", concurrency: 1, rate: { count: 9, perMs: 9 } };
  const jobs = [job("a", now, { limit }), job("b", now, { key: "k" }), job("c", now), job("d", now, { parentId: "c" })];
  const enqueued = await storage.enqueue({ op: "e", now, jobs });
  const queue = jobs[0]!.queue;
  await storage.putQueues({ now, queues: [{ name: queue, paused: false, concurrency: 9, rate: limit.rate }] });
  const first = await storage.claim(claiming("t", now, { limit: 9, tasks: ["race"] }));
  const second = await storage.claim(claiming("u", now, { limit: 9, queues: [queue, "other"] }));
  const renewed = await storage.renew({ now, claimMs: 1, claims: [{ id: "a", token: "t" }] });
  const step = {
    jobId: "c",
    name: "s",
    kind: "step",
    state: "done",
    seq: 0,
    tries: 1,
    attempt: 1,
    output: "1",
  } as const;
  const rest = { error: null, wakeAt: null, childId: null, signalKey: null, startedAt: now, finishedAt: now };
  const steps = [{ ...step, ...rest }];
  const saved = await storage.save(
    saving("v", now, [
      { id: "c", token: "t", steps, forget: ["x"], children: [job("e", now, { parentId: "c", limit })] },
      { id: "b", token: "t", transition: { to: "waiting", availableAt: null, arrivals: 0 } },
      { id: "a", token: "t", transition: { to: "completed", result: "1" } },
    ]),
  );
  const piggyback = claiming("w", now, { queues: ["piggyback"] });
  const arriving = [job("r", now, { queue: "piggyback" })];
  const enqueues = await storage.enqueue({ op: "y", now, jobs: arriving, claim: piggyback });
  const begins = { id: "r", token: "w", children: [job("rc", now, { queue: "piggyback", parentId: "r" })] };
  const waits = { ...begins, transition: { to: "waiting", availableAt: null, arrivals: 0 } as const };
  const saves = await storage.save({ ...saving("z", now, [waits]), claim: { ...piggyback, token: "q" } });
  await storage.signal({ now, signals: [{ jobId: "b", name: "n", key: "k", payload: "1" }] });
  const cancelled = await storage.cancel({ op: "x", now, ids: ["c"], error: "{}" });
  const retried = await storage.retry({ op: "r", now, jobs: [{ id: "c", forget: ["s"], notes: null }] });
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
  await storage.listSchedules({ state: "broken", limit: 9 });
  await storage.listOccurrences({ schedule: "s", limit: 9 });
  const purged = { now, finishedBefore: now, failedBefore: now, occurrencesBefore: now, limit: 9 };
  await storage.purge(purged);
  await storage.stats({ now });
  await storage.exportPage({ cursor: null, limit: 9 });
  return {
    fired: [fired.leads, fired.fired, fired.jobs],
    enqueued: enqueued.jobs,
    claimed: [first, second].map(({ jobs }) => jobs.map(({ id, attempt, claims }) => ({ id, attempt, claims }))),
    renewed: renewed.kept,
    saved: saved.saved,
    piggybacked: [enqueues, saves].map(({ claimed }) => claimed!.jobs.map(({ id, claimToken }) => [id, claimToken])),
    cancelled: cancelled.sort(),
    retried,
  };
}
