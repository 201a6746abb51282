/** Dates as users give them: where a day begins and ends, Temporal objects, zones in brackets, and what is refused. */
import { Temporal } from "temporal-polyfill";
import { describe, expect, test } from "vitest";
import { backfillSchedule } from "../../../src/schedule/backfill.ts";
import { forecastSchedule } from "../../../src/schedule/forecast.ts";
import { listOccurrences } from "../../../src/schedule/list.ts";
import type { ScheduleOptions } from "../../../src/schedule/options.ts";
import { readFrom, readSpan, readUntil, type When } from "../../../src/schedule/when.ts";
import { bench, DAY, HOUR, START } from "../kit.ts";

const iso = (at: number): string => new Date(at).toISOString();

describe("a date given as the beginning, and as the end, of something", () => {
  const day = (from: string, to: string): [string, string] => [`${from}.000Z`, `${to}.999Z`];
  const same = (at: string): [string, string] => [`${at}.000Z`, `${at}.000Z`];
  const rows: [what: string, value: When, timeZone: string, span: [from: string, to: string]][] = [
    ["a day", "2026-12-17", "UTC", day("2026-12-17T00:00:00", "2026-12-17T23:59:59")],
    ["a day in a zone", "2026-12-17", "Europe/Berlin", day("2026-12-16T23:00:00", "2026-12-17T22:59:59")],
    ["a day of 23 hours", "2026-03-29", "Europe/Berlin", day("2026-03-28T23:00:00", "2026-03-29T21:59:59")],
    ["a day of 25 hours", "2026-10-25", "Europe/Berlin", day("2026-10-24T22:00:00", "2026-10-25T22:59:59")],
    // Clocks go forward at 00:00 of 8 March 2026 in Havana, so the 8th begins at 01:00 local time.
    [
      "a day before a gap at midnight",
      "2026-03-07",
      "America/Havana",
      day("2026-03-07T05:00:00", "2026-03-08T04:59:59"),
    ],
    [
      "a day after a gap at midnight",
      "2026-03-08",
      "America/Havana",
      day("2026-03-08T05:00:00", "2026-03-09T03:59:59"),
    ],
    ["a day that names its zone", "2026-12-17[Asia/Tokyo]", "UTC", day("2026-12-16T15:00:00", "2026-12-17T14:59:59")],
    [
      "a PlainDate",
      Temporal.PlainDate.from("2026-12-17"),
      "Europe/Berlin",
      day("2026-12-16T23:00:00", "2026-12-17T22:59:59"),
    ],
    [
      "a PlainDate of another calendar",
      Temporal.PlainDate.from("2026-12-17").withCalendar("hebrew"),
      "UTC",
      day("2026-12-17T00:00:00", "2026-12-17T23:59:59"),
    ],
    ["a local time", "2026-12-17 12:00", "Europe/Berlin", same("2026-12-17T11:00:00")],
    ["a local time at midnight is no day", "2026-12-17T00:00", "UTC", same("2026-12-17T00:00:00")],
    ["a repeated local time: its first pass", "2026-10-25 02:30", "Europe/Berlin", same("2026-10-25T00:30:00")],
    ["a PlainDateTime", Temporal.PlainDateTime.from("2026-12-17T12:00"), "Europe/Berlin", same("2026-12-17T11:00:00")],
    ["an instant", "2026-12-17T12:00:00Z", "Europe/Berlin", same("2026-12-17T12:00:00")],
    ["an offset", "2026-12-17T12:00+05:30", "Europe/Berlin", same("2026-12-17T06:30:00")],
    ["an offset of hours", "2026-12-17T12:00-03", "UTC", same("2026-12-17T15:00:00")],
    ["a zone in brackets", "2026-12-17T12:00[Europe/Berlin]", "Asia/Tokyo", same("2026-12-17T11:00:00")],
    ["an offset and its zone", "2026-12-17T12:00+01:00[Europe/Berlin]", "UTC", same("2026-12-17T11:00:00")],
    ["UTC and a zone", "2026-12-17T12:00Z[Europe/Berlin]", "UTC", same("2026-12-17T12:00:00")],
    ["a zone and a calendar", "2026-12-17T12:00[Europe/Berlin][u-ca=hebrew]", "UTC", same("2026-12-17T11:00:00")],
    ["nine digits of a second", "2026-12-17T12:00:00.000999999Z", "UTC", same("2026-12-17T12:00:00")],
    ["an Instant", Temporal.Instant.from("2026-12-17T12:00:00Z"), "Europe/Berlin", same("2026-12-17T12:00:00")],
    [
      "a ZonedDateTime",
      Temporal.ZonedDateTime.from("2026-12-17T12:00[Asia/Tokyo]"),
      "UTC",
      same("2026-12-17T03:00:00"),
    ],
    ["a Date", new Date("2026-12-17T12:00:00Z"), "Europe/Berlin", same("2026-12-17T12:00:00")],
    ["epoch ms", Date.parse("2026-12-17T12:00:00Z"), "Europe/Berlin", same("2026-12-17T12:00:00")],
  ];
  test.each(rows)("%s", (_, value, timeZone, [from, to]) => {
    const context = { timeZone, temporal: undefined };
    expect(iso(readFrom(value, "startAt", context))).toBe(from);
    expect(iso(readUntil(value, "endAt", context))).toBe(to);
  });

  test("reads the runtime's own Temporal where it has one", () => {
    const own = (globalThis as { Temporal?: typeof Temporal }).Temporal;
    if (own === undefined) return;
    const span = readSpan(own.PlainDate.from("2026-12-17"), "endAt", {
      timeZone: "Europe/Berlin",
      temporal: undefined,
    });
    expect(span).toMatchObject({ day: "2026-12-17", to: Date.parse("2026-12-17T22:59:59.999Z") });
  });

  test.each([
    ["a day that is none", "2026-02-30", "OPTION_INVALID", '"2026-02-30" is no date'],
    ["an hour that is none", "2026-02-20 24:00", "OPTION_INVALID", "is no date"],
    ["a day with an offset", "2026-02-20+01:00", "OPTION_INVALID", "is no date"],
    ["words", "tomorrow", "OPTION_INVALID", '"2026-12-24" (the day)'],
    ["null", null, "OPTION_INVALID", "null is no date"],
    ["no number", Number.NaN, "OPTION_INVALID", "NaN is no date"],
    ["an invalid Date", new Date(Number.NaN), "OPTION_INVALID", "is no date"],
    ["a list", ["2026-12-17"], "OPTION_INVALID", "is no date"],
    ["a PlainMonthDay", Temporal.PlainMonthDay.from("12-25"), "OPTION_INVALID", "is no date"],
    ["a PlainYearMonth", Temporal.PlainYearMonth.from("2026-12"), "OPTION_INVALID", "is no date"],
    ["a local time in a gap", "2026-03-29 02:30", "OPTION_INVALID", "does not exist in Europe/Berlin"],
    ["an unknown zone", "2026-03-29[Europe/Olso]", "ZONE_UNKNOWN", "Europe/Olso"],
    ["an offset that its zone does not have", "2026-07-01T12:00+01:00[Europe/Berlin]", "OPTION_INVALID", "leave one"],
  ])("refuses %s", (_, value, code, says) => {
    const context = { timeZone: "Europe/Berlin", temporal: undefined };
    for (const read of [readFrom, readUntil]) {
      expect(() => read(value as When, "endAt", context)).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(says) }),
      );
    }
  });
});

describe("a day given as an end means through its last instant in the schedule's zone", () => {
  const fired = async (options: ScheduleOptions, days = 5): Promise<string[]> => {
    const b = bench();
    await b.add("s", "0 12 * * *", options);
    await b.clock.advance(days * DAY);
    while ((await b.scheduler.tick({ oneShot: true })).more);
    return await b.log("s");
  };

  test("endAt", async () => {
    expect(await fired({ endAt: "2026-01-03" })).toEqual(["12:00 fired", "01-02 12:00 fired", "01-03 12:00 fired"]);
    expect(await fired({ endAt: Temporal.PlainDate.from("2026-01-03") })).toHaveLength(3);
    // 12:00 in Honolulu is 22:00 UTC; the day ends there at 10:00 UTC of the next.
    expect(await fired({ endAt: "2026-01-03", timeZone: "Pacific/Honolulu" })).toHaveLength(3);
    expect(await fired({ startAt: "2026-01-02", endAt: "2026-01-02" })).toEqual(["01-02 12:00 fired"]);
  });

  test("endAt as an instant or a local time stays exact", async () => {
    expect(await fired({ endAt: "2026-01-03T00:00" })).toHaveLength(2);
    expect(await fired({ endAt: "2026-01-03T12:00:00Z" })).toHaveLength(3);
  });

  test("exclude: days, Temporal objects, and ranges that mix a time with a day", async () => {
    expect(await fired({ exclude: [Temporal.PlainDate.from("2026-01-02")] })).toContain("01-02 12:00 excluded");
    expect(await fired({ exclude: [Temporal.PlainDateTime.from("2026-01-02T12:00")] })).toHaveLength(5);
    expect(await fired({ exclude: [{ from: "2026-01-02T13:00", to: "2026-01-04" }] })).toEqual([
      "12:00 fired",
      "01-02 12:00 fired",
      "01-03 12:00..01-04 12:00 2 excluded",
      "01-05 12:00 fired",
    ]);
  });

  test("backfill to a day", async () => {
    const b = bench();
    await b.clock.advance(120 * DAY);
    await b.add("s", "0 12 * * *");
    expect(await backfillSchedule(b.engine, "s", { from: "2026-03-01", to: "2026-03-31" })).toMatchObject({
      enqueued: 31,
    });
    expect(await backfillSchedule(b.engine, "s", { from: "2026-02-01", to: "2026-02-01" })).toMatchObject({
      enqueued: 1,
    });
  });

  test("occurrences to a day", async () => {
    const b = bench({ timeZone: "Asia/Tokyo" });
    await b.add("s", "0 * * * *");
    await b.clock.advance(2 * DAY);
    await b.scheduler.tick({ oneShot: true });
    // 1 January in Tokyo ends at 15:00 UTC.
    const rows = await listOccurrences(b.engine, "s", { from: "2026-01-01", to: "2026-01-01" });
    expect(rows.map(({ at }) => at)).toEqual(Array.from({ length: 14 }, (_, i) => START + (14 - i) * HOUR));
  });

  test("forecast to a day, over an outage through a day", async () => {
    const spec = { name: "s", expression: "0 12 * * *", task: "work" };
    const { occurrences } = await forecastSchedule(spec, {
      from: "2026-03-01",
      to: "2026-03-05",
      downtime: [{ from: "2026-03-02", to: "2026-03-03" }],
    });
    expect(occurrences.map(({ local, decidedAt }) => [local.slice(5, 10), iso(decidedAt).slice(5, 19)])).toEqual([
      ["03-01", "03-01T12:00:00"],
      ["03-02", "03-04T00:00:00"],
      ["03-03", "03-04T00:00:00"],
      ["03-04", "03-04T12:00:00"],
      ["03-05", "03-05T12:00:00"],
    ]);
  });
});
