/**
 * On which days can a rule occur?
 *
 * A period is a year, a month, a week or a day, numbered from one that holds 1970-01-01 or the year 0. Within it every BY
 * part takes days away; what the RFC calls to expand is the same where a part gives days to a period that had one only
 * by default. Where no part names a day, the start does: its day of the month, its weekday.
 */
import { firstDay } from "../cron/days.ts";
import { DAILY, MONTHLY, type Rule, type RuleDay, WEEKLY, YEARLY } from "./rule.ts";

/** A day of the calendar. */
interface CivilDay {
  /** Since January of the year 0. */
  readonly month: number;
  readonly dayOfMonth: number;
  readonly monthLength: number;
  readonly dayOfYear: number;
  readonly yearLength: number;
}

/** Makes a function that splits days, counted from 1970-01-01; it remembers the month, since days come one by one. */
function civilDays(): (day: number) => CivilDay {
  let month = 0;
  let first = 0;
  let end = 0;
  let newYear = 0;
  let yearEnd = 0;
  return (day) => {
    if (day < first || day >= end) {
      // A month has 30.436875 days and begins up to 2.6 earlier or 0.8 later: this is the right one or the one before.
      month = Math.floor((day - 1) / 30.436875) + 1970 * 12;
      if (firstDay(month + 1) <= day) month++;
      first = firstDay(month);
      end = firstDay(month + 1);
      const january = month - modulo(month, 12);
      newYear = firstDay(january);
      yearEnd = firstDay(january + 12);
    }
    return {
      month,
      dayOfMonth: day - first + 1,
      monthLength: end - first,
      dayOfYear: day - newYear + 1,
      yearLength: yearEnd - newYear,
    };
  };
}

const civilDay = civilDays();

/** What picks the days of a rule, with its defaults filled in. */
export interface DayRules {
  readonly byMonth: readonly number[];
  readonly byWeekNo: readonly number[];
  readonly byYearDay: readonly number[];
  readonly byMonthDay: readonly number[];
  readonly byDay: readonly RuleDay[];
}

/** Fills in from the start what a rule leaves open. */
export function dayRules(rule: Rule, start: number): DayRules {
  const { freq, byMonth, byWeekNo, byYearDay, byMonthDay, byDay } = rule;
  const { month, dayOfMonth } = civilDay(start);
  const rules = { byMonth, byWeekNo, byYearDay, byMonthDay, byDay };
  if ([byYearDay, byMonthDay, byDay].some((list) => list.length > 0)) return rules;
  if (freq === WEEKLY || byWeekNo.length > 0) return { ...rules, byDay: [{ day: weekdayOf(start), nth: 0 }] };
  if (freq < MONTHLY) return rules;
  const months = freq === YEARLY && byMonth.length === 0 ? [modulo(month, 12) + 1] : byMonth;
  return { ...rules, byMonth: months, byMonthDay: [dayOfMonth] };
}

/** Makes the test of a day, counted from 1970-01-01. */
export function dayTest(rule: Rule, rules: DayRules): (day: number) => boolean {
  const { byMonth, byWeekNo, byYearDay, byMonthDay, byDay } = rules;
  const ofMonth = rule.freq === MONTHLY || byMonth.length > 0;
  const civil = civilDays();
  return (day) => {
    const weekday = weekdayOf(day);
    if (byDay.length > 0 && !byDay.some((wanted) => wanted.day === weekday)) return false;
    const { month, dayOfMonth, monthLength, dayOfYear, yearLength } = civil(day);
    if (byMonth.length > 0 && !byMonth.includes(modulo(month, 12) + 1)) return false;
    if (byMonthDay.length > 0 && !holds(byMonthDay, dayOfMonth, monthLength)) return false;
    if (byYearDay.length > 0 && !holds(byYearDay, dayOfYear, yearLength)) return false;
    const at = ofMonth ? dayOfMonth : dayOfYear;
    const left = (ofMonth ? monthLength : yearLength) - at;
    const fits = ({ day: wanted, nth }: RuleDay): boolean =>
      wanted === weekday && (nth === 0 || nth === Math.ceil(at / 7) || -nth === Math.floor(left / 7) + 1);
    if (byDay.length > 0 && !byDay.some(fits)) return false;
    return byWeekNo.length === 0 || holds(byWeekNo, ...weekOf(day, rule.weekStart));
  };
}

/** Whether a list has a place, counted from the beginning or from the end. */
function holds(list: readonly number[], at: number, length: number): boolean {
  return list.includes(at) || list.includes(at - length - 1);
}

/** The number of a day's week and how many its year has; the first week has at least four days in the year. */
function weekOf(day: number, weekStart: number): [number: number, count: number] {
  const middle = startOfWeek(day, weekStart) + 3;
  const { dayOfYear, yearLength } = civilDay(middle);
  const weeks = (lastDay: number): number => Math.ceil(lastDay / 7);
  // The day four before the end of a year is in its last week.
  const last = startOfWeek(middle - dayOfYear + 1 + yearLength - 4, weekStart) + 3;
  return [weeks(dayOfYear), weeks(civilDay(last).dayOfYear)];
}

function startOfWeek(day: number, weekStart: number): number {
  return day - modulo(weekdayOf(day) - weekStart, 7);
}

function weekdayOf(day: number): number {
  return modulo(day + 4, 7);
}

/** The number of the period that holds a day. */
export function periodOf(day: number, { freq, weekStart }: Rule): number {
  if (freq === DAILY) return day;
  if (freq === WEEKLY) return Math.floor(startOfWeek(day, weekStart) / 7);
  const { month } = civilDay(day);
  return freq === MONTHLY ? month : Math.floor(month / 12);
}

/** The first day of a period and of the next one. */
export function boundsOf(period: number, { freq, weekStart }: Rule): [from: number, to: number] {
  if (freq === DAILY) return [period, period + 1];
  if (freq === WEEKLY) {
    // Seven days in a row hold one first day of a week.
    const from = startOfWeek(period * 7 + 6, weekStart);
    return [from, from + 7];
  }
  const months = freq === YEARLY ? 12 : 1;
  return [firstDay(period * months), firstDay((period + 1) * months)];
}

export function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
