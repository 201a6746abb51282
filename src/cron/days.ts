/**
 * Which days of a given month match?
 *
 * A month is a 32-bit mask, bit D for day D. Weekdays are a mask of 7, turned so that its first bit is the weekday of the
 * first, and repeated by one multiplication. What depends on the month's length (`L`, `LW`, `15W`, `5L`) is set bit by bit.
 * A month is fully described by its length and the weekday it starts with: 28 kinds, which is also how an expression
 * that can never match is found out.
 */

/** The day part of an expression. */
export interface DayMasks {
  /** Months, bit M. */
  readonly months: number;
  /** Days of the month, bit D. */
  readonly days: number;
  /** `L-N`, bit N. */
  readonly lastDays: number;
  /** `NW`, bit N. */
  readonly nearDays: number;
  /** `LW`. */
  readonly lastWorkday: boolean;
  /** Days of the week, bit W, Sunday 0. */
  readonly weekdays: number;
  /** `W#N` at N - 1, bit W. */
  readonly nthWeekdays: readonly number[] | null;
  /** `WL`, bit W. */
  readonly lastWeekdays: number;
  /** Whether a day that fits one of the two day fields is enough. */
  readonly either: boolean;
}

/** Tells how many days a month has. */
export function monthLength(year: number, month: number): number {
  if (month !== 2) return 30 + ((month + (month >> 3)) & 1);
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

/**
 * Counts the days from 1970-01-01 to the first of a month, in the proleptic Gregorian calendar.
 *
 * The year is taken to begin in March, so that the leap day is its last; 400 years have 146,097 days.
 */
export function monthStart(year: number, month: number): number {
  const y = month > 2 ? year : year - 1;
  const century = Math.floor(y / 100);
  return 365 * y + Math.floor(y / 4) - century + (century >> 2) + (((153 * ((month + 9) % 12) + 2) / 5) | 0) - 719468;
}

/** Tells in which year and month a day falls, as year x 16 + month; `day` counts from 1970-01-01. */
export function monthOf(day: number): number {
  const shifted = day + 719468;
  const era = Math.floor(shifted / 146097);
  const dayOfEra = shifted - era * 146097;
  const yearOfEra =
    ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36524) | 0) - ((dayOfEra / 146096) | 0)) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0));
  const fromMarch = ((5 * dayOfYear + 2) / 153) | 0;
  const year = yearOfEra + era * 400;
  return fromMarch < 10 ? year * 16 + fromMarch + 3 : (year + 1) * 16 + fromMarch - 9;
}

/**
 * Finds the days that match in a month of one of the 28 kinds.
 *
 * @param length 28 to 31
 * @param first weekday of the first, Sunday 0
 * @returns a mask, bit D for day D
 */
export function matchingDays(masks: DayMasks, length: number, first: number): number {
  const month = (-1 >>> (31 - length)) & ~1;
  let weekdays = Math.imul(turned(masks.weekdays, first), EVERY_WEEK) << 1;
  if (masks.lastWeekdays !== 0) {
    weekdays |= (Math.imul(turned(masks.lastWeekdays, first), EVERY_WEEK) << 1) & (127 << (length - 6));
  }
  if (masks.nthWeekdays !== null) {
    for (let week = 0; week < 5; week++) weekdays |= (turned(masks.nthWeekdays[week]!, first) << (7 * week)) << 1;
  }
  let days = masks.days;
  if (masks.lastDays !== 0) {
    for (let n = 0; n < length; n++) if ((masks.lastDays >>> n) & 1) days |= 1 << (length - n);
  }
  if (masks.lastWorkday) days |= 1 << workday(length, first, length);
  if (masks.nearDays !== 0) {
    for (let day = 1; day <= length; day++) if ((masks.nearDays >>> day) & 1) days |= 1 << workday(day, first, length);
  }
  return (masks.either ? days | weekdays : days & weekdays) & month;
}

/** Tells whether any month, in any year, has a matching day. */
export function canMatch(masks: DayMasks): boolean {
  for (let month = 1; month <= 12; month++) {
    if (!((masks.months >> month) & 1)) continue;
    for (let first = 0; first < 7; first++) {
      if (matchingDays(masks, monthLength(2000, month), first) !== 0) return true;
      if (month === 2 && matchingDays(masks, 28, first) !== 0) return true;
    }
  }
  return false;
}

/** Seven bits five times over (the last days of the fifth week fall out at the top). */
const EVERY_WEEK = 0x10204081;

/** Turns a mask of weekdays so that bit 0 is the weekday of the month's first day. */
function turned(weekdays: number, first: number): number {
  return ((weekdays >> first) | (weekdays << (7 - first))) & 127;
}

/** The weekday, Monday to Friday, nearest to a day and in the same month. */
function workday(day: number, first: number, length: number): number {
  const weekday = (first + day - 1) % 7;
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === length ? day - 2 : day + 1;
  return day;
}
