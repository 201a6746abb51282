/**
 * When does an expression occur next, and when did it last?
 *
 * Within a segment of a zone local time is plain integers, so the search is for the next local second whose fields
 * match, done with masks: is the day in the month's mask, the hour in the hours' mask, and so on; the next set bit is one
 * `Math.clz32`. If the second found lies past the segment's end, the search goes on in the next segment; where it lies
 * far past, the segments in between are not looked at.
 *
 * The three ways with a changing clock differ only in what is walked: `"once"` the fresh segments (each local time at its
 * earlier instant), elapsed time all segments, and the Vixie rule for fixed times the fresh ones, plus the first instant
 * after a gap that swallowed a match.
 *
 * The object remembers the month and the segment of the last answer, so that walking on costs little. That memory
 * changes no answer.
 */
import { matchingDays, monthLength, monthOf, monthStart } from "./days.ts";
import type { CronExpression } from "./expression.ts";
import { MAX_SECOND, type Segment, type Zone } from "./zone.ts";

/** What happens to local times that a change of the clock skips or repeats. */
export type DstRule = "once" | "vixie";

const DAY = 86_400;
/** No local time is further from UTC than this, in seconds. */
const MAX_OFFSET = DAY;
/**
 * How far a search goes over matches that all fell into gaps. The longest wait of a calendar that can match at all is
 * 40 years (29 February on a given weekday); twice that lets one be swallowed.
 */
const HORIZON = 81 * 366 * DAY;

/** Finds occurrences of one expression in one zone; instants are epoch milliseconds. */
export class Occurrences {
  readonly #expression: CronExpression;
  readonly #zone: Zone;
  readonly #fresh: boolean;
  readonly #gaps: boolean;
  #segment: Segment;
  // The month of the last answer: its first day, how many it has, which match.
  #year = 0;
  #month = 0;
  #start = 0;
  #length = 0;
  #days = 0;

  /** @param rule what happens to local times that a change of the clock skips or repeats */
  constructor(expression: CronExpression, zone: Zone, rule: DstRule) {
    this.#expression = expression;
    this.#zone = zone;
    this.#fresh = rule === "once" || !expression.starred;
    this.#gaps = rule === "vixie" && !expression.starred;
    this.#segment = NOWHERE;
  }

  /** Finds the first occurrence strictly after an instant; `null` where there is none. */
  next(after: number): number | null {
    let second = Math.max(Math.floor(after / 1000) + 1, -MAX_SECOND);
    if (this.#expression.never) return null;
    const horizon = second + HORIZON;
    let segment = this.#segment;
    if (!(second >= segment.start && second < segment.end)) segment = this.#zone.at(second, this.#fresh);
    for (;;) {
      const { start, end, offset, gap } = segment;
      if (second < start) second = start;
      if (second > MAX_SECOND || second > horizon) return null;
      let from = second + offset;
      if (this.#gaps && gap > 0 && second === start) from -= gap;
      let found = this.#nextLocal(from);
      if (found < start + offset) found = start + offset;
      if (found < end + offset) {
        this.#segment = segment;
        return found - offset > MAX_SECOND ? null : (found - offset) * 1000;
      }
      // Every local time between `from` and `found` is ruled out. From a day after `from` on no clock shows earlier ones.
      second = end >= from + MAX_OFFSET ? Math.max(end, found - MAX_OFFSET) : end;
      segment = this.#zone.at(second, this.#fresh);
    }
  }

  /** Finds the last occurrence strictly before an instant; `null` where there is none. */
  previous(before: number): number | null {
    let second = Math.min(Math.ceil(before / 1000) - 1, MAX_SECOND);
    if (this.#expression.never) return null;
    const horizon = second - HORIZON;
    for (;;) {
      const { start, end, offset, gap } = this.#zone.before(second, this.#fresh);
      if (second >= end) second = end - 1;
      if (second < -MAX_SECOND || second < horizon) return null;
      const from = second + offset;
      const found = this.#previousLocal(from);
      if (found >= start + offset) return found - offset < -MAX_SECOND ? null : (found - offset) * 1000;
      if (this.#gaps && gap > 0 && found >= start + offset - gap) return start * 1000;
      second = start <= from - MAX_OFFSET ? Math.min(start - 1, found + MAX_OFFSET) : start - 1;
    }
  }

  /** The first local second from `from` on whose fields match. */
  #nextLocal(from: number): number {
    const day = Math.floor(from / DAY);
    if (day < this.#start || day >= this.#start + this.#length) this.#enterMonthOf(day);
    const bit = day - this.#start + 1;
    if ((this.#days >>> bit) & 1) {
      const second = this.#nextTime(from - day * DAY);
      if (second >= 0) return day * DAY + second;
    }
    let rest = this.#days & (-2 << bit);
    while (rest === 0) {
      if (!this.#enterMonth(1)) return Infinity;
      rest = this.#days;
    }
    return (this.#start + 30 - Math.clz32(rest & -rest)) * DAY + this.#nextTime(0);
  }

  /** The last local second up to `from` whose fields match. */
  #previousLocal(from: number): number {
    const day = Math.floor(from / DAY);
    if (day < this.#start || day >= this.#start + this.#length) this.#enterMonthOf(day);
    const bit = day - this.#start + 1;
    if ((this.#days >>> bit) & 1) {
      const second = this.#previousTime(from - day * DAY);
      if (second >= 0) return day * DAY + second;
    }
    let rest = this.#days & ~(-1 << bit);
    while (rest === 0) {
      if (!this.#enterMonth(-1)) return -Infinity;
      rest = this.#days;
    }
    return (this.#start + 30 - Math.clz32(rest)) * DAY + this.#previousTime(DAY - 1);
  }

  /** The first matching second of the day from one on, -1 where there is none. */
  #nextTime(from: number): number {
    const { hours, minutesLow, minutesHigh, secondsLow, secondsHigh } = this.#expression;
    let hour = (from / 3600) | 0;
    let minute = ((from / 60) | 0) - hour * 60;
    let second = -1;
    if ((hours >>> hour) & 1) {
      if (((minute < 32 ? minutesLow >>> minute : minutesHigh >>> (minute - 32)) & 1) !== 0) {
        second = nextBit(secondsLow, secondsHigh, from % 60);
        if (second >= 0) return hour * 3600 + minute * 60 + second;
      }
      minute = nextBit(minutesLow, minutesHigh, minute + 1);
    } else minute = -1;
    if (minute < 0) {
      hour = nextBit(hours, 0, hour + 1);
      if (hour < 0) return -1;
      minute = nextBit(minutesLow, minutesHigh, 0);
    }
    return hour * 3600 + minute * 60 + nextBit(secondsLow, secondsHigh, 0);
  }

  /** The last matching second of the day up to one, -1 where there is none. */
  #previousTime(from: number): number {
    const { hours, minutesLow, minutesHigh, secondsLow, secondsHigh } = this.#expression;
    let hour = (from / 3600) | 0;
    let minute = ((from / 60) | 0) - hour * 60;
    let second = -1;
    if ((hours >>> hour) & 1) {
      if (((minute < 32 ? minutesLow >>> minute : minutesHigh >>> (minute - 32)) & 1) !== 0) {
        second = previousBit(secondsLow, secondsHigh, from % 60);
        if (second >= 0) return hour * 3600 + minute * 60 + second;
      }
      minute = previousBit(minutesLow, minutesHigh, minute - 1);
    } else minute = -1;
    if (minute < 0) {
      hour = previousBit(hours, 0, hour - 1);
      if (hour < 0) return -1;
      minute = previousBit(minutesLow, minutesHigh, 59);
    }
    return hour * 3600 + minute * 60 + previousBit(secondsLow, secondsHigh, 59);
  }

  #enterMonthOf(day: number): void {
    const month = monthOf(day);
    this.#enter(Math.floor(month / 16), month & 15);
  }

  /** Goes to the next (1) or previous (-1) month that the expression names; false past the range of dates. */
  #enterMonth(direction: 1 | -1): boolean {
    let year = this.#year;
    let month = this.#month;
    do {
      month += direction;
      if (month === 0) {
        month = 12;
        year--;
      } else if (month === 13) {
        month = 1;
        year++;
      }
    } while (!((this.#expression.months >>> month) & 1));
    if (Math.abs(year) > 280_000) return false;
    this.#enter(year, month);
    return true;
  }

  #enter(year: number, month: number): void {
    this.#year = year;
    this.#month = month;
    this.#start = monthStart(year, month);
    this.#length = monthLength(year, month);
    const weekday = (((this.#start + 4) % 7) + 7) % 7;
    this.#days = (this.#expression.months >>> month) & 1 ? matchingDays(this.#expression, this.#length, weekday) : 0;
  }
}

const NOWHERE: Segment = { start: 0, end: 0, offset: 0, gap: 0 };

/** The first set bit of two halves from a position on, -1 where there is none. */
function nextBit(low: number, high: number, from: number): number {
  if (from < 32) {
    const rest = low & (-1 << from);
    if (rest !== 0) return 31 - Math.clz32(rest & -rest);
    return high === 0 ? -1 : 63 - Math.clz32(high & -high);
  }
  const rest = from < 64 ? high & (-1 << (from - 32)) : 0;
  return rest === 0 ? -1 : 63 - Math.clz32(rest & -rest);
}

/** The last set bit of two halves up to a position, -1 where there is none. */
function previousBit(low: number, high: number, to: number): number {
  if (to < 0) return -1;
  if (to >= 32) {
    const rest = high & (-1 >>> (63 - to));
    if (rest !== 0) return 63 - Math.clz32(rest);
    to = 31;
  }
  const rest = low & (-1 >>> (31 - to));
  return rest === 0 ? -1 : 31 - Math.clz32(rest);
}
