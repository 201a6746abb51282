/**
 * What is a time zone, to a schedule?
 *
 * A list of periods with a constant offset; within one, local time is plain integers. This file finds the periods and
 * is the only one that touches Temporal. They come from `getTimeZoneTransition` where there is a Temporal (the runtime's
 * or one passed in), else from `Intl`, asked every three days and bisected where the answers differ; both give the same.
 *
 * Periods are kept by blocks of 2^25 seconds (388 days), found when first asked for, so that a schedule in the year 2100
 * costs nothing in between. A period may be cut where its block ends, which changes no answer.
 *
 * Limits: offsets in whole seconds; a change of the clock is compared with the period before it only. In no zone have
 * two changes come within six days of each other, nor will they up to 2100.
 */
import { formatter, offsetOf, storedName } from "./zone_name.ts";

/** What is used of a `Temporal.ZonedDateTime`. */
export interface ZonedDateTimeLike {
  /** Milliseconds since 1970. */
  readonly epochMilliseconds: number;
  /** Local time less UTC, in nanoseconds. */
  readonly offsetNanoseconds: number;
  /** Finds the next or previous change of the offset. */
  getTimeZoneTransition(direction: "next" | "previous"): ZonedDateTimeLike | null;
}

/**
 * What is used of Temporal: the native one, `temporal-polyfill` and `@js-temporal/polyfill` all fit.
 *
 * @example
 * ```ts
 * import { Temporal } from "temporal-polyfill";
 * import { Cron } from "belfry/cron";
 *
 * new Cron("0 9 * * *", { timeZone: "Europe/Berlin", temporal: Temporal });
 * ```
 */
export interface TemporalLike {
  /** `Temporal.ZonedDateTime`; a version without `getTimeZoneTransition` is not used. */
  readonly ZonedDateTime: { readonly prototype: { readonly getTimeZoneTransition?: unknown } };
  /** `Temporal.Instant`. */
  readonly Instant: {
    /** Makes an instant from milliseconds since 1970. */
    fromEpochMilliseconds(epochMilliseconds: number): {
      /** Shows the instant in a zone. */
      toZonedDateTimeISO(timeZone: string): ZonedDateTimeLike;
    };
  };
}

/** A stretch of time with a constant offset; all in seconds, instants since 1970. */
export interface Period {
  /** First instant. */
  readonly start: number;
  /** First instant after it. */
  readonly end: number;
  /** Local time less UTC. */
  readonly offset: number;
  /** The offset less that of the period before: local time was skipped (above 0) or repeats (below). */
  readonly jump: number;
}

/** A time zone. */
export interface Zone {
  /** The name as it is to be stored: `Europe/Oslo`, `UTC`, `+05:30`. */
  readonly name: string;
  /** Gives the period that holds an instant. */
  at(second: number): Period;
}

/** Largest instant of a Date, in seconds. */
const MAX_SECOND = 8.64e12;
const BLOCK = 2 ** 25;
/** How far before its block a list of periods begins; also how far `Intl` is trusted not to hide two changes. */
const THREE_DAYS = 2 ** 18;

/**
 * Checks a zone's name.
 *
 * @param name an IANA name in any case, `UTC`, an offset like `+05:30`, or `local` for the process's own zone
 * @param temporal where the zone will be taken from; the runtime's own by default
 * @returns the name as it is to be stored: `Europe/Oslo`, `UTC`, `+05:30`
 * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone
 *
 * @example
 * ```ts
 * import { resolveTimeZone } from "belfry/cron";
 *
 * resolveTimeZone("europe/oslo"); // "Europe/Oslo"
 * ```
 */
export function resolveTimeZone(name: string, temporal?: TemporalLike): string {
  return openZone(name, temporal).name;
}

/**
 * Tells whether two names as they are stored are names of one zone: `US/Eastern` and `America/New_York`.
 *
 * Both Temporal and `Intl` are asked, since which of them knows aliases depends on the runtime.
 */
export function isSameZone(
  a: string,
  b: string,
  temporal: TemporalLike | undefined = (globalThis as Runtime).Temporal,
): boolean {
  if (a === b) return true;
  const target = (name: string): string => formatter(name).resolvedOptions().timeZone;
  const shown = (name: string): (ZonedDateTimeLike & { equals?(other: unknown): boolean }) | undefined =>
    temporal?.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
  try {
    return target(a) === target(b) || shown(a)?.equals?.(shown(b)) === true;
  } catch {
    // Offsets are no names of a zone in every runtime.
    return false;
  }
}

/**
 * Opens a zone.
 *
 * @param name see {@link resolveTimeZone}
 * @param temporal where periods come from; the runtime's own by default, `Intl` where there is none
 * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone
 */
export function openZone(name: string, temporal: TemporalLike | undefined = (globalThis as Runtime).Temporal): Zone {
  if (/^local$/i.test(name)) return openZone(formatter().resolvedOptions().timeZone, temporal);
  const source = temporal?.ZonedDateTime.prototype.getTimeZoneTransition ? temporal : undefined;
  const zones = opened.get(source ?? Intl) ?? new Map<string, Zone>();
  // Bounded, since any mix of cases is a name.
  opened.set(source ?? Intl, zones.size > 2_000 ? new Map() : zones);
  let zone = zones.get(name);
  if (zone === undefined) {
    const fixed = offsetOf(name);
    const proper = fixed === null ? storedName(`${name}`) : name;
    const always: Period = { start: -Infinity, end: Infinity, offset: fixed ?? 0, jump: 0 };
    const changing = fixed === null && proper !== "UTC";
    zone = {
      name: proper,
      at: changing ? inBlocks(source ? fromTemporal(source, proper) : fromIntl(proper)) : () => always,
    };
    zones.set(name, zone);
  }
  return zone;
}

/** A runtime that may have Temporal. */
type Runtime = { Temporal?: TemporalLike };

/** Zones that are open, by where their periods come from. */
const opened = new WeakMap<object, Map<string, Zone>>();

/** Tells the offset at an instant, and when it changes next (past `limit` it does not matter when). */
interface Clock {
  offset(second: number): number;
  change(second: number, limit: number): number;
}

function inBlocks({ offset: offsetAt, change }: Clock): Zone["at"] {
  const blocks = new Map<number, Period[]>();
  return (second) => {
    const index = Math.floor(second / BLOCK);
    let block = blocks.get(index);
    if (block === undefined) {
      if (blocks.size > 2_000) blocks.clear();
      block = [];
      const limit = (index + 1) * BLOCK;
      let start = limit - BLOCK - THREE_DAYS;
      let before = offsetAt(start);
      while (start < limit) {
        const offset = offsetAt(start);
        const end = Math.min(change(start, limit), limit);
        block.push({ start, end, offset, jump: offset - before });
        before = offset;
        start = end;
      }
      blocks.set(index, block);
    }
    let last = block.length - 1;
    while (block[last]!.start > second) last--;
    return block[last]!;
  };
}

/** Instants past the range of a Date are shown as its end. */
function milliseconds(second: number): number {
  return Math.max(-MAX_SECOND, Math.min(MAX_SECOND, second)) * 1000;
}

function fromTemporal(temporal: TemporalLike, zone: string): Clock {
  const at = (second: number): ZonedDateTimeLike =>
    temporal.Instant.fromEpochMilliseconds(milliseconds(second)).toZonedDateTimeISO(zone);
  return {
    offset: (second) => at(second).offsetNanoseconds / 1e9,
    change: (second) => (at(second).getTimeZoneTransition("next")?.epochMilliseconds ?? Infinity) / 1000,
  };
}

function fromIntl(zone: string): Clock {
  const format = formatter(zone);
  const offset = (second: number): number => offsetOf(format.format(milliseconds(second)).split("GMT")[1]!) ?? 0;
  return {
    offset,
    change(second, limit) {
      const from = offset(second);
      let same = second;
      // Steps of three days while nothing changes, then halves of it up to the last second before the change.
      for (let step = THREE_DAYS; step >= 1 && same < limit; ) {
        if (offset(same + step) === from) same += step;
        else step /= 2;
      }
      return same + 1;
    },
  };
}
