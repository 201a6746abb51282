/** What registering warns of: schedules that can never run, and options that contradict how it is driven. */

import { describe, expect, test } from "vitest";
import { forecastSchedule } from "../../src/schedule/forecast.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { syncSchedules } from "../../src/schedule/sync.ts";
import { type Bench, bench, HOUR, MINUTE, START, trigger } from "./kit.ts";

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
