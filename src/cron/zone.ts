/**
 * What is a time zone, to a schedule?
 *
 * A list of periods with a constant offset; within one, local time is plain integers. This file finds the periods and
 * is the only one that touches Temporal. They come from `getTimeZoneTransition` where there is a Temporal (the runtime's
 * or one passed in), else from `Intl`, asked every three days and bisected where the answers differ; both give the same.
 *
 * Periods are kept by blocks of 2^25 seconds (388 days), found when first asked for, so that a schedule in the year 2100
 * costs nothing in between. A period is cut at the ends of its block, which changes no answer.
 *
 *     local  ──────────┐         ┌────────      "fresh" parts of periods show each local time once, at its
 *                gap   │         │              earlier instant: the dotted part is not fresh. A fresh part
 *     ────────────────┘└·····────┘              knows how many seconds of local time were skipped before it.
 *
 * Limits: two changes of the clock within three days that cancel out are seen by Temporal only (none since 1970).
 */
import { BelfryError, nearest } from "../error.ts";

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
  /** `Temporal.Instant`. */
  readonly Instant: {
    /** Makes an instant from milliseconds since 1970. */
    fromEpochMilliseconds(epochMilliseconds: number): {
      /** Shows the instant in a zone. */
      toZonedDateTimeISO(timeZone: string): object;
    };
  };
}

/** A stretch of time with a constant offset; all in seconds, instants since 1970. */
export interface Segment {
  /** First instant. */
  readonly start: number;
  /** First instant after it. */
  readonly end: number;
  /** Local time less UTC. */
  readonly offset: number;
  /** How much local time was skipped just before `start`. */
  readonly gap: number;
}

/** A time zone as segments. */
export interface Zone {
  /** Canonical name. */
  readonly name: string;
  /**
   * Finds the segment at an instant, or the first one after it.
   *
   * @param fresh only stretches whose local time was not seen before
   */
  at(second: number, fresh: boolean): Segment;
  /** Finds the segment at an instant, or the last one before it. */
  before(second: number, fresh: boolean): Segment;
}

/** Largest instant of a Date, in seconds. */
export const MAX_SECOND = 8.64e12;
const DAY = 86_400;
const BLOCK = 2 ** 25;
/** No zone has been further from UTC, and no change of a clock larger. */
const LOOK_BACK = 3 * DAY;

/**
 * Checks a zone's name.
 *
 * @param name an IANA name in any case, `UTC`, an offset like `+05:30`, or `local` for the process's own zone
 * @param temporal asked for the name's proper spelling where there is one
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
  if (name === "UTC") return name;
  if (typeof name !== "string") throw new TypeError(`A time zone is named by a string, not by ${typeof name}`);
  const lower = name.toLowerCase();
  if (lower === "local") return resolveTimeZone(new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");
  let resolved = resolvedNames.get(name);
  if (resolved === undefined) {
    resolved = lookUp(name, lower, temporal);
    // Bounded, since any mix of cases is a name.
    if (resolvedNames.size > 2_000) resolvedNames.clear();
    resolvedNames.set(name, resolved);
  }
  return resolved;
}

/** Making a formatter to check a name takes 50 us; names come again. */
const resolvedNames = new Map<string, string>();

function lookUp(name: string, lower: string, temporal: TemporalLike | undefined): string {
  if (lower === "utc" || lower === "etc/utc") return "UTC";
  const offset = offsetOf(name);
  if (offset !== null) return writeOffset(offset);
  const known = intlName(name);
  if (known === null) throw unknownZone(name);
  if (known.toLowerCase() === lower) return known;
  // An alias: some runtimes name its target instead. Temporal keeps it and spells it properly.
  const source = temporal ?? nativeTemporal();
  const spelt = source && (zoned(source, 0, name) as { timeZoneId?: string });
  return spelt?.timeZoneId?.toLowerCase() === lower ? spelt.timeZoneId : speltProperly(name);
}

/**
 * Opens a zone that {@link resolveTimeZone} named.
 *
 * @param temporal where periods come from; the runtime's own by default, `Intl` where there is none
 */
export function openZone(name: string, temporal?: TemporalLike): Zone {
  if (name === "UTC") return new FixedZone(name, 0);
  const offset = offsetOf(name);
  if (offset !== null) return new FixedZone(name, offset);
  const source = temporal ?? nativeTemporal();
  const usable = source && typeof zoned(source, 0, name).getTimeZoneTransition === "function" ? source : undefined;
  const zones = zonesOf(usable ?? Intl);
  const known = zones.get(name);
  if (known) return known;
  const zone = new PeriodZone(name, usable ? temporalPeriods(usable, name) : intlPeriods(name));
  zones.set(name, zone);
  return zone;
}

/** Zones that are open, by where their periods come from. */
const opened = new WeakMap<object, Map<string, Zone>>();

function zonesOf(source: object): Map<string, Zone> {
  const zones = opened.get(source) ?? new Map<string, Zone>();
  opened.set(source, zones);
  return zones;
}

/** Starts and offsets of the periods of a stretch of time; the first start is the stretch's. */
interface Periods {
  readonly starts: number[];
  readonly offsets: number[];
}

type PeriodSource = (from: number, to: number) => Periods;

class FixedZone implements Zone {
  readonly name: string;
  readonly #segment: Segment;

  constructor(name: string, offset: number) {
    this.name = name;
    this.#segment = { start: -Infinity, end: Infinity, offset, gap: 0 };
  }

  at(): Segment {
    return this.#segment;
  }

  before(): Segment {
    return this.#segment;
  }
}

class PeriodZone implements Zone {
  readonly name: string;
  readonly #source: PeriodSource;
  readonly #blocks = new Map<number, [all: Segment[], fresh: Segment[]]>();

  constructor(name: string, source: PeriodSource) {
    this.name = name;
    this.#source = source;
  }

  at(second: number, fresh: boolean): Segment {
    for (let index = Math.floor(second / BLOCK); ; index++) {
      for (const segment of this.#block(index)[fresh ? 1 : 0]) if (segment.end > second) return segment;
    }
  }

  before(second: number, fresh: boolean): Segment {
    for (let index = Math.floor(second / BLOCK); ; index--) {
      const segments = this.#block(index)[fresh ? 1 : 0];
      for (let i = segments.length - 1; i >= 0; i--) if (segments[i]!.start <= second) return segments[i]!;
    }
  }

  #block(index: number): [all: Segment[], fresh: Segment[]] {
    let block = this.#blocks.get(index);
    if (block === undefined) {
      if (this.#blocks.size > 2_000) this.#blocks.clear();
      block = this.#cut(index * BLOCK, (index + 1) * BLOCK);
      this.#blocks.set(index, block);
    }
    return block;
  }

  #cut(from: number, to: number): [all: Segment[], fresh: Segment[]] {
    const { starts, offsets } = this.#source(from - LOOK_BACK, to);
    const all: Segment[] = [];
    const fresh: Segment[] = [];
    const seen: [from: number, to: number][] = [];
    for (let i = 0; i < starts.length; i++) {
      const offset = offsets[i]!;
      const start = starts[i]!;
      const end = starts[i + 1] ?? to;
      const skipped = i > 0 ? Math.max(0, start + offset - Math.max(...seen.map((local) => local[1]))) : 0;
      add(all, { start, end, offset, gap: skipped }, from);
      for (const [first, last] of unseen(start + offset, end + offset, seen)) {
        add(
          fresh,
          { start: first - offset, end: last - offset, offset, gap: first - offset === start ? skipped : 0 },
          from,
        );
      }
      seen.push([start + offset, end + offset]);
    }
    return [all, fresh];
  }
}

/** Adds what of a segment lies in the block. */
function add(segments: Segment[], segment: Segment, from: number): void {
  if (segment.start >= from) segments.push(segment);
  else if (segment.end > from) segments.push({ ...segment, start: from, gap: 0 });
}

/** Takes stretches of local time that were seen away from another. */
function unseen(
  from: number,
  to: number,
  seen: readonly (readonly [from: number, to: number])[],
): [from: number, to: number][] {
  let rest: [from: number, to: number][] = [[from, to]];
  for (const [first, last] of seen) {
    rest = rest.flatMap(([start, end]): [from: number, to: number][] =>
      last <= start || first >= end
        ? [[start, end]]
        : [[start, first] as [from: number, to: number], [last, end] as [from: number, to: number]].filter(
            ([a, b]) => a < b,
          ),
    );
  }
  return rest;
}

function nativeTemporal(): TemporalLike | undefined {
  return (globalThis as { Temporal?: TemporalLike }).Temporal;
}

function zoned(temporal: TemporalLike, second: number, zone: string): ZonedDateTimeLike {
  return temporal.Instant.fromEpochMilliseconds(second * 1000).toZonedDateTimeISO(zone) as ZonedDateTimeLike;
}

function clamped(second: number): number {
  return Math.max(-MAX_SECOND, Math.min(MAX_SECOND, second));
}

function temporalPeriods(temporal: TemporalLike, zone: string): PeriodSource {
  return (from, to) => {
    let at: ZonedDateTimeLike | null = zoned(temporal, clamped(from), zone);
    let offset = Math.round(at.offsetNanoseconds / 1e9);
    const periods: Periods = { starts: [from], offsets: [offset] };
    for (;;) {
      at = at.getTimeZoneTransition("next");
      if (at === null) break;
      const start = Math.round(at.epochMilliseconds / 1000);
      if (start >= to) break;
      const next = Math.round(at.offsetNanoseconds / 1e9);
      if (next === offset) continue;
      offset = next;
      periods.starts.push(start);
      periods.offsets.push(offset);
    }
    return periods;
  };
}

function intlPeriods(zone: string): PeriodSource {
  const format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
  const offsetAt = (second: number): number => {
    const text = format.format(clamped(second) * 1000);
    return offsetOf(text.slice(text.indexOf("GMT") + 3) || "+00:00")!;
  };
  return (from, to) => {
    const periods: Periods = { starts: [from], offsets: [offsetAt(from)] };
    let offset = periods.offsets[0]!;
    for (let at = from; at < to; ) {
      const probe = Math.min(at + LOOK_BACK, to);
      while (offsetAt(probe) !== offset) {
        let same = at;
        let other = probe;
        while (other - same > 1) {
          const middle = Math.floor((same + other) / 2);
          if (offsetAt(middle) === offset) same = middle;
          else other = middle;
        }
        if (other >= to) break;
        offset = offsetAt(other);
        periods.starts.push(other);
        periods.offsets.push(offset);
        at = other;
      }
      at = probe;
    }
    return periods;
  };
}

/** Reads `+05:30`, `-0800`, `+05` or, from `Intl`, `-04:56:02`; seconds, `null` where it is none. */
function offsetOf(text: string): number | null {
  const match = /^([+-])([01]\d|2[0-3])(?::?([0-5]\d)(?::([0-5]\d))?)?$/.exec(text);
  if (!match) return null;
  const seconds = Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" && seconds > 0 ? -seconds : seconds;
}

function writeOffset(offset: number): string {
  const minutes = Math.abs(offset) / 60;
  const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

/** Some engines take abbreviations that IANA has not, and "BST" for Bangladesh; the ones it has are here. */
const ABBREVIATIONS = /^(CET|EET|EST|GMT|HST|MET|MST|PRC|ROC|ROK|UCT|WET)$/i;

function intlName(name: string): string | null {
  if (/^[a-z]{3}$/i.test(name) && !ABBREVIATIONS.test(name)) return null;
  if (!/^[a-z]/i.test(name)) return null;
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}

/** Gives an alias in one case only the usual capitals. */
function speltProperly(name: string): string {
  if (ABBREVIATIONS.test(name)) return name.toUpperCase();
  const plain = name === name.toUpperCase() || name === name.toLowerCase() ? name.toLowerCase() : name;
  return plain.replace(/[a-z]+/gi, (word, at: number) =>
    /^(of|es|au)$/.test(word) && at > 0
      ? word
      : /^(us|gb|nz|su|in|gmt|uct|utc|est|edt)$/.test(word)
        ? word.toUpperCase()
        : word[0]!.toUpperCase() + word.slice(1),
  );
}

function unknownZone(name: string): BelfryError {
  const utcOffset = /^(?:utc|gmt)([+-])(\d{1,2})(?::?(\d\d))?$/i.exec(name);
  let guess: string | undefined;
  if (utcOffset) guess = `${utcOffset[1]}${utcOffset[2]!.padStart(2, "0")}:${utcOffset[3] ?? "00"}`;
  else if (/^z(ulu)?$/i.test(name)) guess = "UTC";
  else {
    const zones = Intl.supportedValuesOf?.("timeZone") ?? [];
    const place = name.toLowerCase().replace(/[ -]/g, "_");
    guess = zones.find((zone) => zone.toLowerCase().endsWith(`/${place}`)) ?? nearest(name, zones);
  }
  const remedy = guess
    ? `did you mean ${JSON.stringify(guess)}?`
    : 'use a name like "Europe/Oslo", "UTC", "+05:30" or "local"';
  return new BelfryError("ZONE_UNKNOWN", `No time zone ${JSON.stringify(name)} in this runtime; ${remedy}`);
}
