/**
 * What may surprise about a schedule?
 *
 * Each change of the clock within a year is checked: does the expression match local times that are skipped, or that
 * occur twice? Other warnings are about expressions that authors often intend differently from how they are read. Each
 * message says what happens and what to do.
 */
import type { CronExpression } from "./expression.ts";
import { FIELDS, HOUR, MONTH_DAY, WEEKDAY } from "./field.ts";
import type { Occurrences } from "./occurrences.ts";

/** Something about a schedule that may surprise. */
export interface CronWarning {
  /**
   * - `never`: there is no occurrence, ever.
   * - `skipped`: a local time that does not exist is left out.
   * - `pause`: a schedule that should go on is silent while local time repeats.
   * - `either`: a day that fits one of the two day fields is enough, and both were probably meant.
   * - `weekday`: numbers of weekdays were probably meant as in Quartz, where 1 is Sunday.
   * - `elapsed`: `@every` of whole days counts elapsed time, not the days of its zone.
   */
  readonly code: "never" | "skipped" | "pause" | "either" | "weekday" | "elapsed";
  /** When clocks change; `null` where that is not the cause. */
  readonly at: Date | null;
  /** What happens, when, and what to do about it. */
  readonly message: string;
}

/**
 * Lists what may surprise of a cron expression in the year after an instant.
 *
 * @param from seconds since 1970
 */
export function findWarnings(occurrences: Occurrences, from: number): CronWarning[] {
  const { expression } = occurrences;
  const everyHour = expression.fields[HOUR]!.low === 0xffffff;
  const found = clockWarnings(occurrences, everyHour, from);
  return found[0]?.code === "never" ? found : [...misread(expression), ...found];
}

/**
 * Lists the nights on which changes of the clock may surprise in the year after an instant, earliest first; or that
 * nothing occurs any more.
 *
 * @param everyHour whether it goes on hour after hour
 * @param from seconds since 1970
 */
export function clockWarnings(
  { next, matchesLocal, zone, rule }: Omit<Occurrences, "expression" | "previous">,
  everyHour: boolean,
  from: number,
): CronWarning[] {
  if (Number.isNaN(next(from))) return [{ code: "never", at: null, message: "It never occurs" }];
  const warnings: CronWarning[] = [];
  const stamp = (local: number): string => new Date(local * 1000).toISOString().slice(0, 16);
  // Under the Vixie rule nothing is lost.
  for (let at = zone.at(from).end; rule === "once" && at < from + 366 * 86_400; at = zone.at(at).end) {
    const { start, offset, jump } = zone.at(at);
    const first = start + offset - Math.max(jump, 0);
    const last = first + Math.abs(jump);
    // To what goes on hour after hour a gap is nothing, to what has its time of day an overlap.
    if (at !== start || jump > 0 === everyHour || !matchesLocal(first, last)) continue;
    const what = everyHour ? "comes twice, the second time in silence" : "does not exist and is left out";
    warnings.push({
      code: everyHour ? "pause" : "skipped",
      at: new Date(start * 1000),
      message: `${stamp(first)} to ${stamp(last)} local time ${what}; not so with dst: "vixie" or in UTC`,
    });
  }
  return warnings;
}

/** What is often meant in another way. */
function misread({ fields, either, sundayFirst }: CronExpression): CronWarning[] {
  const { low } = fields[MONTH_DAY]!;
  const week = fields[WEEKDAY]!;
  const warnings: CronWarning[] = [];
  // The days 1 to 7, 8 to 14 and so on hold each weekday once.
  const nth = [0xfe, 0x7f00, 0x3f8000, 0x1fc00000].indexOf(low) + 1;
  if (either && (nth || fields[MONTH_DAY]!.text[0] === "*" || week.text[0] === "*")) {
    const days = nth ? FIELDS[WEEKDAY]!.short.filter((_, day) => day < 7 && (week.low >> day) & 1) : [];
    const meant = days.length > 0 ? `probably meant is ${days.map((day) => `${day}#${nth}`).join(",")}, else ` : "";
    const message = `A day that fits one of the day fields is enough; ${meant}days: "and" asks both`;
    warnings.push({ code: "either", at: null, message });
  }
  if (sundayFirst) {
    const message = 'Weekday 1 is Monday here and Sunday in Quartz, which writes "?" like this; write names like MON';
    warnings.push({ code: "weekday", at: null, message });
  }
  return warnings;
}
