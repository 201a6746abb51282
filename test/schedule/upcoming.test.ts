/** What is reported as next is what will fire: exclusions, jitter, `maxFires`, and the policies over what is due. */
import { describe, expect, test } from "vitest";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { explainOccurrence } from "../../src/schedule/explain.ts";
import { forecastSchedule } from "../../src/schedule/forecast.ts";
import { getSchedule, listSchedules, previewSchedule } from "../../src/schedule/list.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { updateSchedule } from "../../src/schedule/register.ts";
import { type Bench, bench, DAY, HOUR, MINUTE, SECOND, START } from "./kit.ts";

const HOLIDAYS: ScheduleOptions = { exclude: ["2026-01-02", "2026-01-03"] };
const info = async (b: Bench) => (await getSchedule(b.engine, "s"))!;

describe("nextAt", () => {
  test("is after excluded occurrences, wherever a schedule is shown; the place itself is nextBoundaryAt", async () => {
    const b = bench();
    await b.clock.advance(10 * HOUR);
    const third = START + 3 * DAY + 9 * HOUR;
    const boundary = START + DAY + 9 * HOUR;
    const registered = await b.add("s", "0 9 * * *", HOLIDAYS);
    expect(registered).toMatchObject({ nextAt: third, schedule: { nextAt: third, nextBoundaryAt: boundary } });
    expect(await b.add("s", "0 9 * * *", HOLIDAYS)).toMatchObject({ status: "unchanged", nextAt: third });
    expect(await info(b)).toMatchObject({ nextAt: third, nextBoundaryAt: boundary });
    expect((await listSchedules(b.engine)).schedules).toMatchObject([{ nextAt: third, nextBoundaryAt: boundary }]);
    expect(await updateSchedule(b.engine, "s", { exclude: null })).toMatchObject({ nextAt: boundary });
  });

  test("is when the job becomes available where there is jitter", async () => {
    const b = bench();
    const { nextAt } = await b.add("s", "0 9 * * *", { jitter: "30m" });
    const [first] = await previewSchedule(b.engine, "s", { count: 1 });
    expect(first!.at).toBe(START + 9 * HOUR);
    expect(nextAt).toBe(first!.availableAt);
    expect(nextAt).toBeGreaterThan(first!.at);
    await b.clock.advance(9 * HOUR);
    await b.scheduler.tick();
    expect(await b.jobs("s")).toMatchObject([{ availableAt: nextAt, scheduledAt: START + 9 * HOUR }]);
  });

  test("is null while paused, after the end, and where everything is excluded", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *", { endAt: "2026-01-02" });
    await pauseSchedule(b.engine, "s");
    expect(await info(b)).toMatchObject({ state: "paused", nextAt: null, nextBoundaryAt: START + 9 * HOUR });
    expect(await resumeSchedule(b.engine, "s")).toMatchObject({ nextAt: START + 9 * HOUR });
    await updateSchedule(b.engine, "s", { exclude: ["2026-01-01/2026-01-02"] });
    expect(await info(b)).toMatchObject({ state: "active", nextAt: null, nextBoundaryAt: START + 9 * HOUR });
    await b.clock.advance(3 * DAY);
    await b.scheduler.tick();
    expect(await info(b)).toMatchObject({ state: "ended", nextAt: null, nextBoundaryAt: null });
  });

  test("of a schedule that is due is what the next tick will fire, not what its policies will skip", async () => {
    const b = bench();
    await b.add("all", "0 * * * *");
    await b.add("latest", "0 * * * *", { catchUp: "latest" });
    await b.add("expires", "0 * * * *", { expiresIn: "10m" });
    await b.clock.advance(5 * HOUR + 30 * MINUTE);
    const nextAt = async (name: string): Promise<number> =>
      ((await getSchedule(b.engine, name))!.nextAt! - START) / HOUR;
    expect([await nextAt("all"), await nextAt("latest"), await nextAt("expires")]).toEqual([1, 5, 6]);
    await b.scheduler.tick();
    const fired = async (name: string) => (await b.jobs(name)).map((job) => (job.scheduledAt! - START) / HOUR);
    expect([await fired("latest"), await fired("expires")]).toEqual([[5], []]);
  });

  test("of a year of missed seconds is found without walking them all", async () => {
    const b = bench();
    await b.add("s", "* * * * * *", { catchUp: "latest" });
    await b.clock.advance(365 * DAY);
    const started = performance.now();
    for (let i = 0; i < 20; i++) await info(b);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("preview()", () => {
  test("leaves excluded occurrences out, or marks them, and ends where maxFires does", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *", { ...HOLIDAYS, maxFires: 3 });
    const days = async (options: Parameters<typeof previewSchedule>[2]): Promise<string[]> =>
      (await previewSchedule(b.engine, "s", options)).map(
        ({ local, excluded }) => local.slice(8, 10) + (excluded ? " excluded" : ""),
      );
    expect(await days({})).toEqual(["01", "04", "05"]);
    expect(await days({ withExcluded: true })).toEqual(["01", "02 excluded", "03 excluded", "04", "05"]);
    expect(await days({ from: "2026-01-03" })).toEqual(["04", "05"]);
    expect(await days({ from: "2026-01-05" })).toEqual(["05"]);
    expect(await days({ from: "2026-01-06" })).toEqual([]);
    await b.clock.advance(DAY);
    await b.scheduler.tick();
    expect(await days({})).toEqual(["04", "05"]);
  });

  test("of a schedule that is due begins with what the next tick will fire", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { catchUp: { max: 2 } });
    await b.clock.advance(5 * HOUR);
    const hours = (await previewSchedule(b.engine, "s", { count: 3 })).map(({ at }) => (at - START) / HOUR);
    expect(hours).toEqual([4, 5, 6]);
  });
});

describe("explain()", () => {
  test("an excluded occurrence that lies ahead will not run, and its neighbours are those that do", async () => {
    const b = bench();
    await b.clock.advance(10 * HOUR);
    await b.add("s", "0 9 * * *", HOLIDAYS);
    const answer = await explainOccurrence(b.engine, "s", "2026-01-02 09:00");
    expect(answer).toMatchObject({
      outcome: "skipped",
      reason: "excluded",
      record: null,
      availableAt: null,
      previousAt: START + 9 * HOUR,
      nextAt: START + 3 * DAY + 9 * HOUR,
    });
    expect(answer.text).toContain("is excluded: it will not run");
    expect(answer.text).toContain("the one after 2026-01-04 09:00:00 UTC");
  });

  test("an upcoming occurrence tells when its job becomes available, and is found by that instant", async () => {
    const b = bench();
    const { nextAt } = await b.add("s", "0 9 * * *", { jitter: "30m" });
    const answer = await explainOccurrence(b.engine, "s", "2026-01-01 09:00");
    expect(answer).toMatchObject({ outcome: "upcoming", at: START + 9 * HOUR, availableAt: nextAt });
    expect(answer.text).toContain("Jitter makes its job available at 2026-01-01 09:");
    expect(await explainOccurrence(b.engine, "s", nextAt!)).toEqual(answer);
  });

  test("an occurrence after maxFires is used up is none", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *", { ...HOLIDAYS, maxFires: 2 });
    expect(await explainOccurrence(b.engine, "s", "2026-01-04 09:00")).toMatchObject({ outcome: "upcoming" });
    expect(await explainOccurrence(b.engine, "s", "2026-01-05 09:00")).toMatchObject({
      outcome: "none",
      text: expect.stringContaining("maxFires (2) times before 2026-01-05"),
    });
  });

  test("a due occurrence tells what the next tick makes of it", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", {
      catchUp: "latest",
      exclude: [{ from: "2026-01-01 02:00", to: "2026-01-01 02:30" }],
    });
    await b.clock.advance(3 * HOUR + 20 * MINUTE);
    const text = async (at: string): Promise<string> => (await explainOccurrence(b.engine, "s", at)).text;
    expect(await text("2026-01-01 01:00")).toContain("The next tick skips it: it was missed, and the catchUp policy");
    expect(await text("2026-01-01 02:00")).toContain("does not run, and the next tick records it as skipped");
    expect(await text("2026-01-01 03:00")).toContain("The next tick fires it.");
  });
});

test("forecast() ends with when the next job becomes available", async () => {
  const spec = { name: "s", expression: "0 9 * * *", task: "work", options: { ...HOLIDAYS, jitter: "10s" } };
  const forecast = await forecastSchedule(spec, { from: START, to: "2026-01-01" });
  expect(forecast.nextBoundaryAt).toBe(START + DAY + 9 * HOUR);
  expect(forecast.nextAt).toBeGreaterThanOrEqual(START + 3 * DAY + 9 * HOUR);
  expect(forecast.nextAt).toBeLessThan(START + 3 * DAY + 9 * HOUR + 10 * SECOND);
});
