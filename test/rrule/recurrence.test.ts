/** Does a recurrence keep what docs/rrule.md says of it: start, ends, zones, both ways to take a changing clock? */
import { Temporal } from "temporal-polyfill/implementation";
import { describe, expect, it } from "vitest";
import { Cron, type TemporalLike } from "../../src/cron/mod.ts";
import { CronSyntaxError, Recurrence, type RecurrenceOptions } from "../../src/rrule/mod.ts";
import { Random, ZONES } from "../cron/generate.ts";
import { LONG } from "../cron/long.ts";
import { FREQUENCIES, randomRule } from "./generate.ts";

/** How many random rules are tried. */
const RULES = LONG ? 5_000 : 800;
const TEXTS = LONG ? 300_000 : 20_000;
const DESCRIPTIONS = LONG ? 50_000 : 4_000;

const iso = (list: Iterable<Date>): string[] => [...list].map((at) => at.toISOString().replace(":00.000Z", "Z"));

describe("what cron cannot say", () => {
  const berlin = { timeZone: "Europe/Berlin", anchor: new Date("2026-11-27T10:17:30Z") };

  it.each([
    ["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", ["2026-12-07T08:00Z", "2026-12-21T08:00Z", "2027-01-04T08:00Z"]],
    ["FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17", ["2026-11-30T16:00Z", "2026-12-31T16:00Z"]],
    ["FREQ=MONTHLY;BYDAY=2TH,4TH;BYHOUR=9", ["2026-12-10T08:00Z", "2026-12-24T08:00Z", "2027-01-14T08:00Z"]],
    // 90 minutes from midnight, on each day anew, is two rules; from the first midnight on it goes on.
    ["FREQ=MINUTELY;INTERVAL=90", ["2026-11-27T11:00Z", "2026-11-27T12:30Z", "2026-11-27T14:00Z"]],
    ["FREQ=DAILY;INTERVAL=45;BYHOUR=9", ["2027-01-11T08:00Z", "2027-02-25T08:00Z"]],
    ["FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10;BYHOUR=12", ["2027-10-31T11:00Z", "2028-10-29T11:00Z"]],
  ])("%s after 27 November 2026: %j", (rule, expected) => {
    expect(iso(new Recurrence(rule, berlin).take(expected.length, berlin.anchor))).toEqual(expected);
  });

  it("the last working day is what cron writes LW", () => {
    const start = new Date("2020-01-01T00:00:00Z");
    const rule = new Recurrence("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", { start });
    expect(rule.take(100, start)).toEqual(new Cron("0 0 LW * *").take(100, start));
  });
});

describe("start and ends", () => {
  it("without a start the day of the anchor counts, from 00:00, and nothing before the anchor occurs", () => {
    const anchor = new Date("2026-11-27T10:17:30.500Z");
    const rule = new Recurrence("FREQ=HOURLY;INTERVAL=6;COUNT=3", { anchor });
    expect(iso(rule.take(9, 0))).toEqual(["2026-11-27T12:00Z", "2026-11-27T18:00Z", "2026-11-28T00:00Z"]);
    expect(iso(new Recurrence("FREQ=WEEKLY", { anchor }).take(1, anchor))).toEqual(["2026-12-04T00:00Z"]);
  });

  it("a start gives what the rule leaves open", () => {
    const start = new Date("2026-11-27T10:17:30Z");
    expect(iso(new Recurrence("FREQ=MONTHLY", { start }).take(2, 0))).toEqual([
      "2026-11-27T10:17:30.000Z",
      "2026-12-27T10:17:30.000Z",
    ]);
    expect(iso(new Recurrence("FREQ=DAILY;BYHOUR=9", { start }).take(1, 0))).toEqual(["2026-11-28T09:17:30.000Z"]);
  });

  it("UNTIL is an instant with Z, local time without, and a day through its end", () => {
    const options = { timeZone: "America/New_York", anchor: new Date("2026-12-01T05:00:00Z") };
    const last = (until: string): string | undefined => {
      const rule = new Recurrence(`FREQ=HOURLY;UNTIL=${until}`, options);
      expect(rule.next(rule.previous(8.64e15)!)).toBeNull();
      return rule.previous(8.64e15)?.toISOString();
    };
    expect(last("20261224T150000Z")).toBe("2026-12-24T15:00:00.000Z");
    expect(last("20261224T150000")).toBe("2026-12-24T20:00:00.000Z");
    expect(last("20261224")).toBe("2026-12-25T04:00:00.000Z");
    expect(new Recurrence("FREQ=DAILY;UNTIL=20200101", options).next(0)).toBeNull();
  });

  it("COUNT counts what occurs: local times that do not exist are left out of it", () => {
    const options = { timeZone: "America/New_York", start: new Date("2026-03-07T07:30:00Z") };
    expect(iso(new Recurrence("FREQ=DAILY;COUNT=3", options).take(9, 0))).toEqual([
      "2026-03-07T07:30Z",
      "2026-03-09T06:30Z",
      "2026-03-10T06:30Z",
    ]);
    expect(iso(new Recurrence("FREQ=DAILY;COUNT=3", { ...options, dst: "vixie" }).take(9, 0))).toEqual([
      "2026-03-07T07:30Z",
      "2026-03-08T07:00Z",
      "2026-03-09T06:30Z",
    ]);
  });

  it.each([
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=SECONDLY;INTERVAL=2;BYSECOND=1",
    "FREQ=HOURLY;INTERVAL=24;BYHOUR=5",
    "FREQ=MINUTELY;INTERVAL=7;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6;BYDAY=MO",
  ])("%s never occurs, and says so at once", (rule) => {
    const recurrence = new Recurrence(rule, { timeZone: "Europe/Berlin" });
    expect(recurrence.next(0)).toBeNull();
    expect(recurrence.previous(8e15)).toBeNull();
    expect(recurrence.warnings(0).map(({ code }) => code)).toEqual(["never"]);
  });
});

describe("zones", () => {
  it("rules that cron can say too have its occurrences, by both rules for clock changes", () => {
    const pairs = [
      ["FREQ=DAILY;BYHOUR=2;BYMINUTE=30", "30 2 * * *"],
      ["FREQ=HOURLY;BYMINUTE=0,30", "*/30 * * * *"],
      ["FREQ=MINUTELY;INTERVAL=15", "*/15 * * * *"],
      ["FREQ=WEEKLY;BYDAY=MO,SU;BYHOUR=0", "0 0 * * 0,1"],
      ["FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=23;BYMINUTE=59", "59 23 L * *"],
      ["FREQ=YEARLY;BYMONTH=3,10,11;BYDAY=-1SU,1SU,2SU;BYHOUR=1,2;BYMINUTE=15", "15 1,2 * 3,10,11 0L,0#1,0#2"],
      ["FREQ=SECONDLY;INTERVAL=20;BYHOUR=1", "*/20 * 1 * * *"],
    ] as const;
    const random = new Random(1);
    for (const timeZone of ZONES) {
      for (const dst of ["once", "vixie"] as const) {
        for (const [rule, expression] of pairs) {
          const cron = new Cron(expression, { timeZone, dst });
          const recurrence = new Recurrence(rule, { timeZone, dst, anchor: Date.UTC(1980, 0) });
          for (let i = 0; i < 10; i++) {
            const from = random.int(Date.UTC(1981, 0) / 1000, Date.UTC(2025, 0) / 1000) * 1000;
            const where = `${rule} in ${timeZone}, ${dst}, ${new Date(from).toISOString()}`;
            expect(recurrence.take(40, from).map(Number), where).toEqual(cron.take(40, from).map(Number));
            expect(recurrence.previous(from), where).toEqual(cron.previous(from));
          }
        }
      }
    }
  });

  it("give the same from Temporal, a polyfill and Intl", () => {
    const none = { ZonedDateTime: { prototype: {} }, Instant: {} } as unknown as TemporalLike;
    for (const timeZone of ZONES) {
      const [first, ...others] = [undefined, Temporal, none].map((temporal) =>
        new Recurrence("FREQ=HOURLY;INTERVAL=5", { timeZone, temporal, anchor: Date.UTC(2025, 0) }).take(2_000, 0),
      );
      for (const other of others) expect(other, timeZone).toEqual(first);
    }
  });

  it("warnings name nights that are left out, and hours of silence", () => {
    const codes = (rule: string): unknown[] =>
      new Recurrence(rule, { timeZone: "America/New_York" })
        .warnings(Date.UTC(2025, 0))
        .map(({ code, at }) => [code, at?.toISOString()]);
    expect(codes("FREQ=WEEKLY;BYDAY=SU;BYHOUR=2")).toEqual([["skipped", "2025-03-09T07:00:00.000Z"]]);
    expect(codes("FREQ=MINUTELY;INTERVAL=10")).toEqual([["pause", "2025-11-02T06:00:00.000Z"]]);
    expect(codes("FREQ=WEEKLY;BYDAY=SU;BYHOUR=9")).toEqual([]);
  });
});

describe("any rule", () => {
  it(`${RULES} random ones keep the laws of a calendar`, { timeout: 600_000 }, () => {
    const random = new Random(2026);
    for (let i = 0; i < RULES; i++) {
      const rule = randomRule(random, random.pick(FREQUENCIES));
      const options: RecurrenceOptions = {
        timeZone: random.pick(ZONES),
        dst: random.pick(["once", "vixie"] as const),
        [random.pick(["start", "anchor"])]: random.int(Date.UTC(1990, 0), Date.UTC(2020, 0)),
      };
      const recurrence = new Recurrence(rule, options);
      const again = new Recurrence(recurrence.text, options);
      const where = `${rule} ${JSON.stringify(options)}`;
      expect(again.text, where).toBe(recurrence.text);
      const after = random.int(Date.UTC(1985, 0), Date.UTC(2030, 0));
      const next = recurrence.nextMs(after);
      expect(again.nextMs(after), where).toBe(next);
      expect(recurrence.describe(), where).toMatch(/^Every .*, from \d{4}-\d\d-\d\d.*, \S+$/);
      if (next === null) continue;
      expect(next, where).toBeGreaterThan(after);
      expect(next, where).toBeGreaterThanOrEqual((options.start ?? options.anchor) as number);
      expect(recurrence.nextMs(next - 1), where).toBe(next);
      expect(recurrence.matches(next), where).toBe(true);
      expect(recurrence.previousMs(next) ?? -Infinity, where).toBeLessThanOrEqual(after);
      expect(recurrence.previousMs(next + 1), where).toBe(next);
      const walk = recurrence.take(10, after).map(Number);
      const counted = new Recurrence(`${rule};COUNT=5`, options);
      const all = counted.take(9, -8e15).map(Number);
      expect(all.length, where).toBeLessThanOrEqual(5);
      expect(all, where).toEqual(recurrence.take(all.length, -8e15).map(Number));
      const middle = random.int(after, walk.at(-1)!);
      const split = [...recurrence.between(after, middle), ...recurrence.between(middle, walk.at(-1)!)].map(Number);
      expect(split, where).toEqual(walk);
    }
  });

  it(`${TEXTS} strings are read or refused with a place, and nothing else happens`, { timeout: 600_000 }, () => {
    const random = new Random(200);
    const pieces =
      "FREQ = ; DAILY WEEKLY MONTHLY INTERVAL=2 BYDAY=MO ,-1FR 2TH BYHOUR 9 24 -1 0 COUNT=3 UNTIL=20261224 T000000Z RRULE: BYSETPOS=-1 WKST=SU é \n \t DTSTART BYMONTH=13".split(
        " ",
      );
    let taken = 0;
    for (let i = 0; i < TEXTS; i++) {
      let text = randomRule(random, random.pick(FREQUENCIES.slice(3)));
      if (random.chance(0.7)) {
        const at = random.int(0, text.length - 1);
        text =
          text.slice(0, at) + random.pick(["", text[at]! + text[at]!, ...pieces]) + text.slice(at + random.int(0, 2));
      } else if (random.chance(0.5))
        text = Array.from({ length: random.int(0, 6) }, () => random.pick(pieces)).join("");
      try {
        // The search for a first occurrence is the expensive part: most are only read.
        const recurrence = new Recurrence(text);
        taken++;
        if (new Recurrence(recurrence.text).text !== recurrence.text) expect.fail(text);
      } catch (error) {
        if (!(error instanceof CronSyntaxError)) throw new Error(JSON.stringify(text), { cause: error });
        expect(text.slice(error.column, error.column + error.found.length).toUpperCase()).toBe(
          error.found.toUpperCase(),
        );
      }
    }
    expect(taken).toBeGreaterThan(TEXTS / 10);
  });
});

describe("describe()", () => {
  const options = { timeZone: "Europe/Berlin", start: new Date("2026-12-06T23:00:00Z") };

  it.each([
    ["FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", "Every 2 weeks on Monday, at 09:00, from 2026-12-07"],
    ["FREQ=DAILY", "Every day, at 00:00, from 2026-12-07"],
    [
      "FREQ=WEEKLY;BYDAY=FR,MO;BYHOUR=9,17;BYMINUTE=30",
      "Every week on Monday and Friday, at 09:30 and 17:30, from 2026-12-07",
    ],
    [
      "FREQ=MONTHLY;BYDAY=2TH,4TH;BYHOUR=9",
      "Every month on the 2nd Thursday and the 4th Thursday, at 09:00, from 2026-12-07",
    ],
    [
      "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
      "Every month on Monday, Tuesday, Wednesday, Thursday and Friday, at 00:00, only the last of each month, from 2026-12-07",
    ],
    ["FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "Every month on Friday, if it is day 13, at 00:00, from 2026-12-07"],
    [
      "FREQ=MONTHLY;BYMONTHDAY=1,-1,-2",
      "Every month on day 1, the 2nd last day and the last day, at 00:00, from 2026-12-07",
    ],
    ["FREQ=YEARLY;BYWEEKNO=20", "Every year on Monday, in week 20, at 00:00, from 2026-12-07"],
    ["FREQ=YEARLY;BYYEARDAY=100,-1", "Every year on day 100 and the last day of the year, at 00:00, from 2026-12-07"],
    ["FREQ=YEARLY;BYDAY=20MO", "Every year on the 20th Monday of the year, at 00:00, from 2026-12-07"],
    ["FREQ=YEARLY", "Every year on day 7, in December, at 00:00, from 2026-12-07"],
    ["FREQ=MINUTELY;INTERVAL=90;COUNT=4", "Every 90 minutes, from 2026-12-07, 4 times"],
    ["FREQ=HOURLY;BYMINUTE=0,30;UNTIL=20270101", "Every hour, minute 0 and 30, from 2026-12-07, until 2027-01-01"],
  ])("%s: %s", (rule, words) => expect(new Recurrence(rule, options).describe()).toBe(`${words}, Europe/Berlin`));

  it("two random rules with different occurrences never have the same words", { timeout: 600_000 }, () => {
    const random = new Random(9);
    const known = new Map<string, [string, string]>();
    for (let i = 0; i < DESCRIPTIONS; i++) {
      const rule = randomRule(random, random.pick(FREQUENCIES));
      const recurrence = new Recurrence(rule, options);
      const words = recurrence.describe();
      const [other, text] = known.get(words) ?? [];
      if (other !== undefined && text !== recurrence.text) {
        expect(recurrence.take(20, 0), `${rule} and ${other}: ${words}`).toEqual(
          new Recurrence(other, options).take(20, 0),
        );
      }
      known.set(words, [rule, recurrence.text]);
    }
  });
});

describe("a refusal", () => {
  it.each([
    ["FREQ=WEEKLY;BYDAY=MON", "BYDAY", 18, "MON", 'did you mean "MO"?'],
    ["RRULE:FREQ=WEKLY", "FREQ", 11, "WEKLY", 'did you mean "WEEKLY"?'],
    ["FREQ=DAILY;INTERVALL=2", "rule", 11, "INTERVALL", 'did you mean "INTERVAL"?'],
    ["FREQ=DAILY;COUNT=2;UNTIL=20270101", "UNTIL", 25, "20270101", "leave one out"],
    ["FREQ=DAILY;BYDAY=2MO", "BYDAY", 17, "2MO", "use FREQ=MONTHLY"],
    ["FREQ=MONTHLY;BYDAY=6MO", "BYDAY", 19, "6MO", "at most five"],
    ["FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY", 23, "1", "use FREQ=MONTHLY"],
    ["FREQ=MONTHLY;BYWEEKNO=1", "BYWEEKNO", 22, "1", "FREQ=WEEKLY;INTERVAL=N"],
    ["FREQ=MONTHLY;BYYEARDAY=1", "BYYEARDAY", 23, "1", "use FREQ=YEARLY"],
    ["FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS", 22, "1", "other BY parts"],
    ["FREQ=DAILY;FREQ=DAILY", "FREQ", 11, "FREQ", undefined],
    ["FREQ=DAILY;BYHOUR=24", "BYHOUR", 18, "24", undefined],
    ["FREQ=DAILY;BYHOUR=9,,10", "BYHOUR", 20, "", undefined],
    ["FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY", 24, "0", undefined],
    ["FREQ=DAILY;INTERVAL=0", "INTERVAL", 20, "0", undefined],
    ["FREQ=DAILY;UNTIL=20260230", "UNTIL", 17, "20260230", undefined],
    ["FREQ=DAILY;RSCALE=CHINESE", "rule", 11, "RSCALE", "Gregorian"],
    ["INTERVAL=2", "FREQ", 0, "", undefined],
    ["", "rule", 0, "", undefined],
    ["DTSTART:20260101T000000\nRRULE:FREQ=DAILY", "DTSTART", 0, "DTSTART", "give startAt and timeZone"],
    ["RRULE:FREQ=DAILY\nEXDATE:20260101T000000", "EXDATE", 17, "EXDATE", "give exclude"],
  ])("of %j: in %s at %d, %j: %s", (text, field, column, found, hint) => {
    let error: unknown;
    try {
      new Recurrence(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CronSyntaxError);
    expect(error).toMatchObject({ code: "CRON_SYNTAX", field, column, found });
    if (hint === undefined) expect((error as CronSyntaxError).hint ?? "").toBe("");
    else expect((error as CronSyntaxError).hint).toContain(hint);
  });

  it("of a wrong option names it", () => {
    expect(() => new Recurrence("FREQ=DAILY", { dst: "posix" as never })).toThrow(
      'dst is "once" or "vixie": not posix',
    );
    expect(() => new Recurrence("FREQ=DAILY", { timeZone: "Europe/Olso" })).toThrow('did you mean "Europe/Oslo"?');
    expect(() => new Recurrence("FREQ=DAILY", { start: "2026" as never })).toThrow("start of a recurrence rule");
  });

  it("of a rule by belfry/cron names this entry", () => {
    expect(() => new Cron("RRULE:FREQ=DAILY")).toThrow('looks like a recurrence rule; see "belfry/rrule"');
  });
});
