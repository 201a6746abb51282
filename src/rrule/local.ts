/**
 * Which local time comes next by a rule?
 *
 * Local times are whole seconds since 1970, as if no clock ever changed; `walk` of the cron room lays them over a zone.
 * FREQ=DAILY and coarser go from period to period (each INTERVAL-th, counted from the start's), make its days and add
 * the times of day. Finer ones go from day to day and look within it for the next hour, minute or second that INTERVAL
 * and the BY parts allow; days and hours that cannot match are passed over.
 *
 * The calendar repeats after 400 years: a rule that gives nothing for so long never does.
 */
import type { NextLocal } from "../cron/occurrences.ts";
import { boundsOf, type DayRules, dayRules, dayTest, modulo, periodOf } from "./dates.ts";
import { DAILY, HOURLY, MINUTELY, MONTHLY, type Rule, WEEKLY, YEARLY } from "./rule.ts";

const DAY = 86_400;
/** How many periods there are in 400 years, by FREQ from DAILY on. */
const PERIODS = { [DAILY]: 146_097, [WEEKLY]: 20_872, [MONTHLY]: 4_800, [YEARLY]: 400 };
const DAYS = 146_097;
const MOST_DAYS = { [DAILY]: 1, [WEEKLY]: 7, [MONTHLY]: 31, [YEARLY]: 366 };

/** The local times of a rule. */
export interface LocalRule {
  /** First second of the start, or later, that matches; NaN where there is none. */
  readonly next: NextLocal;
  /** What picks the days, with what the start gave. */
  readonly days: DayRules;
  /** What picks the times of a day, or of an hour or minute, with what the start gave. */
  readonly times: {
    readonly hours: readonly number[];
    readonly minutes: readonly number[];
    readonly seconds: readonly number[];
  };
}

/**
 * Makes the local times of a rule.
 *
 * @param start the local second from which periods are counted, and which gives what the rule leaves open
 */
export function localRule(rule: Rule, start: number): LocalRule {
  const { freq, byHour, byMinute, bySecond } = rule;
  const time = modulo(start, DAY);
  const or = (list: readonly number[], finest: number, value: number): readonly number[] =>
    list.length > 0 || freq < finest ? list : [value];
  const times = {
    hours: or(byHour, DAILY, Math.floor(time / 3600)),
    minutes: or(byMinute, HOURLY, Math.floor(time / 60) % 60),
    seconds: or(bySecond, MINUTELY, time % 60),
  };
  const days = dayRules(rule, Math.floor(start / DAY));
  const isDay = dayTest(rule, days);
  const search = freq < DAILY ? byTime(rule, start, times, isDay) : byPeriod(rule, start, times, isDay);
  const next: NextLocal = (from) => search(Math.max(from, start));
  const possible = !Number.isNaN(next(start));
  return { next: possible ? next : () => Number.NaN, days, times };
}

type Times = LocalRule["times"];
type DayTest = (day: number) => boolean;

/** FREQ=DAILY and coarser. */
function byPeriod(rule: Rule, start: number, { hours, minutes, seconds }: Times, isDay: DayTest): NextLocal {
  const { freq, interval, bySetPos } = rule;
  const base = periodOf(Math.floor(start / DAY), rule);
  const times = combined(hours, minutes, seconds);
  const limit = PERIODS[freq as keyof typeof PERIODS];
  // No period has as many as BYSETPOS asks for.
  if (
    bySetPos.length > 0 &&
    bySetPos.every((place) => Math.abs(place) > MOST_DAYS[freq as keyof typeof PERIODS] * times.length)
  ) {
    return () => Number.NaN;
  }
  // The period of the last answer.
  let known = Number.NaN;
  let candidates: readonly number[] = [];

  const enter = (period: number): void => {
    known = period;
    const [from, to] = boundsOf(period, rule);
    const days: number[] = [];
    for (let day = from; day < to; day++) if (isDay(day)) days.push(day);
    candidates = bySetPos.length === 0 ? days : picked(bySetPos, days.length * times.length, (i) => timeAt(days, i));
  };
  const timeAt = (days: readonly number[], i: number): number =>
    days[Math.floor(i / times.length)]! * DAY + times[i % times.length]!;

  return (from) => {
    const day = Math.floor(from / DAY);
    const steps = Math.max(0, Math.ceil((periodOf(day, rule) - base) / interval));
    for (let n = 0, period = base + steps * interval; n <= limit; n++, period += interval) {
      if (period !== known) enter(period);
      if (bySetPos.length > 0) {
        const found = candidates.find((at) => at >= from);
        if (found !== undefined) return found;
        continue;
      }
      for (const candidate of candidates) {
        if (candidate < day) continue;
        const found = candidate > day ? times[0] : times.find((at) => candidate * DAY + at >= from);
        if (found !== undefined) return candidate * DAY + found;
      }
    }
    return Number.NaN;
  };
}

/** FREQ finer than DAILY. */
function byTime(rule: Rule, start: number, times: Times, isDay: DayTest): NextLocal {
  const { freq, interval, bySetPos, byHour, byMinute, bySecond } = rule;
  const size = freq === HOURLY ? 3600 : freq === MINUTELY ? 60 : 1;
  const base = Math.floor(start / size);
  const none = [0];
  // What BY parts finer than FREQ give within one of its units.
  const within = combined(none, freq === HOURLY ? times.minutes : none, freq >= MINUTELY ? times.seconds : none);
  const offsets = bySetPos.length === 0 ? within : picked(bySetPos, within.length, (i) => within[i]!);
  /** Where a unit is not allowed, the first second after what rules it out; 0 where it is. */
  const passed = (second: number): number => {
    if (byHour.length > 0 && !byHour.includes(Math.floor(second / 3600) % 24)) return 3600;
    if (size < 3600 && byMinute.length > 0 && !byMinute.includes(Math.floor(second / 60) % 60)) return 60;
    return size < 60 && bySecond.length > 0 && !bySecond.includes(second % 60) ? 1 : 0;
  };
  if (offsets.length === 0 || !isReachable(size, interval, base, passed)) return () => Number.NaN;

  return (from) => {
    const last = from + DAYS * DAY + interval * size;
    for (let at = from; at <= last; ) {
      const day = Math.floor(at / DAY);
      if (!isDay(day)) {
        at = (day + 1) * DAY;
        continue;
      }
      const unit = base + Math.ceil((Math.floor(at / size) - base) / interval) * interval;
      const begin = unit * size;
      if (Math.floor(begin / DAY) > day) {
        at = begin;
        continue;
      }
      const skip = passed(modulo(begin, DAY));
      if (skip > 0) {
        at = Math.max((Math.floor(begin / skip) + 1) * skip, begin + size);
        continue;
      }
      const offset = offsets.find((second) => begin + second >= at);
      if (offset !== undefined) return begin + offset;
      at = begin + size;
    }
    return Number.NaN;
  };
}

/**
 * Whether a unit that INTERVAL reaches is ever one that the BY parts allow: units of the day that are reached on some day
 * are those that leave the start's remainder by what INTERVAL and the day have in common.
 */
function isReachable(size: number, interval: number, base: number, passed: (second: number) => number): boolean {
  const units = DAY / size;
  const common = divisor(interval, units);
  for (let unit = modulo(base, common); unit < units; unit += common) if (passed(unit * size) === 0) return true;
  return false;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** All times of hours, minutes and seconds, earliest first. */
function combined(hours: readonly number[], minutes: readonly number[], seconds: readonly number[]): number[] {
  return hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => (hour * 60 + minute) * 60 + second)),
  );
}

/** What BYSETPOS picks of a set: places counted from its beginning, or from its end where negative. */
function picked(places: readonly number[], size: number, at: (index: number) => number): number[] {
  const indices = places.map((place) => (place > 0 ? place - 1 : size + place));
  return [...new Set(indices)]
    .filter((index) => index >= 0 && index < size)
    .sort((a, b) => a - b)
    .map(at);
}
