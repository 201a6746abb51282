/**
 * Does describe() say what happens, and nothing else?
 *
 * A reader of its sentences, which knows nothing of cron, tells what a person would expect; that is compared with the
 * occurrences. And expressions that differ within five years never have the same words.
 */
import { describe, expect, it } from "vitest";
import { Cron } from "../../src/cron/mod.ts";
import { type Plan, plan, Random } from "./generate.ts";
import { randomCases } from "./long.ts";
import { fits } from "./oracle.ts";

describe("describe()", () => {
  it.each([
    ["0 9 * * MON-FRI", "At 09:00, Monday to Friday"],
    ["30 8,12,17 * * *", "At 08:30, 12:30 and 17:30"],
    ["15 30 10 * * *", "At 10:30:15"],
    ["0 */7 * * *", "At 00:00, 07:00, 14:00 and 21:00"],
    ["* * * * *", "Every minute"],
    ["*/1 * * * *", "Every minute"],
    ["0-59 */1 1-31 1-12 0-6", "Every minute"],
    ["* * * * * *", "Every second"],
    ["* * 9 * * *", "Every second, hour 9"],
    ["5 * * * * *", "Second 5, every minute"],
    ["*/15 * * * *", "Every 15 minutes"],
    ["0,15,30,45 * * * *", "Every 15 minutes"],
    ["*/30 * * * *", "Every 30 minutes"],
    ["*/45 * * * *", "Minute 0 and 45, every hour"],
    ["*/25 * * * *", "Minute 0, 25 and 50, every hour"],
    ["*/15 9-17 * * 1-5", "Every 15 minutes, hour 9 to 17, Monday to Friday"],
    ["0 * * * *", "Minute 0, every hour"],
    ["* */2 * * *", "Every minute, every 2 hours"],
    ["0 22-2 * * *", "Minute 0, hour 22 to 2"],
    ["10/20 * * * *", "Every 20 minutes from 10"],
    ["0-30/10 6 * * *", "Every 10 minutes from 0 to 30, hour 6"],
    ["10-14,20,25 * * * *", "Minute 10 to 14, 20 and 25, every hour"],
    ["30 4 1,15 * 5", "At 04:30, day 1 and 15 or Friday"],
    ["30 8 */14 * *", "At 08:30, every 14th day of the month from 1 (1, 15, 29)"],
    ["0 0 */2 * *", "At 00:00, every 2nd day of the month from 1"],
    ["0 0 3/3 * *", "At 00:00, every 3rd day of the month from 3"],
    ["0 0 2-20/6 * *", "At 00:00, day 2, 8, 14 and 20"],
    ["0 0 */31 * *", "At 00:00, day 1"],
    ["0 0 29-3 * *", "At 00:00, day 29 to 3"],
    ["0 0 * * */2", "At 00:00, Sunday, Tuesday, Thursday and Saturday"],
    ["0 0 * * FRI-MON", "At 00:00, Friday to Monday"],
    ["0 0 */2 * */2", "At 00:00, every 2nd day of the month from 1 or Sunday, Tuesday, Thursday and Saturday"],
    ["0 0 1 * 0-6", "At 00:00"],
    ["0 0 L * *", "At 00:00, the last day"],
    ["0 0 L-0 * *", "At 00:00, the last day"],
    ["0 0 L-3 * *", "At 00:00, the last day minus 3"],
    ["0 0 15W,LW * *", "At 00:00, the last weekday and the weekday nearest day 15"],
    [
      "0 0 * * MON#1,TUE#2,WED#3,THU#4,5L",
      "At 00:00, the 1st Monday, the 2nd Tuesday, the 3rd Wednesday, the 4th Thursday and the last Friday",
    ],
    ["0 0 1 JAN,JUL *", "At 00:00, day 1, in January and July"],
    ["0 0 1 */5 *", "At 00:00, day 1, in January, June and November"],
    ["0 0 * 4-9/2 SUN", "At 00:00, Sunday, in April, June and August"],
    ["0 0 * NOV-FEB SUN", "At 00:00, Sunday, in November to February"],
  ])("%s: %s", (expression, words) => expect(new Cron(expression).describe()).toBe(`${words}, UTC`));

  it.each([
    ["0 8 1-7 * MON", "At 08:00, Monday, if it is day 1 to 7"],
    ["0 0 1,15 * 1,3", "At 00:00, Monday or Wednesday, if it is day 1 or 15"],
    ["0 0 */14 * FRI", "At 00:00, Friday, if it is every 14th day of the month from 1 (1, 15, 29)"],
    ["0 0 13 * *", "At 00:00, day 13"],
    ["0 0 13 * 0-6", "At 00:00, day 13"],
  ])('%s with days: "and": %s', (expression, words) => {
    expect(new Cron(expression, { days: "and" }).describe()).toBe(`${words}, UTC`);
  });

  it("says the zone, and where @every counts from", () => {
    expect(new Cron("0 0 * * *", { timeZone: "europe/oslo" }).describe()).toBe("At 00:00, Europe/Oslo");
    expect(new Cron("@every 1h30m", { anchor: 0 }).describe()).toBe("Every 1h30m from 1970-01-01T00:00:00.000Z");
  });
});

const MONTHS = "January February March April May June July August September October November December".split(" ");
const DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");

type DayTest = (date: Date) => boolean;

/** What a person who reads a description expects. */
interface Expected {
  seconds: Set<number>;
  minutes: Set<number>;
  hours: Set<number>;
  occursOn: DayTest;
}

/** Reads a description as a person does, from left to right. */
class Reader {
  #rest: string;

  constructor(text: string) {
    this.#rest = text[0]!.toLowerCase() + text.slice(1);
  }

  read(): Expected {
    const all = (size: number): Set<number> => new Set(Array.from({ length: size }, (_, value) => value));
    const expected: Expected = { seconds: new Set([0]), minutes: all(60), hours: all(24), occursOn: () => true };
    if (this.#take(/at /)) {
      const times = [
        ...this.#must(/\d\d:\d\d(:\d\d)?((, | and )\d\d:\d\d(:\d\d)?)*/)[0].matchAll(/(\d\d):(\d\d):?(\d\d)?/g),
      ];
      expected.hours = new Set(times.map((time) => Number(time[1])));
      expected.minutes = new Set(times.map((time) => Number(time[2])));
      expected.seconds = new Set(times.map((time) => Number(time[3] ?? 0)));
    } else {
      const units = { second: 60, minute: 60, hour: 24 } as const;
      do {
        const every = this.#take(/every (\d+ )?(second|minute|hour)s?( from (\d+))?( to (\d+))?/);
        const [, unit] = every ? [0, every[2]] : this.#must(/(second|minute|hour) /);
        const size = units[unit as keyof typeof units];
        const values = new Set<number>();
        if (every) {
          const to = every[6] ? Number(every[6]) : size - 1;
          // Without an end it is taken to go on over the hour: 45 minutes would not.
          if (!every[6] && size % Number(every[1] ?? 1) > 0) throw new Error(`does not go on: ${every[0]}`);
          for (let at = Number(every[4] ?? 0); at <= to; at += Number(every[1] ?? 1)) values.add(at);
        } else for (const value of this.#numbers(size, 0)) values.add(value);
        expected[`${unit as keyof typeof units}s`] = values;
      } while (this.#take(/, (?=every \d+ (second|minute|hour)|every (second|minute|hour)|second|minute|hour)/));
    }
    const conditions: DayTest[] = [];
    const months = new Set<number>();
    while (this.#take(/, /)) {
      if (this.#take(/in /)) {
        for (const month of this.#names(MONTHS)) months.add(month);
      } else {
        this.#take(/if it is /);
        const any = this.#days();
        conditions.push((date) => any.some((fits) => fits(date)));
      }
    }
    if (this.#rest !== "") throw new Error(`not understood: ${this.#rest}`);
    expected.occursOn = (date) =>
      (months.size === 0 || months.has(date.getUTCMonth())) && conditions.every((fits) => fits(date));
    return expected;
  }

  #days(): DayTest[] {
    const tests: DayTest[] = [];
    do {
      const step = this.#take(/every (\d+)(?:nd|rd|th) day of the month from (\d+)( \([\d, ]+\))?/);
      const minus = this.#take(/the last day(?: minus (\d+))?/);
      const near = this.#take(/the weekday nearest day (\d+)/);
      const nth = this.#take(/the (\d)(?:st|nd|rd|th) (?=[A-Z])/);
      if (step) {
        const [, by, from] = step.map(Number);
        tests.push((date) => date.getUTCDate() >= from! && (date.getUTCDate() - from!) % by! === 0);
      } else if (minus) {
        tests.push((date) => date.getUTCDate() === lengthOf(date) - Number(minus[1] ?? 0));
      } else if (this.#take(/the last weekday/)) {
        tests.push((date) => date.getUTCDate() === nearestWeekday(date, lengthOf(date)));
      } else if (near) {
        tests.push(
          (date) => Number(near[1]) <= lengthOf(date) && date.getUTCDate() === nearestWeekday(date, Number(near[1])),
        );
      } else if (nth) {
        const [day] = this.#names(DAYS, 1);
        tests.push((date) => date.getUTCDay() === day && Math.ceil(date.getUTCDate() / 7) === Number(nth[1]));
      } else if (this.#take(/the last (?=[A-Z])/)) {
        const [day] = this.#names(DAYS, 1);
        tests.push((date) => date.getUTCDay() === day && date.getUTCDate() + 7 > lengthOf(date));
      } else if (this.#take(/day /)) {
        const days = this.#numbers(31, 1);
        tests.push((date) => days.includes(date.getUTCDate()));
      } else {
        const days = this.#names(DAYS);
        tests.push((date) => days.includes(date.getUTCDay()));
      }
    } while (this.#take(/ and | or |, (?!if it is|in )/));
    return tests;
  }

  /** Numbers and ranges of them, which go around after the largest. */
  #numbers(size: number, min: number): number[] {
    const values: number[] = [];
    do {
      const [, from, to] = this.#must(/(\d+)(?: to (\d+))?/);
      values.push(...around(Number(from) - min, Number(to ?? from) - min, size).map((value) => value + min));
    } while (this.#take(/(?:, | and | or )(?=\d)/));
    return values;
  }

  #names(names: readonly string[], most = Infinity): number[] {
    const name = `(${names.join("|")})`;
    const values: number[] = [];
    do {
      const [, from, to] = this.#must(new RegExp(`${name}(?: to ${name})?`));
      values.push(...around(names.indexOf(from!), names.indexOf(to ?? from!), names.length));
    } while (values.length < most && this.#take(new RegExp(`(?:, | and | or )(?=${name})`)));
    return values;
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    const match = new RegExp(`^(?:${pattern.source})`).exec(this.#rest);
    if (match) this.#rest = this.#rest.slice(match[0].length);
    return match;
  }

  #must(pattern: RegExp): RegExpExecArray {
    const match = this.#take(pattern);
    if (!match) throw new Error(`not understood: ${this.#rest}`);
    return match;
  }
}

function around(from: number, to: number, size: number): number[] {
  const values = [from];
  for (let at = from; at !== to; values.push(at)) at = (at + 1) % size;
  return values;
}

function lengthOf(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

function nearestWeekday(date: Date, day: number): number {
  const weekday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day)).getUTCDay();
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === lengthOf(date) ? day - 2 : day + 1;
  return day;
}

const COUNT = randomCases(100_000, 20_000);
const DAY = 86_400_000;
const FROM = Date.UTC(2026, 11, 1);
/** Eight months with every length but 28, among them a February of 29. */
const dates = Array.from({ length: 244 }, (_, i) => new Date(Date.UTC(2027, 11, 1) + i * DAY));

function generated(random: Random): { planned: Plan; days: "or" | "and"; words: string; onDays: Cron } {
  const planned = plan(random);
  const days = random.pick(["or", "and"] as const);
  const words = new Cron(planned.text, { days }).describe();
  const [, , , day, month, weekday] = planned.fields.map((field) => field.text);
  return { planned, days, words, onDays: new Cron(`0 0 ${day} ${month} ${weekday}`, { days }) };
}

function times(planned: Plan): string[] {
  return [60, 60, 24].map((size, index) => {
    let bits = "";
    for (let value = 0; value < size; value++) bits += fits(planned.fields[index]!.items, value, index) ? "1" : "0";
    return bits;
  });
}

describe(`of ${COUNT} random expressions`, () => {
  it("a reader of the description expects what happens", { timeout: 600_000 }, () => {
    const random = new Random(20261128);
    for (let i = 0; i < COUNT; i++) {
      const { planned, days, words, onDays } = generated(random);
      const where = `${JSON.stringify(planned.text)} days ${days}: ${words}`;
      const expected = new Reader(words.replace(/, UTC$/, "")).read();
      const bits = [expected.seconds, expected.minutes, expected.hours].map((values, index) =>
        Array.from({ length: index < 2 ? 60 : 24 }, (_, value) => (values.has(value) ? "1" : "0")).join(""),
      );
      if (bits.join() !== times(planned).join()) expect.fail(where);
      let next = onDays.nextMs(dates[0]!.getTime() - 1);
      for (const date of dates) {
        const occurs = next === date.getTime();
        if (occurs !== expected.occursOn(date)) expect.fail(`${where}, on ${date.toISOString()}`);
        if (occurs) next = onDays.nextMs(next!);
      }
    }
  });

  it("two that differ within five years never have the same description", { timeout: 600_000 }, () => {
    const random = new Random(5);
    const known = new Map<string, { text: string; occurrences: string }>();
    let shared = 0;
    for (let i = 0; i < COUNT; i++) {
      const { planned, words, onDays } = generated(random);
      let hash = 0;
      for (let at = onDays.nextMs(FROM); at !== null && at < FROM + 5 * 365 * DAY; at = onDays.nextMs(at)) {
        hash = (Math.imul(hash, 31) + at / DAY) | 0;
      }
      const occurrences = [...times(planned), hash].join();
      const other = known.get(words);
      if (other === undefined) known.set(words, { text: planned.text, occurrences });
      else {
        shared++;
        if (other.occurrences !== occurrences) expect.fail(`${planned.text} and ${other.text}: ${words}`);
      }
    }
    expect(shared).toBeGreaterThan(COUNT / 100);
  });
});
