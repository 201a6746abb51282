/** Schedules that can never run say so: at registration where it can be known, in health, and as a number for metrics. */
import { describe, expect, test } from "vitest";
import { cancelJob } from "../../src/job/control.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { forecastSchedule } from "../../src/schedule/forecast.ts";
import { checkHealth } from "../../src/schedule/health.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { updateSchedule } from "../../src/schedule/register.ts";
import { syncSchedules } from "../../src/schedule/sync.ts";
import { type Bench, bench, DAY, HOUR, MINUTE, SECOND, START } from "./kit.ts";

/** Ticks as a platform does: once every so long, some seconds after the minute. */
async function trigger(b: Bench, everyMs: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await b.clock.advance(everyMs);
    await b.scheduler.tick({ oneShot: true });
  }
}

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

describe("registering warns", () => {
  const warnings = async (b: Bench, expression: string, options: ScheduleOptions): Promise<string[]> =>
    (await b.add("s", expression, options)).warnings;

  test.each<[string, string, ScheduleOptions, RegExp | null]>([
    [
      "every occurrence is excluded",
      "0 9 * * *",
      { exclude: ["2026-01-01/2026-12-31"], endAt: "2026-12-31" },
      /every occ/,
    ],
    [
      "years are excluded",
      "0 9 * * *",
      { exclude: ["2026-01-01/2029-12-31"] },
      /before 2030-01-01 09:00:00 UTC are excl/,
    ],
    ["one day is excluded", "0 9 * * *", { exclude: ["2026-01-01"] }, null],
    ["a yearly day is excluded once", "0 9 25 12 *", { exclude: ["2026-12-25"] }, null],
    ["a Date hits no occurrence", "0 9 * * *", { exclude: [new Date("2026-12-25")] }, /whole day write "2026-12-25"/],
    ["a Date hits one", "0 9 * * *", { exclude: [new Date("2026-12-25T09:00:00Z")] }, null],
    [
      "a Date hits none, in a zone",
      "0 9 * * *",
      { exclude: [new Date("2026-12-24T23:00:00Z")], timeZone: "Europe/Berlin" },
      /whole day write "2026-12-25"/,
    ],
    ["a range hits none", "0 9 * * *", { exclude: [{ from: "2026-12-25T10:00", to: "2026-12-25T12:00" }] }, null],
    ["the end lies behind", "0 9 * * *", { endAt: "2025-12-31" }, /no occurrence after now/],
  ])("%s", async (_, expression, options, says) => {
    const found = await warnings(bench(), expression, options);
    if (says === null) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringMatching(says)]);
  });

  test("of a maxFires that is used up, in sync too", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await trigger(b, MINUTE, 3);
    const says = expect.stringContaining("has fired 3 times and maxFires is 2");
    expect(await b.add("s", "* * * * *", { maxFires: 2 })).toMatchObject({ nextAt: null, warnings: [says] });
    expect(await b.add("s", "* * * * *", { maxFires: 2 })).toMatchObject({ status: "unchanged", warnings: [says] });
    const list = [{ name: "s", expression: "* * * * *", task: "work", options: { maxFires: 1 } }];
    expect((await syncSchedules(b.engine, list, { owner: "o" })).warnings).toMatchObject([
      { name: "s", warnings: [expect.stringContaining("maxFires is 1")] },
    ]);
    expect((await b.add("s", "* * * * *", { maxFires: 5 })).warnings).toEqual([]);
  });

  test("of policies shorter than the ticker's period, where this process has ticked at that period", async () => {
    const b = bench();
    const short = { expiresIn: "1m" };
    expect(await warnings(b, "* * * * *", short)).toEqual([]);
    await trigger(b, 5 * MINUTE, 3);
    expect(await warnings(b, "* * * * *", short)).toEqual([
      expect.stringContaining("expiresIn of 1m is shorter than the 5m between two ticks of this process"),
    ]);
    expect(await warnings(b, "* * * * *", { catchUp: "none" })).toEqual([
      expect.stringContaining('catchUp "none" drops what is more than 1m late'),
    ]);
    expect(await warnings(b, "* * * * *", { catchUp: { within: "2m" } })).toHaveLength(1);
    expect(await warnings(b, "* * * * *", { expiresIn: "10m", catchUp: { within: "10m" } })).toEqual([]);
    // A tick that comes soon after shows that the trigger is not that rare.
    await trigger(b, MINUTE, 1);
    expect(await warnings(b, "* * * * *", short)).toEqual([]);
  });

  test("of nothing of the kind where a loop ticks when something is due", async () => {
    const b = bench();
    await trigger(b, 5 * MINUTE, 5);
    const stop = new AbortController();
    const running = b.scheduler.run(stop.signal);
    await b.clock.settle();
    expect(await warnings(b, "* * * * *", { expiresIn: "1s" })).toEqual([]);
    stop.abort();
    await running;
  });

  test("forecast() knows the period that it is given", async () => {
    const spec = { name: "s", expression: "* * * * *", task: "work", options: { expiresIn: "10s" } };
    const range = { from: START, to: START + HOUR };
    expect((await forecastSchedule(spec, range)).warnings).toEqual([]);
    expect((await forecastSchedule(spec, { ...range, tickEvery: "1m" })).warnings).toEqual([
      expect.stringContaining("expiresIn of 10s is shorter than the 1m between two ticks"),
    ]);
  });
});

describe("an error of sync() names the schedule", () => {
  test.each([
    ["an expression", { expression: "61 * * * *" }, "CRON_SYNTAX", 'Cannot schedule "bad": cannot read the expression'],
    [
      "an option",
      { options: { catchup: "all" } },
      "OPTION_INVALID",
      'Cannot schedule "bad": no option is named "catchup"',
    ],
    ["a zone", { options: { timeZone: "Mars/Base" } }, "ZONE_UNKNOWN", 'Cannot schedule "bad"'],
    ["a task", { task: undefined }, "NAME_INVALID", 'Cannot schedule "bad"'],
    ["a name", { name: "" }, "NAME_INVALID", "entry 1 of the list"],
  ])("%s", async (_, change, code, says) => {
    const b = bench();
    const good = { name: "good", expression: "* * * * *", task: "work" };
    const list = [good, { ...good, name: "bad", ...change }] as Parameters<typeof syncSchedules>[1];
    const error = await syncSchedules(b.engine, list, { owner: "o" }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect(b.calls).toEqual([]);
  });

  test("an entry that is no schedule", async () => {
    const list = [null] as unknown as Parameters<typeof syncSchedules>[1];
    await expect(syncSchedules(bench().engine, list, { owner: "o" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("entry 0 of the list"),
    });
  });
});
