/**
 * Every policy in every situation: the exact list of outcomes, and every occurrence in the log exactly once. For any
 * storage: `policiesSuite("sqlite", () => sqlite(":memory:"))`.
 */
import { describe, expect, test } from "vitest";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { readDefinition } from "../../src/schedule/definition.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { updateSchedule } from "../../src/schedule/register.ts";
import { Timing } from "../../src/schedule/timing.ts";
import type { Storage } from "../../src/storage/port.ts";
import { type Bench, bench, DAY, HOUR, MINUTE, SECOND, START } from "./kit.ts";

const QUARTER = 15 * MINUTE;
const LATE = 20 * SECOND;

async function tickAll(b: Bench): Promise<void> {
  while ((await b.scheduler.tick({ oneShot: true })).more);
}

/** Each occurrence of the schedule from its creation to the last decided one is in the log once. */
async function expectWholeLog(b: Bench, expression = "*/15 * * * *"): Promise<void> {
  const [record] = await b.storage.listSchedules({ names: ["s"], limit: 1 });
  const rows = await b.storage.listOccurrences({ schedule: "s", limit: 1_000_000 });
  const rules = { expression, timeZone: "UTC", days: "or", dst: "once", startAt: null, endAt: null } as const;
  const timing = new Timing(rules, START, undefined);
  let expected = timing.next(START);
  for (const row of rows) {
    expect(row.at).toBe(expected);
    const { count, untilAt } = timing.count(row.at, row.untilAt, 1e9);
    expect([count, untilAt]).toEqual([row.count, row.untilAt]);
    expected = timing.next(row.untilAt);
  }
  if (record!.nextAt !== null) expect(record!.nextAt).toBe(expected);
}

/** What happens to a schedule of every quarter of an hour, registered at 00:00 of 2026-01-01. */
const SITUATIONS: Record<string, (b: Bench) => Promise<void>> = {
  "a tick 20 s late": async (b) => {
    await b.clock.advance(QUARTER + LATE);
    await tickAll(b);
  },
  "a tick 2 min late": async (b) => {
    await b.clock.advance(QUARTER + 2 * MINUTE);
    await tickAll(b);
  },
  "a missed hour": async (b) => {
    await b.clock.advance(HOUR + LATE);
    await tickAll(b);
  },
  "a missed week": async (b) => {
    await b.clock.advance(7 * DAY + LATE);
    await tickAll(b);
  },
  "a job still running": async (b) => {
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await b.finish("s");
    await b.clock.advance(QUARTER);
    await tickAll(b);
  },
  paused: async (b) => {
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(HOUR);
    await tickAll(b);
  },
  "paused and resumed": async (b) => {
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await b.finish("s");
    await pauseSchedule(b.engine, "s", { note: "deploy" });
    await b.clock.advance(HOUR - 10 * MINUTE);
    await resumeSchedule(b.engine, "s");
    await tickAll(b);
    await b.clock.advance(10 * MINUTE);
    await tickAll(b);
  },
  "paused and resumed with catch-up": async (b) => {
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await b.finish("s");
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(HOUR - QUARTER + LATE);
    await resumeSchedule(b.engine, "s", { missed: "fire" });
    await tickAll(b);
  },
  "another timing while an hour was missed": async (b) => {
    await b.clock.advance(HOUR + LATE);
    await updateSchedule(b.engine, "s", { expression: "50 * * * *" });
    await b.finish("s");
    await b.clock.advance(50 * MINUTE - LATE);
    await tickAll(b);
  },
  "a clock that jumps ahead an hour and back": async (b) => {
    await b.clock.advance(QUARTER);
    await tickAll(b);
    await b.finish("s");
    b.clock.jump(HOUR);
    await tickAll(b);
    await b.finish("s");
    b.clock.jump(-HOUR);
    for (let i = 0; i < 5; i++) {
      await b.clock.advance(QUARTER);
      await tickAll(b);
      await b.finish("s");
    }
  },
};

const each = (from: number, to: number, what: string): string[] => {
  const list: string[] = [];
  for (let at = from; at <= to; at += QUARTER) {
    const text = new Date(at).toISOString();
    list.push(`${at < START + DAY ? text.slice(11, 16) : `${text.slice(5, 10)} ${text.slice(11, 16)}`} ${what}`);
  }
  return list;
};
const WEEK_END = START + 7 * DAY;

/** Policy, options, and the outcomes in each situation, in the order of SITUATIONS. */
const TABLE: [policy: string, options: ScheduleOptions, outcomes: string[][]][] = [
  [
    'catchUp "all"',
    {},
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired"],
      each(START + QUARTER, WEEK_END, "fired"),
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'catchUp "latest"',
    { catchUp: "latest" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15..00:45 3 catch-up", "01:00 fired"],
      ["00:15..01-07 23:45 671 catch-up", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30..00:45 2 catch-up", "01:00 fired"],
      ["00:15..00:45 3 catch-up", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..01:00 3 catch-up", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'catchUp "none"',
    { catchUp: "none" },
    [
      ["00:15 fired"],
      ["00:15 catch-up"],
      ["00:15..00:45 3 catch-up", "01:00 fired"],
      ["00:15..01-07 23:45 671 catch-up", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30..00:45 2 catch-up", "01:00 fired"],
      ["00:15..00:45 3 catch-up", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..01:00 3 catch-up", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'catchUp { within: "40m", max: 2 }',
    { catchUp: { within: "40m", max: 2 } },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15..00:30 2 catch-up", "00:45 fired", "01:00 fired"],
      ["00:15..01-07 23:30 670 catch-up", "01-07 23:45 fired", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 catch-up", "00:45 fired", "01:00 fired"],
      ["00:15..00:30 2 catch-up", "00:45 fired", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..00:45 2 catch-up", "01:00 fired", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'expiresIn "20m"',
    { expiresIn: "20m" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15..00:30 2 expired", "00:45 fired", "01:00 fired"],
      ["00:15..01-07 23:30 670 expired", "01-07 23:45 fired", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 expired", "00:45 fired", "01:00 fired"],
      ["00:15..00:30 2 expired", "00:45 fired", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..00:45 2 expired", "01:00 fired", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'overlap "skip"',
    { overlap: "skip" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 overlap"],
      ["00:15 fired", "00:30..01-08 00:00 671 overlap"],
      ["00:15 fired", "00:30 overlap", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45..01:00 2 overlap"],
      ["00:15 fired", "00:30..01:00 3 overlap", "01:50 fired"],
      ["00:15 fired", "00:30 fired", "00:45..01:15 3 overlap", "01:30 fired"],
    ],
  ],
  [
    'overlap "queue"',
    { overlap: "queue" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired"],
      each(START + QUARTER, WEEK_END, "fired"),
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired", "01:00 fired", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    'overlap "cancel"',
    { overlap: "cancel" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15..00:45 3 overlap", "01:00 fired"],
      ["00:15..01-07 23:45 671 overlap", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 fired", "00:45 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30..00:45 2 overlap", "01:00 fired"],
      ["00:15..00:45 3 overlap", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..01:00 3 overlap", "01:15 fired", "01:30 fired"],
    ],
  ],
  [
    "maxFires 2",
    { maxFires: 2 },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45..01:00 2 ended"],
      ["00:15 fired", "00:30 fired", "00:45..01-08 00:00 670 ended"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30 fired", "00:45..01:00 2 ended"],
      ["00:15 fired", "00:30 fired", "00:45..01:00 2 ended"],
      ["00:15 fired", "00:30 fired", "00:45..01:15 3 ended"],
    ],
  ],
  [
    "endAt 00:40",
    { endAt: "2026-01-01T00:40:00Z" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired"],
      ["00:15 fired", "00:30 paused"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired", "00:30 fired"],
      ["00:15 fired", "00:30 fired"],
    ],
  ],
  [
    "exclude 00:20 to 00:50",
    { exclude: [{ from: "2026-01-01T00:20:00Z", to: "2026-01-01T00:50:00Z" }], catchUp: "latest" },
    [
      ["00:15 fired"],
      ["00:15 fired"],
      ["00:15 catch-up", "00:30..00:45 2 excluded", "01:00 fired"],
      ["00:15 catch-up", "00:30..00:45 2 excluded", "01:00..01-07 23:45 668 catch-up", "01-08 00:00 fired"],
      ["00:15 fired", "00:30 excluded", "00:45 excluded"],
      ["00:15 fired"],
      ["00:15 fired", "00:30..01:00 3 paused", "01:15 fired"],
      ["00:15 fired", "00:30..00:45 2 excluded", "01:00 fired"],
      ["00:15 catch-up", "00:30..00:45 2 excluded", "01:00 fired", "01:50 fired"],
      ["00:15 fired", "00:30..00:45 2 excluded", "01:00 catch-up", "01:15 fired", "01:30 fired"],
    ],
  ],
];

/** Declares the tests. @param open makes an empty storage */
export function policiesSuite(name: string, open: () => Storage): void {
  describe(name, () => {
    for (const [policy, options, outcomes] of TABLE) {
      describe(policy, () => {
        for (const [i, [situation, happen]] of Object.entries(SITUATIONS).entries()) {
          test(`in ${situation}`, async () => {
            const b = bench({ storage: open() });
            await b.add("s", "*/15 * * * *", options);
            await happen(b);
            expect(await b.log("s")).toEqual(outcomes[i]);
            expect(b.errors).toEqual([]);
            const jobs = await b.jobs("s");
            const fired = (await b.storage.listOccurrences({ schedule: "s", limit: 1_000_000 })).filter(
              (row) => row.jobId,
            );
            expect(jobs.map((job) => job.id).sort()).toEqual(fired.map((row) => row.jobId).sort());
            if (situation.startsWith("another timing") || options.endAt !== undefined) return;
            const [record] = await b.storage.listSchedules({ names: ["s"], limit: 1 });
            expect(readDefinition(record!, undefined)).not.toBeInstanceOf(Error);
            await expectWholeLog(b);
          });
        }
      });
    }

    describe("overlap", () => {
      test('"cancel" cancels the job before', async () => {
        const b = bench({ storage: open() });
        await b.add("s", "*/15 * * * *", { overlap: "cancel" });
        for (let i = 0; i < 3; i++) {
          await b.clock.advance(QUARTER);
          await tickAll(b);
        }
        expect((await b.jobs("s")).map((job) => job.state).reverse()).toEqual(["cancelled", "cancelled", "ready"]);
      });

      test('"queue" admits one job at a time, in order', async () => {
        const b = bench({ storage: open() });
        await b.add("s", "*/15 * * * *", { overlap: "queue" });
        await b.clock.advance(HOUR);
        await tickAll(b);
        expect((await b.jobs("s")).map((job) => job.held).reverse()).toEqual([false, true, true, true]);
      });
    });

    describe("ended", () => {
      test.each<[string, ScheduleOptions]>([
        ["maxFires", { maxFires: 2 }],
        ["endAt", { endAt: START + 40 * MINUTE }],
      ])("by %s has no next occurrence, and registering it again leaves it ended", async (_, options) => {
        const b = bench({ storage: open() });
        await b.add("s", "*/15 * * * *", options);
        await b.clock.advance(HOUR);
        await tickAll(b);
        expect(await b.storage.listSchedules({ names: ["s"], limit: 1 })).toMatchObject([
          { state: "ended", nextAt: null, fired: 2 },
        ]);
        expect(await b.add("s", "*/15 * * * *", options)).toMatchObject({ status: "unchanged", nextAt: null });
        expect(await b.add("s", "*/15 * * * *", {})).toMatchObject({
          status: "updated",
          nextAt: START + HOUR + QUARTER,
        });
      });

      test("one instant fires once", async () => {
        const b = bench({ storage: open() });
        expect(await b.add("s", { at: "2026-01-01 00:40" })).toMatchObject({
          nextAt: START + 40 * MINUTE,
          warnings: [],
        });
        await b.clock.advance(HOUR);
        await tickAll(b);
        expect(await b.log("s")).toEqual(["00:40 fired"]);
        expect(await b.add("s", "@at 2026-01-01T00:40:00Z")).toMatchObject({ status: "unchanged", nextAt: null });
        const late = await b.add("late", { at: START });
        expect(late).toMatchObject({ status: "created", nextAt: null, schedule: { state: "ended" } });
        expect(late.warnings[0]).toContain("has no occurrence after now");
      });
    });

    describe("a night on which clocks change in Berlin", () => {
      const run = async (expression: string, from: string, options: ScheduleOptions): Promise<string[]> => {
        const b = bench({ storage: open() });
        await b.clock.advanceTo(Date.parse(from));
        await b.add("s", expression, { timeZone: "Europe/Berlin", ...options });
        for (let i = 0; i < 60; i++) {
          const { nextAt } = await b.scheduler.tick({ oneShot: true });
          if (nextAt === null || nextAt > Date.parse(from) + 2 * DAY) break;
          await b.clock.advanceTo(nextAt);
        }
        return await b.log("s");
      };
      const SPRING = "2026-03-28T12:00:00Z";
      const AUTUMN = "2026-10-24T12:00:00Z";

      test.each<[string, string, string, ScheduleOptions, string[]]>([
        ["spring, once", SPRING, "30 2 * * *", {}, ["03-30 00:30 fired"]],
        ["spring, vixie", SPRING, "30 2 * * *", { dst: "vixie" }, ["03-29 01:00 fired", "03-30 00:30 fired"]],
        ["autumn, once", AUTUMN, "30 2 * * *", {}, ["10-25 00:30 fired", "10-26 01:30 fired"]],
        ["autumn, vixie", AUTUMN, "30 2 * * *", { dst: "vixie" }, ["10-25 00:30 fired", "10-26 01:30 fired"]],
        [
          "autumn, hours that repeat, once",
          AUTUMN,
          "0 1-3 * * SUN",
          {},
          ["10-24 23:00 fired", "10-25 00:00 fired", "10-25 02:00 fired"],
        ],
        [
          "autumn, elapsed hours, vixie",
          AUTUMN,
          "0 */1 * * SUN",
          { dst: "vixie", endAt: "2026-10-25T02:00:00Z" },
          ["10-24 22:00 fired", "10-24 23:00 fired", "10-25 00:00 fired", "10-25 01:00 fired", "10-25 02:00 fired"],
        ],
      ])("%s", async (_, from, expression, options, expected) => {
        expect(await run(expression, from, options)).toEqual(expected);
      });

      test("missed as a whole, is caught up like any other", async () => {
        const b = bench({ storage: open() });
        await b.clock.advanceTo(Date.parse(AUTUMN));
        await b.add("s", "30 2 * * *", { timeZone: "Europe/Berlin", catchUp: "latest" });
        await b.clock.advance(3 * DAY);
        await tickAll(b);
        expect(await b.log("s")).toEqual(["10-25 00:30..10-26 01:30 2 catch-up", "10-27 01:30 fired"]);
      });
    });
  });
}
