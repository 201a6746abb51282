/**
 * Which instant has a given local time in a zone, and which local time has an instant?
 *
 * A zone is a list of periods with a constant offset (see `cron/zone.ts`), so the first instant whose local time reaches
 * a wanted one is found by going over the periods around it: within each, local time is plain addition. A repeated local
 * time means its first pass; one that a change of clocks skips means the first instant after the gap.
 */

import { openZone, type TemporalLike } from "../cron/zone.ts";

const DAY_MS = 86_400_000;
/** No zone is further than this from UTC, and no change of clocks is larger. */
const FAR_S = 30 * 3600;

/**
 * Finds the first instant whose local time is a wanted one or later.
 *
 * @param localMs the wanted local time, written as if it were UTC, epoch ms
 */
export function instantOfLocal(localMs: number, timeZone: string, temporal: TemporalLike | undefined): number {
  const zone = openZone(timeZone, temporal);
  const wanted = localMs / 1000;
  let second = Math.floor(wanted) - FAR_S;
  for (;;) {
    const period = zone.at(second);
    const at = Math.max(period.start, wanted - period.offset);
    if (at < period.end) return Math.max(at, wanted - FAR_S) * 1000;
    second = period.end;
  }
}

/** Writes the local time of an instant: `2026-03-29 09:00:00 +02:00`, with what identifies it for people. */
export function writeLocal(at: number, timeZone: string, temporal: TemporalLike | undefined): string {
  const offset = openZone(timeZone, temporal).at(Math.floor(at / 1000)).offset;
  const text = new Date(at + offset * 1000).toISOString();
  const whole = `${text.slice(0, 10)} ${text.slice(11, text.endsWith(".000Z") ? 19 : 23)}`;
  if (timeZone === "UTC") return `${whole} UTC`;
  return `${whole} ${writeOffset(offset)}`;
}

/**
 * Reads a day, `2026-12-25`.
 *
 * @returns midnight as if it were UTC, epoch ms; null where the text is no day of the calendar
 */
export function readDay(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return null;
  const at = Date.parse(`${text}T00:00:00Z`);
  // Some engines take 30 February for 2 March.
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? null : at;
}

/** The day after, as text. */
export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
}

function writeOffset(seconds: number): string {
  const clock = new Date(Math.abs(seconds) * 1000).toISOString().slice(11, 16);
  return (seconds < 0 ? "-" : "+") + clock;
}
