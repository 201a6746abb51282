/**
 * Which days of a given month match?
 *
 * A month is a 32-bit mask, bit D for day D. Weekdays are a mask of 7 bits, rotated so that its first bit is the
 * weekday of the first day of the month. What depends on the month's length (`L`, `LW`, `15W`, `5L`) is set bit by bit. A month is fully
 * described by its length and the weekday it starts with: 28 kinds.
 */
import type { CronExpression } from "./expression.ts";
import { MONTH, MONTH_DAY, WEEKDAY } from "./field.ts";

/**
 * Finds the days of a month that match.
 *
 * @param number of the month since January of the year 0
 * @param first its first day, see {@link firstDay}
 * @param length how many days it has
 * @returns a mask, bit D for day D
 */
export function matchingDays(
  { fields, either }: CronExpression,
  number: number,
  first: number,
  length: number,
): number {
  const { low: months } = fields[MONTH]!;
  if (!((months >> (modulo(number, 12) + 1)) & 1)) return 0;
  const { last, near, low } = fields[MONTH_DAY]!;
  const week = fields[WEEKDAY]!;
  const weekday = modulo(first + 4, 7);
  let days = low;
  // Seven bits five times over.
  let weekdays = Math.imul(turned(week.low, weekday), 0x10204081) << 1;
  if (week.nth) {
    for (let nth = 0; nth < 5; nth++) weekdays |= turned(week.nth[nth]!, weekday) << (7 * nth + 1);
    weekdays |= turned(week.nth[5]!, weekday + length) << (length - 6);
  }
  for (let day = last | near ? 1 : 99; day <= length; day++) {
    if ((last >>> (length - day)) & 1) days |= 1 << day;
    if ((near >>> day) & 1 || (near & 1 && day === length)) days |= 1 << workday(day, weekday, length);
  }
  return (either ? days | weekdays : days & weekdays) & (-1 >>> (31 - length)) & -2;
}

/**
 * Counts the days from 1970-01-01 to the first of a month, in the proleptic Gregorian calendar.
 *
 * The year is taken to begin in March, so that the leap day is its last; five months have 153 days.
 *
 * @param month months since January of the year 0
 */
export function firstDay(month: number): number {
  const year = Math.floor((month - 2) / 12);
  const century = Math.floor(year / 100);
  return (
    365 * year + (year >> 2) - century + (century >> 2) + (((153 * (month - 2 - 12 * year) + 2) / 5) | 0) - 719_468
  );
}

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

/** Turns a mask of weekdays so that bit 0 is the weekday of the month's first day. */
function turned(weekdays: number, first: number): number {
  return ((weekdays >> (first % 7)) | (weekdays << (7 - (first % 7)))) & 127;
}

/** The weekday, Monday to Friday, nearest to a day and in the same month. */
function workday(day: number, first: number, length: number): number {
  const weekday = (first + day - 1) % 7;
  if (weekday === 6) return day === 1 ? 3 : day - 1;
  if (weekday === 0) return day === length ? day - 2 : day + 1;
  return day;
}
