/** Does the face of `Cron` keep what CRON.md says of it? */
import { Temporal } from "temporal-polyfill/implementation";
import { describe, expect, it } from "vitest";
import { type BelfryError, Cron, type InstantLike } from "../../src/cron/mod.ts";
import { plan, Random, ZONES } from "./generate.ts";

const iso = (at: Date | null): string | undefined => at?.toISOString().replace(".000Z", "Z");

describe("arguments", () => {
  const cron = new Cron("* * * * *");

  it("takes a Date, milliseconds with a fraction, and what looks like a Temporal.Instant", () => {
    expect(iso(cron.next(new Date(60_000)))).toBe("1970-01-01T00:02:00Z");
    expect(iso(cron.next(59_999.5))).toBe("1970-01-01T00:01:00Z");
    expect(iso(cron.next(60_000.5))).toBe("1970-01-01T00:02:00Z");
    expect(iso(cron.previous(60_000.5))).toBe("1970-01-01T00:01:00Z");
    expect(iso(cron.next({ epochMilliseconds: 60_000 }))).toBe("1970-01-01T00:02:00Z");
    expect(iso(cron.next(-0.5))).toBe("1970-01-01T00:00:00Z");
  });

  it.each([
    new Date(Number.NaN),
    Number.NaN,
    Infinity,
    8.64e15 + 1,
    "2026-01-01" as unknown as Date,
    null as unknown as Date,
    { epochMilliseconds: Number.NaN },
  ])("refuses %s with a RangeError", (at: InstantLike) => {
    expect(() => cron.next(at)).toThrow(RangeError);
    expect(() => cron.previous(at)).toThrow(RangeError);
    expect(() => cron.matches(at)).toThrow(RangeError);
    expect(() => cron.warnings(at)).toThrow(RangeError);
    expect(() => cron.between(0, at)).toThrow(RangeError);
    expect(() => cron.take(1, at)).toThrow(RangeError);
  });

  it.each([
    [null, "Not an instant: null; give a Date, epoch milliseconds or a Temporal.Instant, or nothing for the present"],
    ["2026-01-01", 'Not an instant: 2026-01-01; give new Date("2026-01-01")'],
    [
      "2026-01-01T09:00:00+01:00",
      'Not an instant: 2026-01-01T09:00:00+01:00; give new Date("2026-01-01T09:00:00+01:00")',
    ],
    [new Date(Number.NaN), "Not an instant: Invalid Date; give a Date, epoch"],
    [{}, "Not an instant: [object Object]; give a Date, epoch"],
  ])("says what to give instead of %j", (at, message) => {
    expect(() => cron.next(at as unknown as Date)).toThrow(message);
    expect(() => cron.previous(at as unknown as Date)).toThrow(RangeError);
  });

  it("refuses a Temporal.PlainDate, which is no instant", () => {
    expect(() => cron.next(Temporal.PlainDate.from("2026-01-01") as unknown as Date)).toThrow(
      "Not an instant: 2026-01-01",
    );
  });

  it("takes the present where none is given", () => {
    const next = cron.next()!.getTime();
    expect(next).toBeGreaterThan(Date.now() - 1);
    expect(next).toBeLessThanOrEqual(Date.now() + 60_000);
    expect(cron.previous()!.getTime()).toBeLessThan(Date.now());
    expect(cron.take(2)).toHaveLength(2);
  });

  it("refuses other options than there are", () => {
    const codes = [{ days: "xor" }, { dst: "posix" }].map((options) => {
      try {
        new Cron("* * * * *", options as never);
      } catch (error) {
        return (error as BelfryError).code;
      }
      return "taken";
    });
    expect(codes).toEqual(["OPTION_INVALID", "OPTION_INVALID"]);
    expect(() => new Cron("* * * * *", { anchor: Number.NaN })).toThrow(RangeError);
    expect(() => new Cron(undefined as never)).toThrow("undefined");
    expect(() => new Cron(5 as never)).toThrow("5");
  });
});

describe("between(), take(), matches()", () => {
  const cron = new Cron("0 * * * *");

  it("between() leaves out the start, takes in the end, and may be walked again", () => {
    const range = cron.between(0, 3 * 3_600_000);
    const expected = ["1970-01-01T01:00:00Z", "1970-01-01T02:00:00Z", "1970-01-01T03:00:00Z"];
    expect([...range].map(iso)).toEqual(expected);
    expect([...range].map(iso)).toEqual(expected);
    expect([...cron.between(1, 1)]).toEqual([]);
    expect([...cron.between(3_600_000, 0)]).toEqual([]);
  });

  it("between() finds only what is asked for", () => {
    const seconds = new Cron("* * * * * *").between(0, 8e15);
    const first: Date[] = [];
    for (const at of seconds) if (first.push(at) === 3) break;
    expect(first.map(Number)).toEqual([1_000, 2_000, 3_000]);
  });

  it("take() gives fewer where the schedule ends", () => {
    expect(cron.take(0, 0)).toEqual([]);
    expect(cron.take(2, 0).map(Number)).toEqual([3_600_000, 7_200_000]);
    expect(new Cron("0 0 31 2 *").take(5, 0)).toEqual([]);
    expect(new Cron("0 0 1 1 *").take(5, Date.UTC(275759, 0, 1))).toHaveLength(1);
    expect(() => cron.take(-1, 0)).toThrow(RangeError);
    expect(() => cron.take(1.5, 0)).toThrow(RangeError);
  });

  it("matches() looks at the second that holds the instant", () => {
    expect(cron.matches(3_600_000)).toBe(true);
    expect(cron.matches(3_600_999)).toBe(true);
    expect(cron.matches(3_601_000)).toBe(false);
    expect(cron.matches(3_599_999)).toBe(false);
  });
});

describe("@every", () => {
  const anchor = Date.UTC(2026, 2, 1, 10, 7, 31, 250);
  const cron = new Cron("@every 90m", { anchor, timeZone: "Europe/Berlin" });

  it("counts from the anchor, before and after, over clock changes", () => {
    expect(cron.nextMs(anchor)).toBe(anchor + 5_400_000);
    expect(cron.nextMs(anchor - 1)).toBe(anchor);
    expect(cron.previousMs(anchor)).toBe(anchor - 5_400_000);
    expect(cron.previousMs(anchor + 1)).toBe(anchor);
    const later = anchor + 1_000_000 * 5_400_000;
    expect(cron.nextMs(later - 0.5)).toBe(later);
    expect(cron.matches(later)).toBe(true);
    expect(cron.matches(later + 1)).toBe(true);
    expect(cron.matches(later + 1_000)).toBe(false);
  });

  it("counts from 1970 without one, so that two hosts agree", () => {
    expect(new Cron("@every 1d").nextMs(1)).toBe(86_400_000);
  });

  it("ends where dates end", () => {
    expect(new Cron("@every 1w").nextMs(8.64e15)).toBeNull();
    expect(new Cron("@every 1w").previousMs(-8.64e15)).toBeNull();
  });
});

describe("what never comes", () => {
  it.each(["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 L-30 11 *", "0 0 L-29 2 *", "0 0 31W 4 *"])(
    "%s has no next, at once",
    (expression) => {
      const cron = new Cron(expression, { timeZone: "America/New_York" });
      expect(cron.next(0)).toBeNull();
      expect(cron.previous(0)).toBeNull();
      expect(cron.warnings(0).map((warning) => warning.code)).toEqual(["never"]);
    },
  );

  it.each(["0 0 1-28 * SUN#5", "0 0 22 * WED#3", "0 0 LW * SUN", "0 0 29 2 MON#4"])(
    '%s has none with days: "and"',
    (expression) => {
      expect(new Cron(expression, { days: "and" }).next(0)).toBeNull();
    },
  );

  it("29 February on a Monday comes every 28 years, 40 over a century without leap year", () => {
    const cron = new Cron("0 0 29 2 MON", { days: "and" });
    expect(cron.take(4, Date.UTC(2024, 0, 1)).map(iso)).toEqual([
      "2044-02-29T00:00:00Z",
      "2072-02-29T00:00:00Z",
      "2112-02-29T00:00:00Z",
      "2140-02-29T00:00:00Z",
    ]);
    expect(iso(cron.previous(Date.UTC(2112, 1, 29)))).toBe("2072-02-29T00:00:00Z");
  });

  it("29 February goes from 2096 to 2104", () => {
    expect(iso(new Cron("0 0 29 2 *").next(Date.UTC(2096, 2, 1)))).toBe("2104-02-29T00:00:00Z");
  });

  it("a time that always falls into the gap has no next either", () => {
    const cron = new Cron("30 2 8-14 3 SUN", { days: "and", timeZone: "America/New_York" });
    expect(iso(cron.next(Date.UTC(2000, 0)))).toBe("2000-03-12T07:30:00Z");
    expect(cron.next(Date.UTC(2007, 0))).toBeNull();
    expect(cron.warnings(Date.UTC(2007, 0))[0]?.code).toBe("never");
    const vixie = new Cron("30 2 8-14 3 SUN", { days: "and", timeZone: "America/New_York", dst: "vixie" });
    expect(iso(vixie.next(Date.UTC(2026, 0)))).toBe("2026-03-08T07:00:00Z");
  });
});

describe("far away", () => {
  it("works at both ends of the range of dates", () => {
    for (const timeZone of ["UTC", "America/New_York", "Asia/Kolkata", "+05:30"]) {
      const cron = new Cron("* * * * *", { timeZone });
      expect(cron.nextMs(8.64e15)).toBeNull();
      expect(cron.previousMs(-8.64e15)).toBeNull();
      expect(cron.nextMs(-8.64e15)! - -8.64e15).toBeLessThanOrEqual(60_000);
      expect(8.64e15 - cron.previousMs(8.64e15)!).toBeLessThanOrEqual(60_000);
    }
  });

  it("knows the years before 1970 and before 1 AD", () => {
    expect(iso(new Cron("0 0 29 2 *").previous(Date.UTC(1900, 5, 1)))).toBe("1896-02-29T00:00:00Z");
    const yearOne = new Date(0);
    yearOne.setUTCFullYear(1, 0, 1);
    expect(iso(new Cron("0 0 29 2 *").previous(yearOne))).toBe("0000-02-29T00:00:00Z");
    expect(iso(new Cron("0 0 1 1 *").previous(yearOne))).toBe("0000-01-01T00:00:00Z");
  });

  it("local mean time has seconds: New York was 4:56:02 behind until noon of 18 November 1883", () => {
    const cron = new Cron("0 12 * * *", { timeZone: "America/New_York" });
    expect(cron.take(3, Date.UTC(1883, 10, 16)).map(iso)).toEqual([
      "1883-11-16T16:56:02Z",
      "1883-11-17T16:56:02Z",
      "1883-11-18T16:56:02Z",
    ]);
    // At 12:03:58 clocks went back to 12:00:00: that noon came twice and counts once.
    expect(iso(cron.next(Date.UTC(1883, 10, 18, 16, 56, 2)))).toBe("1883-11-19T17:00:00Z");
    expect(iso(cron.previous(Date.UTC(1883, 10, 19, 12)))).toBe("1883-11-18T16:56:02Z");
  });

  it("a repeated day counts once: Kwajalein had 30 September 1969 almost twice", () => {
    const cron = new Cron("0 6 * * *", { timeZone: "Pacific/Kwajalein" });
    const around = cron.take(4, Date.UTC(1969, 8, 28, 12)).map((at) => at.getTime());
    expect(around.every((at, i) => i === 0 || at > around[i - 1]!)).toBe(true);
    const local = around.map((at) =>
      new Date(at).toLocaleString("en-GB", { timeZone: "Pacific/Kwajalein", timeZoneName: undefined }),
    );
    expect(new Set(local).size).toBe(4);
  });
});

describe("properties of any schedule", () => {
  it("hold for 3,000 of them", { timeout: 60_000 }, () => {
    const random = new Random(7);
    for (let i = 0; i < 3_000; i++) {
      const timeZone = random.pick(ZONES);
      const options = {
        timeZone,
        dst: random.pick(["once", "vixie"] as const),
        days: random.pick(["or", "and"] as const),
      };
      const { text } = plan(random);
      const cron = new Cron(text, options);
      const again = new Cron(String(cron), options);
      const where = `${JSON.stringify(text)} ${JSON.stringify(options)}`;
      expect(again.text, where).toBe(cron.text);
      const after = random.int(Date.UTC(1973, 0), Date.UTC(2036, 0));
      const next = cron.nextMs(after);
      expect(again.nextMs(after), where).toBe(next);
      if (next === null) continue;
      expect(next, where).toBeGreaterThan(after);
      expect(cron.nextMs(next - 1_000), where).toBe(next);
      expect(cron.nextMs(next - 1), where).toBe(next);
      expect(cron.matches(next), where).toBe(true);
      expect(cron.previousMs(next) ?? -Infinity, where).toBeLessThanOrEqual(after);
      expect(cron.previousMs(next + 1), where).toBe(next);
      expect(cron.describe(), where).toMatch(/^[A-Z].*, \S+$/);
      // Splitting a stretch of time anywhere gives the same occurrences.
      const walk = cron.take(20, after).map(Number);
      const end = walk.at(-1)!;
      const middle = random.int(after, end);
      const split = [...cron.between(after, middle), ...cron.between(middle, end)].map(Number);
      expect(split, where).toEqual(walk);
      // And a fresh object, without memory, agrees with one that has walked.
      expect(new Cron(text, options).previousMs(end), where).toBe(cron.previousMs(end));
    }
  });
});

describe("warnings()", () => {
  const timeZone = "America/New_York";
  const from = Date.UTC(2025, 0);
  const codes = (expression: string, dst: "once" | "vixie" = "once"): unknown[] =>
    new Cron(expression, { timeZone, dst }).warnings(from).map(({ code, at }) => [code, at?.toISOString()]);

  it("names the night on which a fixed time is left out", () => {
    expect(codes("30 2 * * *")).toEqual([["skipped", "2025-03-09T07:00:00.000Z"]]);
    expect(new Cron("30 2 * * *", { timeZone }).warnings(from)[0]?.message).toBe(
      '2025-03-09T02:00 to 2025-03-09T03:00 local time does not exist and is left out; not so with dst: "vixie" or in UTC',
    );
    expect(codes("30 3 * * *")).toEqual([]);
    expect(codes("*/20 2 * * *")).toEqual([["skipped", "2025-03-09T07:00:00.000Z"]]);
    expect(codes("0 */2 * * *")).toEqual([["skipped", "2025-03-09T07:00:00.000Z"]]);
    expect(codes("30 2 * * SAT")).toEqual([]);
  });

  it("names the hour in which a schedule that should go on is silent", () => {
    expect(codes("*/5 * * * *")).toEqual([["pause", "2025-11-02T06:00:00.000Z"]]);
    expect(codes("30 * * * *")).toEqual([["pause", "2025-11-02T06:00:00.000Z"]]);
    expect(codes("0,20,40 0-23 * * *")).toEqual([["pause", "2025-11-02T06:00:00.000Z"]]);
    expect(codes("30 1 * * *")).toEqual([]);
    expect(codes("*/5 1 * * *")).toEqual([]);
  });

  it("has nothing to say under the Vixie rule, in UTC and of @every", () => {
    expect(codes("30 2 * * *", "vixie")).toEqual([]);
    expect(codes("*/5 * * * *", "vixie")).toEqual([]);
    expect(new Cron("*/5 * * * *").warnings(from)).toEqual([]);
    expect(new Cron("@every 5m", { timeZone }).warnings(from)).toEqual([]);
  });

  it.each([
    [
      "0 9 1-7 * MON",
      'A day that fits one of the day fields is enough; probably meant is MON#1, else days: "and" asks both',
    ],
    [
      "0 9 8-14 * 1,TUE",
      'A day that fits one of the day fields is enough; probably meant is MON#2,TUE#2, else days: "and" asks both',
    ],
    [
      "0 9 22-28 * SUN",
      'A day that fits one of the day fields is enough; probably meant is SUN#4, else days: "and" asks both',
    ],
    // Vixie cron asks both where one begins with `*`.
    ["0 9 */2 * MON", 'A day that fits one of the day fields is enough; days: "and" asks both'],
    ["0 9 15 * */2", 'A day that fits one of the day fields is enough; days: "and" asks both'],
  ])("%s: either day is enough", (expression, message) => {
    expect(new Cron(expression).warnings(from)).toEqual([{ code: "either", at: null, message }]);
    expect(new Cron(expression, { days: "and" }).warnings(from)).toEqual([]);
  });

  it("the first Monday, as it is suggested, is what days 1 to 7 and Monday give together", () => {
    const both = new Cron("0 9 1-7 * MON", { days: "and" });
    expect(new Cron("0 9 * * MON#1").take(50, from)).toEqual(both.take(50, from));
  });

  it.each(["0 9 1,15 * FRI", "0 9 13 * 5", "0 9 1-5 * MON", "0 9 * * MON", "0 9 1-7 * *"])(
    "%s says what it means",
    (expression) => expect(new Cron(expression).warnings(from)).toEqual([]),
  );

  it("weekday numbers beside `?`, as Quartz writes them, are counted from Sunday there", () => {
    const [warning] = new Cron("0 0 12 ? * 2-6").warnings(from);
    expect(warning).toEqual({
      code: "weekday",
      at: null,
      message: 'Weekday 1 is Monday here and Sunday in Quartz, which writes "?" like this; write names like MON',
    });
    for (const expression of [
      "0 0 12 ? * MON-FRI",
      "0 0 12 ? * *",
      "0 12 ? * 2-6",
      "0 0 12 * * 2-6",
      "0 0 12 ? * */2",
    ]) {
      expect(new Cron(expression).warnings(from), expression).toEqual([]);
    }
  });

  it("@every of whole days in a zone counts elapsed time", () => {
    expect(new Cron("@every 1d", { timeZone }).warnings(from)).toEqual([
      {
        code: "elapsed",
        at: null,
        message: '@every 1d counts elapsed time, not days of America/New_York; for a time of day write "0 9 * * *"',
      },
    ]);
    expect(new Cron("@every 2w", { timeZone }).warnings(from)).toHaveLength(1);
    expect(new Cron("@every 24h", { timeZone }).warnings(from)).toHaveLength(1);
    expect(new Cron("@every 36h", { timeZone }).warnings(from)).toEqual([]);
    expect(new Cron("@every 1d").warnings(from)).toEqual([]);
  });

  it("knows both halves of the year in the south, and half-hour changes", () => {
    const lordHowe = new Cron("0 15 2 * * *", { timeZone: "Australia/Lord_Howe" }).warnings(from);
    expect(lordHowe.map((warning) => warning.at?.toISOString())).toEqual(["2025-10-04T15:30:00.000Z"]);
  });
});
