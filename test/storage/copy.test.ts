/**
 * Does copyStorage() lose or double anything? A running installation is copied between the memory model, SQLite and
 * Postgres, and goes on from the same state.
 */
import { describe, expect, inject, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { COPIED_NOTE, copyStorage } from "../../src/storage/copy.ts";
import type { Storage } from "../../src/storage/port.ts";
import { newJob, newSchedule, T0 } from "../../src/testing/conformance/rig.ts";
import { FakeClock } from "../../src/testing/mod.ts";
import { freshSchema } from "../engines/databases.ts";

const openers: Record<string, () => Promise<{ storage: Storage; dispose: () => Promise<void> }>> = {
  memory: async () => ({ storage: memory(), dispose: async () => undefined }),
  sqlite: async () => {
    const storage = sqlite(":memory:");
    return { storage, dispose: () => storage.close() };
  },
  postgres: async () => {
    const schema = await freshSchema(inject("postgresUrl"));
    return { storage: postgres(schema.pool()), dispose: () => schema.dispose() };
  },
};

async function claim(storage: Storage, token: string, now: number): Promise<string[]> {
  const { jobs } = await storage.claim({
    token,
    worker: "w",
    queues: ["q"],
    tasks: null,
    limit: 9,
    now,
    claimMs: 1000,
  });
  return jobs.map(({ id }) => id);
}

/** Schedules, a held, a delayed, a keyed and a waiting job with a step, and a lease at token 3. */
async function furnish(storage: Storage): Promise<void> {
  await storage.migrate({ now: T0 });
  const record = (name: string, state: "active" | "paused") => ({
    revision: null,
    record: newSchedule(name, { state, nextAt: T0 + 5000, note: state === "paused" ? "by hand" : null }),
    jobs: [],
    occurrences: [],
  });
  const puts = [record("runs", "active"), record("rests", "paused")];
  await storage.putSchedules({ op: "put", now: T0, puts, removes: [], owner: null });
  for (let i = 0; i < 3; i++) {
    await storage.beginTick({
      holder: `h${i}`,
      token: null,
      now: T0 + i * 10,
      ttlMs: 10,
      maxDue: 1,
      resignIfIdle: false,
    });
  }
  const limit = { key: "one", concurrency: 1, rate: null };
  const jobs = [
    newJob("waits"),
    newJob("first", { limit }),
    newJob("held", { limit }),
    newJob("later", { availableAt: T0 + 60_000 }),
    newJob("keyed", { key: "k", availableAt: T0 + 60_000 }),
  ];
  await storage.enqueue({ op: "put", now: T0, jobs });
  await claim(storage, "t", T0);
  const step = {
    jobId: "waits",
    name: "load",
    kind: "step" as const,
    state: "done" as const,
    seq: 0,
    tries: 1,
    attempt: 1,
    output: "42",
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: T0,
    finishedAt: T0,
  };
  const write = { token: "t", forget: [], children: [] };
  await storage.save({
    op: "save",
    now: T0,
    claimMs: 1000,
    writes: [
      { ...write, id: "waits", steps: [step], transition: { to: "waiting", availableAt: null, arrivals: 0 } },
      { ...write, id: "first", steps: [], transition: { to: "ready", availableAt: T0, resuming: true, error: null } },
    ],
  });
}

describe.each([
  ["memory", "sqlite"],
  ["sqlite", "postgres"],
  ["postgres", "memory"],
])("copyStorage() from %s to %s", (source, target) => {
  test("copyStorage() moves a running installation, which goes on in the copy and stays paused in the original", async () => {
    const from = await openers[source]!();
    const to = await openers[target]!();
    await furnish(from.storage);
    const report = await copyStorage(from.storage, to.storage, { clock: new FakeClock(T0 + 100) });
    expect(report).toMatchObject({ schedules: 1, rows: { schedules: 2, jobs: 5, steps: 1 } });

    const [rests, runs] = await to.storage.listSchedules({ limit: 9 });
    expect(runs).toMatchObject({ name: "runs", state: "active", note: null, nextAt: T0 + 5000 });
    expect(rests).toMatchObject({ name: "rests", state: "paused", note: "by hand" });
    // In the original nothing fires, and no job is claimed.
    const tick = { holder: "x", token: null, now: T0 + 9000, ttlMs: 1000, maxDue: 9, resignIfIdle: false };
    expect((await from.storage.beginTick(tick)).due).toEqual([]);
    expect(await claim(from.storage, "old", T0 + 9000)).toEqual([]);
    expect((await from.storage.listSchedules({ names: ["runs"], limit: 1 }))[0]).toMatchObject({ note: COPIED_NOTE });
    // In the copy both happen, and its tokens go on from those of the original.
    const led = await to.storage.beginTick(tick);
    expect(led.due.map(({ name }) => name)).toEqual(["runs"]);
    expect(led.lease!.token).toBe(4);
    expect(await claim(to.storage, "new", T0 + 9000)).toEqual(["first"]);
    expect(await to.storage.enqueue({ op: "again", now: T0, jobs: [newJob("other", { key: "k" })] })).toMatchObject({
      jobs: [{ id: "keyed", created: false }],
    });
    await to.storage.signal({ now: T0 + 9000, signals: [{ jobId: "waits", name: "go", key: "1", payload: "1" }] });
    const { jobs } = await to.storage.claim({
      token: "woken",
      worker: "w",
      queues: ["q"],
      tasks: null,
      limit: 9,
      now: T0 + 9000,
      claimMs: 1000,
    });
    expect(jobs).toMatchObject([{ id: "waits", attempt: 1, steps: [{ name: "load", output: "42" }] }]);
    await from.dispose();
    await to.dispose();
  });
});

test("copyStorage() waits for running jobs, and resumes the original when they do not end", async () => {
  const [from, to] = [memory(), memory()];
  const clock = new FakeClock(T0);
  await from.migrate({ now: T0 });
  await from.putSchedules({
    op: "p",
    now: T0,
    puts: [{ revision: null, record: newSchedule("s"), jobs: [], occurrences: [] }],
    removes: [],
    owner: null,
  });
  await from.enqueue({ op: "e", now: T0, jobs: [newJob("a"), newJob("b")] });
  await from.claim({ token: "t", worker: "w", queues: ["q"], tasks: null, limit: 1, now: T0, claimMs: 60_000 });
  const copied = copyStorage(from, to, { clock, drain: "2s" }).then(
    () => "copied",
    (error: Error) => error,
  );
  for (let i = 0; i < 10; i++) {
    await clock.advance(250);
  }
  expect(await copied).toMatchObject({
    code: "STORAGE_BUSY",
    message: expect.stringMatching(/1 jobs still run.*a \(task\)/),
  });
  expect((await from.listSchedules({ limit: 1 }))[0]).toMatchObject({ state: "active", note: null });
  expect(await claim(from, "t2", T0 + 3000)).toEqual(["b"]);
  expect(await to.listJobs({ limit: 9 })).toEqual([]);
});

test("copyStorage() refuses when something is written meanwhile", async () => {
  const [from, to] = [memory(), memory()];
  await from.migrate({ now: T0 });
  await from.enqueue({ op: "e", now: T0, jobs: [newJob("a")] });
  const onProgress = (table: string): void => {
    if (table === "jobs") void from.enqueue({ op: "late", now: T0, jobs: [newJob("late")] });
  };
  await expect(copyStorage(from, to, { onProgress, clock: new FakeClock(T0) })).rejects.toMatchObject({
    code: "STORAGE_BUSY",
    message: expect.stringMatching(/stop what enqueues and signals/),
  });
});

test("copyStorage() that is called again after it was killed leaves nothing paused in the copy", async () => {
  const [from, to] = [memory(), memory()];
  await furnish(from);
  // A copy that was killed leaves everything paused, and half of the rows copied.
  await copyStorage(from, memory(), { clock: new FakeClock(T0 + 100) });
  await copyStorage(from, to, { clock: new FakeClock(T0 + 200) });
  expect((await to.listSchedules({ names: ["runs"], limit: 1 }))[0]).toMatchObject({ state: "active" });
  expect((await to.listQueues()).every(({ paused }) => !paused)).toBe(true);
});

test("copyStorage() refuses a target that has other schedules or jobs", async () => {
  const [from, to] = [memory(), memory()];
  await to.migrate({ now: T0 });
  await to.enqueue({ op: "e", now: T0, jobs: [newJob("stranger")] });
  await expect(copyStorage(from, to, { clock: new FakeClock(T0) })).rejects.toMatchObject({
    code: "SCHEMA_INVALID",
    message: expect.stringMatching(/the job stranger.*empty one/),
  });
});
