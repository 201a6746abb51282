import { describe, expect, test } from "vitest";
import { type ForecastOptions, forecastSchedule } from "../../src/schedule/forecast.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";

const spec = (expression: string, options: ScheduleOptions = {}) => ({ name: "s", expression, task: "work", options });
const run = async (expression: string, options: ScheduleOptions, what: ForecastOptions): Promise<string[]> =>
  (await forecastSchedule(spec(expression, options), what)).occurrences.map(
    ({ local, count, reason, fate }) =>
      `${local.slice(5, 16)} ${count > 1 ? `${count} ` : ""}${reason ?? fate ?? "runs"}`,
  );

describe("forecast()", () => {
  test("over a night on which clocks go forward", async () => {
    const berlin = { timeZone: "Europe/Berlin" };
    const nights = { from: "2026-03-27 12:00", to: "2026-03-31" };
    expect(await run("30 2 * * *", berlin, nights)).toEqual([
      "03-28 02:30 runs",
      "03-30 02:30 runs",
      "03-31 02:30 runs",
    ]);
    expect(await run("30 2 * * *", { ...berlin, dst: "vixie" }, nights)).toEqual([
      "03-28 02:30 runs",
      "03-29 03:00 runs",
      "03-30 02:30 runs",
      "03-31 02:30 runs",
    ]);
  });

  test("over an outage, by each policy", async () => {
    const day = {
      from: "2026-01-01",
      to: "2026-01-01 06:00",
      downtime: [{ from: "2026-01-01 01:30", to: "2026-01-01 04:10" }],
    };
    expect(await run("0 * * * *", {}, day)).toHaveLength(6);
    expect(await run("0 * * * *", { catchUp: "latest" }, day)).toEqual([
      "01-01 01:00 runs",
      "01-01 02:00 2 catch-up",
      "01-01 04:00 runs",
      "01-01 05:00 runs",
      "01-01 06:00 runs",
    ]);
    expect(await run("0 * * * *", { expiresIn: "1h" }, day)).toEqual([
      "01-01 01:00 runs",
      "01-01 02:00 2 expired",
      "01-01 04:00 runs",
      "01-01 05:00 runs",
      "01-01 06:00 runs",
    ]);
  });

  test("with jobs that take longer than the interval, by each overlap", async () => {
    const long = { from: "2026-01-01", to: "2026-01-01 04:00", durations: "90m" };
    expect(await run("0 * * * *", { overlap: "skip" }, long)).toEqual([
      "01-01 01:00 runs",
      "01-01 02:00 overlap",
      "01-01 03:00 runs",
      "01-01 04:00 overlap",
    ]);
    expect(await run("0 * * * *", { overlap: "cancel" }, long)).toEqual([
      "01-01 01:00 cancelled",
      "01-01 02:00 cancelled",
      "01-01 03:00 cancelled",
      "01-01 04:00 runs",
    ]);
    const { occurrences } = await forecastSchedule(spec("0 * * * *", { overlap: "queue" }), long);
    expect(occurrences.map(({ startAt, at }) => (startAt! - at) / 60_000)).toEqual([0, 30, 60, 90]);
    expect(await run("0 * * * *", { overlap: "queue", expiresIn: "45m" }, long)).toEqual([
      "01-01 01:00 runs",
      "01-01 02:00 runs",
      "01-01 03:00 expired",
      "01-01 04:00 runs",
    ]);
  });

  test("with ticks that come once a minute, and an end", async () => {
    const { occurrences, state, nextAt, fired } = await forecastSchedule(spec("@every 20s", { maxFires: 5 }), {
      from: "2026-01-01",
      to: "2026-01-02",
      tickEvery: "1m",
    });
    expect(occurrences.map(({ decidedAt, at }) => (decidedAt - at) / 1_000)).toEqual([40, 20, 0, 40, 20, 0]);
    expect(occurrences.at(-1)!.reason).toBe("ended");
    expect({ state, nextAt, fired }).toEqual({ state: "ended", nextAt: null, fired: 5 });
  });

  test("refuses what registering would refuse, and stops at max", async () => {
    await expect(forecastSchedule(spec("0 0 31 2 *"), { from: 0, to: 1 })).rejects.toMatchObject({
      code: "CRON_NEVER",
    });
    await expect(forecastSchedule(spec("* * * * *"), { from: 1, to: 0 })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect(await forecastSchedule(spec("* * * * *"), { from: 0, to: 864e5, max: 7 })).toMatchObject({
      more: true,
      fired: 7,
    });
  });
});
