/**
 * Which instant is a local date or time of a zone?
 *
 * A zone is a list of periods with a constant offset (see `cron/zone.ts`), so the first instant whose local time reaches
 * a wanted one is found by going over the periods around it: within each, local time is plain addition. A local time
 * that comes twice is its first pass; one that a change of clocks left out gives the first instant after the gap.
 */

import { BelfryError } from "../base/error.ts";
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

/** Tells the local day of an instant: `2026-03-29`. */
export function localDay(at: number, timeZone: string, temporal: TemporalLike | undefined): string {
  const offset = openZone(timeZone, temporal).at(Math.floor(at / 1000)).offset;
  return new Date(at + offset * 1000).toISOString().slice(0, 10);
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

/** What may be given as an instant: epoch ms, a Date, ISO text, or a `Temporal.Instant` or `ZonedDateTime`. */
export type When = number | Date | string | { readonly epochMilliseconds: number };

const ISO = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?)?(Z|[+-]\d\d:?\d\d)?$/i;

/**
 * Reads an instant.
 *
 * @param value text without offset is local time in `timeZone`; a day alone is its first instant
 * @param option what it is for, quoted in the error
 * @throws BelfryError `OPTION_INVALID` where it is no instant, or a local time that does not exist
 */
export function readWhen(value: When, option: string, timeZone: string, temporal: TemporalLike | undefined): number {
  const { at, exists } = readMoment(value, option, timeZone, temporal);
  if (exists) return at;
  throw new BelfryError(
    "OPTION_INVALID",
    `Cannot use ${option}: ${JSON.stringify(value)} does not exist in ${timeZone}, where clocks go forward over it; ` +
      "write a time after the change, or an instant with its offset",
  );
}

/**
 * Reads an instant that may be a local time which a change of clocks left out.
 *
 * @returns the instant, of a time that does not exist the first one after the gap; and whether it exists
 * @throws BelfryError `OPTION_INVALID` where it is no instant
 */
export function readMoment(
  value: When,
  option: string,
  timeZone: string,
  temporal: TemporalLike | undefined,
): { at: number; exists: boolean } {
  let at: number | undefined;
  let exists = true;
  if (typeof value === "number") at = value;
  else if (value instanceof Date) at = value.getTime();
  else if (typeof value === "string") {
    const localMs = readText(value);
    if (typeof localMs === "object") {
      at = instantOfLocal(localMs.localMs, timeZone, temporal);
      exists =
        !localMs.exact || openZone(timeZone, temporal).at(Math.floor(at / 1000)).offset * 1000 + at === localMs.localMs;
    } else at = localMs;
  } else if (typeof value === "object" && value !== null) at = value.epochMilliseconds;
  if (typeof at !== "number" || !(Math.abs(at) <= 8.64e15)) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot read ${option}: ${typeof value === "string" ? JSON.stringify(value) : String(value)} is no instant; ` +
        'write "2026-12-24T18:00:00Z", "2026-12-24 18:00" (local time), a Date or epoch ms',
    );
  }
  return { at: Math.floor(at), exists };
}

/** Reads ISO text: an instant where it has an offset, else a local time (`exact` unless only a day was given). */
function readText(text: string): number | { localMs: number; exact: boolean } | undefined {
  const match = ISO.exec(text.trim());
  if (!match) return undefined;
  const [, day, hour = "00", minute = "00", second = "00", fraction = "0", offset] = match;
  if (readDay(day!) === null || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const localMs = Date.parse(`${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, "0")}Z`);
  if (offset === undefined) return { localMs, exact: match[2] !== undefined };
  if (/^z$/i.test(offset)) return localMs;
  const aheadMs = (Number(offset.slice(1, 3)) * 60 + Number(offset.slice(-2))) * 60_000;
  return offset[0] === "-" ? localMs + aheadMs : localMs - aheadMs;
}

function writeOffset(seconds: number): string {
  const clock = new Date(Math.abs(seconds) * 1000).toISOString().slice(11, 16);
  return (seconds < 0 ? "-" : "+") + clock;
}
