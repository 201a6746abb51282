/**
 * When does an expression occur next, and when did it last?
 *
 * Within a period of a zone local time is plain integers, so the search is for the nearest local second whose fields
 * match, done with masks: is the day in the month's mask, the hour in the hours' mask, and so on; the nearest set bit is
 * one `Math.clz32`. If the second found lies past the period's end, the search goes on in the next period; where it lies
 * far past, the periods in between are not looked at.
 *
 * The ways to take a changing clock differ only in what is walked. `"once"` leaves out the part of a period that repeats
 * local times of the one before. Elapsed time walks all. The Vixie rule for fixed times walks like `"once"`, and where
 * a gap swallowed a match, the first instant after it matches.
 *
 * Both directions are one search: `way` is 1 for next and -1 for previous. It remembers the month and the period
 * of the last answer, so that walking on costs little; that memory changes no answer.
 */
import { canMatch, type Month, monthOf } from "./days.ts";
import type { CronExpression } from "./expression.ts";
import type { Field } from "./field.ts";
import type { Period, Zone } from "./zone.ts";

/** What happens to local times that a change of the clock skips or repeats. */
export type DstRule = "once" | "vixie";

/** Seconds; also, no local time is further from UTC. */
const DAY = 86_400;
/**
 * How far a search goes over matches that all fell into gaps. The longest wait of a calendar that can match at all is
 * 40 years (29 February on a given weekday); twice that lets one be swallowed.
 */
const HORIZON = 81 * 366 * DAY;

/** Finds occurrences of one expression in one zone. */
export interface Occurrences {
  /** What they are occurrences of. */
  readonly expression: CronExpression;
  /** Where. */
  readonly zone: Zone;
  /** What happens to local times that a change of the clock skips or repeats. */
  readonly rule: DstRule;
  /**
   * Finds the nearest occurrence from a second on, that second included.
   *
   * @param from seconds since 1970
   * @param way 1 forward, -1 backward
   * @returns seconds since 1970 (it may be past the range of a Date), NaN where there is none
   */
  find(from: number, way: 1 | -1): number;
  /** Tells whether any local second from one up to another (left out) matches, as if no clock ever changed. */
  matchesLocal(from: number, to: number): boolean;
}

/** Makes an {@link Occurrences}. */
export function findOccurrences(expression: CronExpression, zone: Zone, rule: DstRule): Occurrences {
  const [seconds, minutes, hours] = expression.fields as readonly [Field, Field, Field];
  const once = rule === "once" || !expression.starred;
  const possible = canMatch(expression);
  let period: Period = { start: 0, end: 0, offset: 0, jump: 0 };
  let month: Month = { number: 0, first: 0, length: 0, days: 0 };

  /** The nearest matching second of a day from one on, below 0 where there is none. */
  const nearestTime = (from: number, way: 1 | -1): number => {
    const edge = way > 0 ? 0 : 59;
    let hour = (from / 3600) | 0;
    let minute = -1;
    let second = -1;
    // What is left in this minute, else in this hour, else in this day.
    if ((hours.low >> hour) & 1) {
      minute = ((from / 60) | 0) % 60;
      if (nearestBit(minutes, minute, way) === minute) second = nearestBit(seconds, from % 60, way);
      if (second < 0) minute = nearestBit(minutes, minute + way, way);
    }
    if (minute < 0) {
      hour = nearestBit(hours, hour + way, way);
      if (hour < 0) return hour;
      minute = nearestBit(minutes, edge, way);
    }
    if (second < 0) second = nearestBit(seconds, edge, way);
    return hour * 3600 + minute * 60 + second;
  };

  /** The nearest local second from one on whose fields match. */
  const nearestLocal = (from: number, way: 1 | -1): number => {
    const day = Math.floor(from / DAY);
    // A month has 30.436875 days: the first guess is right or next to it.
    if (day < month.first || day >= month.first + month.length)
      month = monthOf(expression, Math.floor(day / 30.436875) + 1970 * 12);
    while (day < month.first) month = monthOf(expression, month.number - 1);
    while (day >= month.first + month.length) month = monthOf(expression, month.number + 1);
    const bit = day - month.first + 1;
    if ((month.days >>> bit) & 1) {
      const second = nearestTime(from - day * DAY, way);
      if (second >= 0) return day * DAY + second;
    }
    let rest = month.days & (way > 0 ? -2 << bit : ~(-1 << bit));
    // There is a day within 40 years, or the expression would not be possible.
    while (rest === 0) {
      month = monthOf(expression, month.number + way);
      rest = month.days;
    }
    return (month.first - 1 + bitOf(rest, way)) * DAY + nearestTime(way > 0 ? 0 : DAY - 1, way);
  };

  return {
    expression,
    zone,
    rule,
    matchesLocal: (from, to) => possible && nearestLocal(from, 1) < to,
    find(from, way) {
      for (let at = from; possible && Math.abs(at - from) <= HORIZON; ) {
        if (at < period.start || at >= period.end) period = zone.at(at);
        const { start, end, offset, jump } = period;
        const low = once && jump < 0 ? start - jump : start;
        // A match inside the gap before this period counts at the period's start.
        const gap = once && rule === "vixie" && jump > 0 ? jump : 0;
        if (way > 0 && at < low) at = low;
        const local = at + offset - (way > 0 && at === start ? gap : 0);
        let found = nearestLocal(local, way) - offset;
        if (found < start && found >= start - gap) found = start;
        if (found >= low && found < end) return found;
        // Local times between `local` and `found` are ruled out. From a day after `local` on no clock shows others.
        const edge = way > 0 ? end : start - 1;
        const far = (found + offset) * way - DAY;
        at = (edge - local) * way >= DAY && far > edge * way ? far * way : edge;
      }
      return Number.NaN;
    },
  };
}

/** The nearest value of a field from one on, -1 where there is none. */
function nearestBit(field: Field, from: number, way: 1 | -1): number {
  if (from < 0 || from > 63) return -1;
  // Shifts count modulo 32, so that they fit both halves.
  const rest = (from < 32 ? field.low : field.high) & (way > 0 ? -1 << from : -1 >>> (31 - from));
  return rest === 0
    ? nearestBit(field, way > 0 ? (from | 31) + 1 : (from & 32) - 1, way)
    : (from & 32) + bitOf(rest, way);
}

/** The lowest (way 1) or highest (-1) set bit of a mask that has one. */
function bitOf(mask: number, way: 1 | -1): number {
  return 31 - Math.clz32(way > 0 ? mask & -mask : mask);
}
