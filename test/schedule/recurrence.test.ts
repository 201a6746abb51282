/** Are recurrence rules schedules like others, and what happens where a program has no reader of them? */
import { describe, expect, test } from "vitest";
import { rrule } from "../../src/rrule/mod.ts";
import { bench, DAY, HOUR } from "./kit.ts";

/** A bench whose engine reads recurrence rules. */
function reading(options: Parameters<typeof bench>[0] = {}): ReturnType<typeof bench> {
  const b = bench(options);
  Object.assign(b.engine, { recurrence: rrule });
  return b;
}

const RULE = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9";

describe("a schedule by a recurrence rule", () => {
  test("every second Monday at 09:00 local fires over a change of the clock, counted from startAt", async () => {
    const b = reading();
    const options = { timeZone: "Europe/Berlin", startAt: "2026-03-02" };
    const { schedule, nextAt, warnings } = await b.add(
      "retro",
      "rrule:freq=weekly;byday=MO;interval=2;byhour=9",
      options,
    );
    expect(schedule.definition?.expression).toBe(RULE);
    expect(warnings).toEqual([]);
    expect(new Date(nextAt!).toISOString()).toBe("2026-03-02T08:00:00.000Z");
    await b.clock.advance(105 * DAY);
    await b.scheduler.tick({ oneShot: true });
    const fired = (await b.jobs("retro")).map(({ scheduledAt }) => new Date(scheduledAt!).toISOString().slice(0, 16));
    expect(fired.sort()).toEqual(["2026-03-02T08:00", "2026-03-16T08:00", "2026-03-30T07:00", "2026-04-13T07:00"]);
    expect(await b.add("retro", RULE, options)).toMatchObject({ status: "unchanged" });
  });

  test("without startAt it counts from the day of its registration, whenever it is registered again", async () => {
    const b = reading();
    await b.clock.advance(10 * HOUR);
    const { nextAt } = await b.add("s", "RRULE:FREQ=DAILY;INTERVAL=3");
    expect(new Date(nextAt!).toISOString()).toBe("2026-01-04T00:00:00.000Z");
    for (let day = 0; day < 7; day++) {
      await b.clock.advance(DAY);
      await b.scheduler.tick({ oneShot: true });
      expect(await b.add("s", "RRULE:FREQ=DAILY;INTERVAL=3")).toMatchObject({ status: "unchanged" });
    }
    expect((await b.log("s")).length).toBe(2);
  });

  test("COUNT ends it, and a rule whose UNTIL has passed is registered as ended", async () => {
    const b = reading();
    await b.add("s", "RRULE:FREQ=HOURLY;COUNT=3");
    await b.clock.advance(DAY);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.jobs("s")).toHaveLength(3);
    const [record] = await b.storage.listSchedules({ limit: 9 });
    expect(record).toMatchObject({ state: "ended", fired: 3, nextAt: null });
    const { warnings, nextAt } = await b.add("old", "RRULE:FREQ=DAILY;UNTIL=20200101");
    expect([nextAt, warnings]).toEqual([null, [expect.stringContaining("no occurrence after now")]]);
  });

  test("a program without a reader refuses to register one, and says what to pass", async () => {
    await expect(bench().add("s", RULE)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining('pass recurrence: rrule, from "belfry/rrule", to new Belfry'),
    });
    await expect(reading().add("s", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")).rejects.toMatchObject({
      code: "CRON_NEVER",
    });
    await expect(reading().add("s", "RRULE:FREQ=WEEKLY;BYDAY=MON")).rejects.toMatchObject({ code: "CRON_SYNTAX" });
  });

  test("a leader without a reader marks it broken, the next with one fires what was missed", async () => {
    const able = reading({ holder: "able" });
    await able.add("s", "RRULE:FREQ=HOURLY");
    const unable = bench({ storage: able.storage, clock: able.clock, holder: "unable" });
    await able.clock.advance(2.5 * HOUR);
    await unable.scheduler.tick({ oneShot: true });
    const [broken] = await able.storage.listSchedules({ limit: 9 });
    expect(broken).toMatchObject({ state: "broken", note: expect.stringContaining("recurrence: rrule") });
    await able.clock.advance(HOUR);
    await able.scheduler.maintain();
    await able.scheduler.tick({ oneShot: true });
    const [healed] = await able.storage.listSchedules({ limit: 9 });
    expect(healed).toMatchObject({ state: "active", fired: 3 });
    expect(await able.jobs("s")).toHaveLength(3);
  });
});
