/**
 * Which instant does a user mean by `"2026-12-17"`, `"2026-12-24 18:00"`, a Date or a Temporal object?
 *
 * Everything that is taken as a date is read here, into the stretch of time that it names: an instant is itself, a local
 * time is its instant in the schedule's zone (or in the zone that its text names), and a day reaches from its first
 * instant to its last. What begins somewhere takes the first instant ({@link readFrom}), what ends somewhere the last
 * ({@link readUntil}), so `endAt: "2026-12-17"` includes the 17th as `exclude: ["2026-12-17"]` does.
 *
 * Temporal is told by its shape: a polyfill's objects are as good as the runtime's. Plain objects of other calendars
 * write their ISO date, which is read. Fractions of a second below a millisecond are dropped.
 */
import { BelfryError } from "../base/error.ts";
import { openZone, resolveTimeZone, type TemporalLike } from "../cron/zone.ts";
import type { Instant } from "../storage/port.ts";
import { dayAfter, instantOfLocal, readDay } from "./local_time.ts";

/** A `Temporal.PlainDate` (a whole day) or `Temporal.PlainDateTime` (a local time), of any calendar. */
export interface PlainDateLike {
  /** The year, in its calendar. */
  readonly year: number;
  /** The month, in its calendar. */
  readonly month: number;
  /** The day of the month, in its calendar. */
  readonly day: number;
  /** The calendar: `"iso8601"`. */
  readonly calendarId: string;
  /** Writes the ISO date or date and time. */
  toString(): string;
}

/**
 * What may be given as a date: epoch ms, a Date, a `Temporal.Instant`, `ZonedDateTime`, `PlainDate` or `PlainDateTime`, or
 * ISO text. Text without offset is local time in the schedule's zone, or in the zone that it names
 * (`"2026-12-24T18:00[Europe/Berlin]"`); text of a day alone, like a `PlainDate`, is the whole day.
 */
export type When = number | Date | string | { readonly epochMilliseconds: number } | PlainDateLike;

/** Where dates are read. */
export interface WhenContext {
  /** Zone of dates without one. */
  readonly timeZone: string;
  readonly temporal: TemporalLike | undefined;
}

/** The stretch of time that a date names. */
export interface Span {
  /** Its first instant. */
  readonly from: Instant;
  /** Its last instant, the same where it is no day. */
  readonly to: Instant;
  /** The local day where it is a whole day of the context's zone, `2026-12-25`; otherwise null. */
  readonly day: string | null;
  /** False for a local time that a change of clocks skips; then the instants are the first after the gap. */
  readonly exists: boolean;
}

/**
 * Reads where something begins: the first instant of a day.
 *
 * @param option what it is for, quoted in the error
 * @throws BelfryError `OPTION_INVALID` where it is no date, or a local time that does not exist; `ZONE_UNKNOWN`
 */
export function readFrom(value: When, option: string, context: WhenContext): Instant {
  return existing(value, option, context).from;
}

/**
 * Reads where something ends, included: the last instant of a day.
 *
 * @param option what it is for, quoted in the error
 * @throws BelfryError `OPTION_INVALID` where it is no date, or a local time that does not exist; `ZONE_UNKNOWN`
 */
export function readUntil(value: When, option: string, context: WhenContext): Instant {
  return existing(value, option, context).to;
}

function existing(value: When, option: string, context: WhenContext): Span {
  const span = readSpan(value, option, context);
  if (span.exists) return span;
  throw new BelfryError(
    "OPTION_INVALID",
    `Cannot use ${option}: ${show(value)} does not exist in ${context.timeZone}, where clocks go forward over it; ` +
      "write a time after the change, or an instant with its offset",
  );
}

/**
 * Reads the stretch of time that a date names, also a local time that a change of clocks skips.
 *
 * @throws BelfryError `OPTION_INVALID` where it is no date; `ZONE_UNKNOWN`
 */
export function readSpan(value: When, option: string, context: WhenContext): Span {
  const at = instantOf(value);
  if (at !== undefined) {
    if (typeof at === "number" && Math.abs(at) <= MAX_INSTANT) return instantSpan(Math.floor(at));
    throw unreadable(value, option);
  }
  const parts = ISO.exec(String(value).trim());
  if (parts === null) throw unreadable(value, option);
  const { day = "", hour, minute = "00", second = "00", fraction = "0", offset, brackets = "" } = parts.groups ?? {};
  if (readDay(day) === null || Number(hour ?? 0) > 23 || Number(minute) > 59 || Number(second) > 59) {
    throw unreadable(value, option);
  }
  const named = zoneIn(brackets);
  const { temporal } = context;
  const timeZone = named === null ? context.timeZone : resolveTimeZone(named, temporal);
  if (hour === undefined) {
    if (offset !== undefined) throw unreadable(value, option);
    const startOf = (text: string): Instant => instantOfLocal(Date.parse(`${text}T00:00:00Z`), timeZone, temporal);
    const own = timeZone === resolveTimeZone(context.timeZone, temporal);
    return { from: startOf(day), to: startOf(dayAfter(day)) - 1, day: own ? day : null, exists: true };
  }
  const localMs = Date.parse(`${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3).padEnd(3, "0")}Z`);
  if (offset !== undefined) {
    const instant = localMs - offsetMs(offset);
    if (named !== null && !/^z$/i.test(offset) && localOf(instant, timeZone, temporal) !== localMs) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot use ${option}: the offset in ${show(value)} is not that of ${timeZone} then; leave one of the two out`,
      );
    }
    return instantSpan(instant);
  }
  const instant = instantOfLocal(localMs, timeZone, temporal);
  return { ...instantSpan(instant), exists: localOf(instant, timeZone, temporal) === localMs };
}

const MAX_INSTANT = 8.64e15;

const ISO =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d{1,9}))?)?)?(?<offset>Z|[+-]\d\d(?::?\d\d)?)?(?<brackets>(?:\[[^[\]]{1,100}\])*)$/i;

/** The instant of a value that has one; undefined where its text tells it, null where nothing does. */
function instantOf(value: unknown): unknown {
  if (typeof value === "number") return value;
  if (value instanceof Date) return value.getTime();
  if (typeof value === "string") return undefined;
  if (typeof value !== "object" || value === null) return null;
  const { epochMilliseconds, year, day } = value as { epochMilliseconds?: unknown } & Partial<PlainDateLike>;
  return typeof year === "number" && typeof day === "number" ? epochMilliseconds : (epochMilliseconds ?? null);
}

function instantSpan(at: Instant): Span {
  return { from: at, to: at, day: null, exists: true };
}

/** The zone that an annotation like `[Europe/Berlin]` names; null where there is none. Calendars say nothing here. */
function zoneIn(brackets: string): string | null {
  for (const [, text] of brackets.matchAll(/\[!?([^\]]*)\]/g)) if (!text!.includes("=")) return text!;
  return null;
}

function offsetMs(offset: string): number {
  if (/^z$/i.test(offset)) return 0;
  const digits = offset.slice(1).replace(":", "").padEnd(4, "0");
  const ms = (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
  return offset[0] === "-" ? -ms : ms;
}

/** The local time of an instant, written as if it were UTC, epoch ms. */
function localOf(at: Instant, timeZone: string, temporal: TemporalLike | undefined): number {
  return at + openZone(timeZone, temporal).at(Math.floor(at / 1000)).offset * 1000;
}

function unreadable(value: unknown, option: string): BelfryError {
  return new BelfryError(
    "OPTION_INVALID",
    `Cannot read ${option}: ${show(value)} is no date; write "2026-12-24T18:00:00Z", "2026-12-24 18:00" (local time), ` +
      '"2026-12-24" (the day), a Date, a Temporal object or epoch ms',
  );
}

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  try {
    return String(value);
  } catch {
    return "an object";
  }
}
