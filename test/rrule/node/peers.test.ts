/**
 * Where does Belfry differ from rrule 2.8 and rrule-temporal 2.2, and why?
 *
 * Random rules of every frequency go to all. Where the answers differ, one of the reasons below must hold; a difference
 * without a reason fails. rrule is asked in UTC, rrule-temporal in zones too.
 */
import rrule from "rrule";
import { RRuleTemporal } from "rrule-temporal";
import { Temporal } from "temporal-polyfill/implementation";
import { describe, expect, it } from "vitest";
import { Recurrence } from "../../../src/rrule/mod.ts";
import { Random } from "../../cron/generate.ts";
import { FREQUENCIES, type Frequency, randomRule } from "../generate.ts";

const DAY = 86_400_000;
const MOST = 20;

/** How far each frequency is looked at. */
const SPANS: Record<Frequency, number> = {
  SECONDLY: 2,
  MINUTELY: 20,
  HOURLY: 60,
  DAILY: 1_000,
  WEEKLY: 2_000,
  MONTHLY: 4_000,
  YEARLY: 8_000,
};

function randomStart(random: Random): Date {
  const [year, month, day] = [random.int(1995, 2020), random.int(0, 11), random.int(1, 28)];
  return new Date(
    Date.UTC(year, month, day, random.int(0, 23), random.int(0, 59), random.chance(0.3) ? random.int(0, 59) : 0),
  );
}

/** Finds occurrences up to an end, or up to the last that is looked at. */
function ours(rule: string, start: Date, end: Date, timeZone = "UTC"): { text: string; found: number[]; until: Date } {
  const recurrence = new Recurrence(rule, { start, timeZone });
  const found: number[] = [];
  for (const at of recurrence.between(start.getTime() - 1, end)) if (found.push(at.getTime()) === MOST) break;
  // The others give times in the order in which the rule has them: theirs get it sorted.
  const until = found.length === MOST ? new Date(found.at(-1)! + 1) : end;
  return { text: recurrence.text.slice("RRULE:".length), found, until };
}

/** Why rrule differs; it is not asked where it does. */
const RRULE_REASONS: readonly [RegExp, string][] = [
  [/BYSETPOS=.*-[2-9]|BYSETPOS=-[2-9]/, "a place before the beginning of a set counts from its other end"],
  [/FREQ=WEEKLY.*BYSETPOS/, "the first week begins with the start, also for BYSETPOS"],
];

/** Why rrule-temporal differs; the RFC has BYDAY limit what BYYEARDAY and BYMONTHDAY give in a year. */
const TEMPORAL_REASONS: readonly [RegExp, string][] = [
  [/FREQ=YEARLY.*BYYEARDAY.*BYDAY/, "BYDAY is added to BYYEARDAY, or ignored, where it should limit it"],
  [/FREQ=YEARLY.*BYMONTHDAY.*BYDAY=(.*,)?-?\d/, "numbered weekdays are not combined with BYMONTHDAY"],
  [/FREQ=YEARLY.*BYDAY=(.*,)?-?5[0-3]/, "a weekday that the year has not that often is taken from another year"],
];

describe("recurrence rules against other libraries", () => {
  it("rrule: 500 random rules from DAILY to YEARLY in UTC differ for the reasons listed only", {
    timeout: 300_000,
  }, () => {
    const random = new Random(28);
    let same = 0;
    for (let i = 0; i < 500; i++) {
      const freq = random.pick(FREQUENCIES.slice(3));
      const start = randomStart(random);
      const end = new Date(start.getTime() + SPANS[freq] * DAY);
      const { text, found, until } = ours(randomRule(random, freq), start, end);
      // Where nothing comes, rrule looks up to the year 9999, for seconds.
      if (found.length === 0 || RRULE_REASONS.some(([pattern]) => pattern.test(text))) continue;
      const options = { ...rrule.RRule.parseString(text), dtstart: start, until };
      const theirs = [...new Set(new rrule.RRule(options).all((_, n) => n < 3 * MOST).map(Number))];
      if (theirs.join() !== found.join())
        expect.fail(`${text} from ${start.toISOString()}: ${says(found)}, theirs ${says(theirs)}`);
      same++;
    }
    expect(same).toBeGreaterThan(350);
  });

  it("rrule-temporal: 1,000 random rules in UTC differ for the reasons listed only", { timeout: 300_000 }, () => {
    const random = new Random(228);
    let same = 0;
    for (let i = 0; i < 1_000; i++) {
      const freq = random.pick(FREQUENCIES);
      const start = randomStart(random);
      const end = new Date(start.getTime() + SPANS[freq] * DAY);
      const { text, found, until } = ours(randomRule(random, freq), start, end);
      if (TEMPORAL_REASONS.some(([pattern]) => pattern.test(text))) continue;
      const dtstart = start.toISOString().replace(/[-:]|\.000/g, "");
      const asked = new RRuleTemporal({ rruleString: `DTSTART:${dtstart}\nRRULE:${text}`, maxIterations: 1e7 });
      const theirs = asked
        .between(start, until, true)
        .slice(0, MOST)
        .map((at) => at.epochMilliseconds);
      if (theirs.join() !== found.join())
        expect.fail(`${text} from ${start.toISOString()}: ${says(found)}, theirs ${says(theirs)}`);
      same++;
    }
    expect(same).toBeGreaterThan(850);
  });

  it("rrule-temporal in zones: 400 random rules are the same, times in a gap left out", {
    timeout: 300_000,
  }, () => {
    const random = new Random(5545);
    const zones = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"];
    let same = 0;
    for (let i = 0; i < 400; i++) {
      const freq = random.pick(FREQUENCIES.slice(3));
      const timeZone = random.pick(zones);
      const start = randomStart(random);
      const end = new Date(start.getTime() + SPANS[freq] * DAY);
      const { text, found, until } = ours(randomRule(random, freq), start, end, timeZone);
      if (TEMPORAL_REASONS.some(([pattern]) => pattern.test(text))) continue;
      const zoned = Temporal.Instant.fromEpochMilliseconds(start.getTime()).toZonedDateTimeISO(timeZone);
      const dtstart = zoned.toPlainDateTime().toString({ smallestUnit: "second" }).replace(/[-:]/g, "");
      const asked = new RRuleTemporal({
        rruleString: `DTSTART;TZID=${timeZone}:${dtstart}\nRRULE:${text}`,
        maxIterations: 1e7,
      });
      const theirs = asked
        .between(start, until, true)
        .slice(0, MOST)
        .map((at) => at.epochMilliseconds);
      if (theirs.join() !== found.join()) {
        expect.fail(`${text} in ${timeZone} from ${start.toISOString()}: ${says(found)}, theirs ${says(theirs)}`);
      }
      same++;
    }
    expect(same).toBeGreaterThan(330);
  });
});

function says(list: readonly number[]): string {
  return list.map((at) => new Date(at).toISOString()).join(" ");
}
