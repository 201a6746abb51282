/**
 * When does an expression occur next, and when did it last?
 *
 * Within a period of a zone local time is plain integers, so the search is for the next local second whose fields match,
 * done with masks: is the day in the month's mask, the hour in the hours' mask, and so on; the next set bit is one
 * `Math.clz32`. If the second found lies past the period's end, the search goes on in the next period; where it lies far
 * past, the periods in between are not looked at.
 *
 * The rules for clock changes differ only in which part of a period is searched. `"once"` skips the part that repeats
 * local times of the period before. Elapsed time searches everything. The Vixie rule for fixed times searches like
 * `"once"`, and where a match falls into a gap, the first instant after the gap matches instead.
 *
 * Only the forward search is implemented. The last occurrence before an instant is found by bisection with it, so the two
 * directions cannot disagree.
 *
 * The search remembers the month and the period of its last answer, so that walking on costs little; that memory changes
 * no answer.
 */
import { firstDay, matchingDays } from "./days.ts";
import type { CronExpression } from "./expression.ts";
import type { Field } from "./field.ts";
import type { Zone } from "./zone.ts";

/** What happens to local times that a change of the clock skips or repeats. */
export type DstRule = "once" | "vixie";

/** Seconds; also, no local time is further from UTC. */
const DAY = 86_400;
/**
 * How far a search goes over matches that all fell into gaps. The longest wait of a calendar that can match at all is
 * 40 years (29 February on a given weekday); twice that lets one be swallowed.
 */
const HORIZON = 81 * 366 * DAY;

/** Finds occurrences of one expression in one zone; all in seconds since 1970. */
export interface Occurrences {
  /** What they are occurrences of. */
  readonly expression: CronExpression;
  /** Where. */
  readonly zone: Zone;
  /** What happens to local times that a change of the clock skips or repeats. */
  readonly rule: DstRule;
  /** Finds the first occurrence from a second on; it may be past the range of a Date, and is NaN where there is none. */
  next(from: number): number;
  /** Finds the last occurrence up to a second; NaN where there is none. */
  previous(to: number): number;
  /** Tells whether any local second from one up to another (left out) matches, as if no clock ever changed. */
  matchesLocal(from: number, to: number): boolean;
}

/** Makes an {@link Occurrences}. */
export function findOccurrences(expression: CronExpression, zone: Zone, rule: DstRule): Occurrences {
  const nextLocal = localTimes(expression);
  const { next, previous } = walk(zone, nextLocal, { rule, elapsed: expression.starred });
  const matchesLocal: Occurrences["matchesLocal"] = (from, to) => nextLocal(from) < to;
  return { expression, zone, rule, next, previous, matchesLocal };
}

/** Finds the first local second from one on that matches; NaN where there is none. */
export type NextLocal = (from: number) => number;

/**
 * Finds the occurrences of a local calendar in a zone.
 *
 * @param options `elapsed`: under the Vixie rule, what follows elapsed time; `horizon`: see {@link HORIZON}
 */
export function walk(
  zone: Zone,
  nextLocal: NextLocal,
  { rule, elapsed, horizon = HORIZON }: { rule: DstRule; elapsed: boolean; horizon?: number },
): Pick<Occurrences, "next" | "previous"> {
  const once = rule === "once" || !elapsed;
  // The period of the last answer: its first and last seconds, the first that counts, what a gap before it swallowed.
  let start = 0;
  let end = 0;
  let offset = 0;
  let low = 0;
  let gap = 0;
  const next = (from: number): number => {
    for (let at = from; at - from <= horizon; ) {
      if (at < start || at >= end) {
        const period = zone.at(at);
        ({ start, end, offset } = period);
        low = once && period.jump < 0 ? start - period.jump : start;
        gap = once && rule === "vixie" && period.jump > 0 ? period.jump : 0;
      }
      if (at < low) at = low;
      // A match inside the gap before this period counts at the period's start.
      const local = at + offset - (at === start ? gap : 0);
      const found = Math.max(nextLocal(local) - offset, at);
      // Not before the end, and not NaN.
      if (!(found >= end)) return found;
      // Local times between `local` and `found` are ruled out. From a day after `local` on no clock shows others.
      at = end - local >= DAY ? Math.max(end, found + offset - DAY) : end;
    }
    return Number.NaN;
  };

  return {
    next,
    previous(to) {
      let step = 1;
      while (step <= horizon && !(next(to - step) <= to)) step *= 2;
      let at = to - step;
      for (; step >= 1; step /= 2) if (next(at + step) <= to) at += step;
      return next(at) <= to ? next(at) : Number.NaN;
    },
  };
}

/** Makes the local times of an expression. */
function localTimes(expression: CronExpression): NextLocal {
  const [second, minute, hour] = expression.fields as readonly [Field, Field, Field];
  const firstTime = nextBit(hour, 0) * 3600 + nextBit(minute, 0) * 60 + nextBit(second, 0);
  // The month of the last answer: its number since the year 0, its first day since 1970, how many it has, which match.
  let month = 0;
  let first = 0;
  let length = 0;
  let days = 0;

  const enter = (number: number): void => {
    month = number;
    first = firstDay(number);
    length = firstDay(number + 1) - first;
    days = matchingDays(expression, number, first, length);
  };
  // The months from 2000 to 2027 have every kind, of length and first weekday, that each month can have.
  for (let number = 24_000; number < 24_336 && days === 0; number++) enter(number);
  const possible = days !== 0;

  /** The first matching second of a day from one on, -1 where there is none. */
  const nextTime = (from: number): number => {
    const ofDay = (from / 3600) | 0;
    // What is left in this minute, else in this hour, else in this day.
    if ((hour.low >> ofDay) & 1) {
      const ofHour = ((from / 60) | 0) % 60;
      const inMinute = nextBit(minute, ofHour) === ofHour ? nextBit(second, from % 60) : -1;
      if (inMinute >= 0) return from - (from % 60) + inMinute;
      const inHour = nextBit(minute, ofHour + 1);
      if (inHour >= 0) return ofDay * 3600 + inHour * 60 + (firstTime % 60);
    }
    const inDay = nextBit(hour, ofDay + 1);
    return inDay < 0 ? inDay : inDay * 3600 + (firstTime % 3600);
  };

  /** The first local second from one on whose fields match. */
  const nextLocal = (from: number): number => {
    const day = Math.floor(from / DAY) | 0;
    if (day < first || day >= first + length) {
      // A month has 30.436875 days and begins up to 2.6 earlier or 0.8 later: this is the right one or the one before.
      enter(Math.floor((day - 1) / 30.436875) + 1970 * 12);
      if (day >= first + length) enter(month + 1);
    }
    const bit = day - first + 1;
    if ((days >>> bit) & 1) {
      // As 32-bit integers: the remainder of a double is a call in V8, of an integer a multiplication.
      const time = nextTime((from - day * DAY) | 0);
      if (time >= 0) return day * DAY + time;
    }
    let rest = days & (-2 << bit);
    // There is a day within 40 years, or the expression would not be possible.
    while (rest === 0) {
      enter(month + 1);
      rest = days;
    }
    return (first + 30 - Math.clz32(rest & -rest)) * DAY + firstTime;
  };

  return possible ? nextLocal : () => Number.NaN;
}

/** The first value of a field from one on, -1 where there is none. */
function nextBit({ low, high }: Field, from: number): number {
  // Shifts count modulo 32, so that they fit both halves.
  if (from < 32) {
    const rest = low & (-1 << from);
    if (rest !== 0) return 31 - Math.clz32(rest & -rest);
  }
  const rest = from < 32 ? high : from < 64 ? high & (-1 << from) : 0;
  return rest === 0 ? -1 : 63 - Math.clz32(rest & -rest);
}
