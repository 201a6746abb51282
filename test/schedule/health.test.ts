/** What health finds: the ticker, rows, clocks, and schedules that only skip. */

import { describe, expect, test } from "vitest";
import { cancelJob } from "../../src/job/control.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { checkHealth } from "../../src/schedule/health.ts";
import { updateSchedule } from "../../src/schedule/register.ts";
import { type Bench, bench, DAY, HOUR, MINUTE, SECOND, START, trigger } from "./kit.ts";

async function skipping(b: Bench, options?: Parameters<typeof checkHealth>[1]): Promise<[string | null, string][]> {
  const { problems } = await checkHealth(b.engine, options);
  return problems.filter(({ code }) => code === "only-skips").map(({ schedule, message }) => [schedule, message]);
}

/** A job of the schedule that has begun and now waits. */
async function suspend(b: Bench, availableAt: number | null): Promise<string> {
  const token = b.engine.ids.token();
  const now = b.clock.now();
  const request = { token, worker: "w", queues: ["default"], tasks: null, limit: 1, now, claimMs: 30_000 };
  const { jobs } = await b.storage.claim(request);
  const { id } = jobs[0]!;
  const transition = { to: "waiting" as const, availableAt, arrivals: 0 };
  const writes = [{ id, token, steps: [], forget: [], children: [], transition }];
  await b.storage.save({ op: b.engine.ids.token(), now, claimMs: 30_000, writes });
  return id;
}

describe("health()", () => {
  test("is ok when all is well", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    expect(await checkHealth(b.engine, { deep: true })).toMatchObject({
      ok: true,
      problems: [],
      nextAt: START + HOUR,
      lagMs: 0,
      schedules: { active: 1 },
    });
  });

  test("names a missing ticker, a lagging one, broken rows, those that paused themselves", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    await b.add("failing", "0 * * * *", { pauseAfterFailures: 1 });
    await b.clock.advance(2 * HOUR);
    expect((await checkHealth(b.engine)).problems).toMatchObject([
      { code: "no-ticker", message: expect.stringContaining("due for 1h and no process ticks") },
    ]);
    await b.scheduler.tick();
    await b.finish("failing", "failed");
    const [record] = await b.storage.listSchedules({ names: ["s"], limit: 1 });
    const put = {
      revision: record!.revision,
      record: { ...record!, definition: '{"newer":1}' },
      jobs: [],
      occurrences: [],
    };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    expect(
      (await checkHealth(b.engine, { deep: true })).problems.map(({ code, schedule }) => [code, schedule]),
    ).toEqual([
      ["failing", "failing"],
      ["broken", "s"],
    ]);
    await b.clock.advance(2 * HOUR);
    await b.scheduler.tick();
    const { problems, ok } = await checkHealth(b.engine);
    expect(ok).toBe(false);
    expect(problems.find(({ code }) => code === "broken")!.message).toContain(
      'the field "newer", which this version of Belfry does not know',
    );
  });

  test("names an active schedule with no next occurrence", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    const [record] = await b.storage.listSchedules({ limit: 1 });
    const put = { revision: record!.revision, record: { ...record!, nextAt: null }, jobs: [], occurrences: [] };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    expect((await checkHealth(b.engine)).problems).toMatchObject([{ code: "stopped", schedule: "s" }]);
  });

  test("names a schedule that is silent because a clock ran ahead; nothing of that time is lost or fires twice", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(MINUTE);
    await b.scheduler.tick({ oneShot: true });
    b.clock.jump(HOUR);
    await b.scheduler.tick({ oneShot: true });
    b.clock.jump(-HOUR);
    // The hour's occurrences have fired, early; none of them is lost, none fires again, and the next real one fires.
    expect((await b.log("s")).length).toBe(61);
    // health names the schedule and for how long it will be silent.
    expect((await checkHealth(b.engine, { deep: true })).problems).toMatchObject([
      { code: "ahead", schedule: "s", message: expect.stringContaining("up to 1h from now") },
    ]);
    for (let minute = 0; minute < 70; minute++) {
      await b.clock.advance(MINUTE);
      await b.scheduler.tick({ oneShot: true });
    }
    expect((await b.jobs("s")).map((job) => job.scheduledAt).reverse()).toEqual(
      Array.from({ length: 71 }, (_, i) => START + (i + 1) * MINUTE),
    );
  });
});

describe("health() names a schedule that only skips", () => {
  test("expiresIn shorter than the ticker's period: found too late each time", async () => {
    const b = bench();
    await b.clock.advance(20 * SECOND);
    await b.add("s", "*/5 * * * *", { expiresIn: "10s" });
    await trigger(b, MINUTE, 10);
    expect(await skipping(b)).toEqual([]);
    await trigger(b, MINUTE, 10);
    expect(await b.jobs("s")).toEqual([]);
    expect(await skipping(b)).toEqual([
      ["s", expect.stringContaining("the last one 20s after its time, and expiresIn is 10s")],
    ]);
    expect(await checkHealth(b.engine)).toMatchObject({ ok: false, onlySkips: 1 });
    await updateSchedule(b.engine, "s", { expiresIn: "1m" });
    expect(await checkHealth(b.engine)).toMatchObject({ ok: true, onlySkips: 0 });
    await trigger(b, MINUTE, 5);
    expect(await b.jobs("s")).toHaveLength(1);
  });

  test("catchUp none under a trigger of five minutes", async () => {
    const b = bench();
    await b.clock.advance(20 * SECOND);
    await b.add("s", "2 * * * *", { catchUp: "none" });
    await trigger(b, 5 * MINUTE, 40);
    expect(await skipping(b)).toEqual([["s", expect.stringContaining('Take catchUp "latest"')]]);
  });

  test("everything that is left is excluded", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *", { exclude: ["2026-01-01/2026-12-31"], endAt: "2026-12-31" });
    expect(await skipping(b)).toEqual([]);
    expect(await skipping(b, { deep: true })).toEqual([
      ["s", expect.stringContaining("Every occurrence that is left")],
    ]);
    await trigger(b, DAY, 4);
    expect(await skipping(b)).toEqual([["s", expect.stringContaining("nothing fired the last 4 times")]]);
  });

  test("a break of two weeks is none, one that lasts for years is", async () => {
    const b = bench();
    await b.add("break", "0 * * * *", { exclude: ["2026-01-01/2026-01-14"] });
    await b.add("years", "0 * * * *", { exclude: ["2026-01-01/2029-12-31"] });
    await trigger(b, HOUR, 12);
    expect(await checkHealth(b.engine, { deep: true })).toMatchObject({ onlySkips: 2 });
    const named = await skipping(b, { deep: true });
    expect(named).toEqual([["years", expect.stringContaining("before 2030-01-01 00:00:00 UTC are excluded")]]);
  });

  test("overlap skip behind a job that waits for ever, until that job is cancelled", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { overlap: "skip" });
    await trigger(b, MINUTE, 1);
    const id = await suspend(b, null);
    await trigger(b, MINUTE, 2);
    expect(await skipping(b)).toEqual([]);
    await trigger(b, MINUTE, 1);
    expect(await skipping(b)).toEqual([["s", expect.stringContaining(`job ${id}, which waits for a signal without`)]]);
    await cancelJob(b.engine, id);
    await trigger(b, MINUTE, 1);
    expect(await checkHealth(b.engine)).toMatchObject({ ok: true, onlySkips: 0 });
  });

  test("overlap skip behind a job that no worker takes", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { overlap: "skip" });
    await trigger(b, MINUTE, 4);
    expect(await skipping(b)).toEqual([["s", expect.stringContaining('no worker takes from queue "default"')]]);
  });

  test("not behind a job that runs, sleeps or waits with a timeout", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { overlap: "skip" });
    await trigger(b, MINUTE, 1);
    await suspend(b, START + DAY);
    await trigger(b, MINUTE, 20);
    expect(await checkHealth(b.engine)).toMatchObject({ ok: true, onlySkips: 1 });
    const token = b.engine.ids.token();
    await b.add("r", "* * * * *", { overlap: "skip" });
    await trigger(b, MINUTE, 1);
    const claim = { token, worker: "w", queues: ["default"], tasks: null, limit: 1, now: b.clock.now(), claimMs: HOUR };
    expect((await b.storage.claim(claim)).jobs).toHaveLength(1);
    await trigger(b, MINUTE, 20);
    expect(await checkHealth(b.engine)).toMatchObject({ ok: true, onlySkips: 2 });
  });

  test("not after an outage, however many occurrences one tick skipped, nor while it is still being decided", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { expiresIn: "30s" });
    await b.clock.advance(10 * HOUR + 45 * SECOND);
    await b.scheduler.tick({ oneShot: true });
    expect((await b.log("s")).length).toBe(1);
    expect(await checkHealth(b.engine, { deep: true })).toMatchObject({ ok: true, onlySkips: 0 });
    expect(await b.storage.listSchedules({ limit: 1 })).toMatchObject([{ skips: 1 }]);
    await b.clock.advance(15 * SECOND);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.storage.listSchedules({ limit: 1 })).toMatchObject([{ skips: 0 }]);
  });

  test("pausing and resuming counts nothing", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { expiresIn: "30s" });
    await b.clock.advance(45 * SECOND);
    await trigger(b, 2 * MINUTE, 5);
    expect(await skipping(b)).toHaveLength(1);
    await pauseSchedule(b.engine, "s");
    expect(await checkHealth(b.engine)).toMatchObject({ ok: true, onlySkips: 0 });
    expect(await resumeSchedule(b.engine, "s")).toMatchObject({ skips: 0 });
  });
});
