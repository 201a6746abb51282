/**
 * What may surprise about a schedule within a year?
 *
 * Nights on which clocks change are looked at one by one: does the expression match local times that are skipped, or
 * that come twice? Each case has its words and its remedy.
 */
import { HOUR } from "./field.ts";
import type { Occurrences } from "./occurrences.ts";

/** Something about a schedule that may surprise. */
export interface CronWarning {
  /**
   * - `never`: there is no occurrence, ever.
   * - `skipped`: a local time that does not exist is left out.
   * - `pause`: a schedule that should go on is silent while local time repeats.
   */
  readonly code: "never" | "skipped" | "pause";
  /** When clocks change; `null` where that is not the cause. */
  readonly at: Date | null;
  /** What happens, when, and what to do about it. */
  readonly message: string;
}

/**
 * Lists what may surprise in the year after an instant, earliest first.
 *
 * @param from seconds since 1970
 */
export function findWarnings({ next, matchesLocal, zone, rule, expression }: Occurrences, from: number): CronWarning[] {
  const everyHour = expression.fields[HOUR]!.low === 0xffffff;
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
