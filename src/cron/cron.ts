/**
 * A schedule as an object: the face of `belfry/cron`.
 *
 * Text, zone and options are checked when it is made; after that nothing throws but for a wrong argument. Inside,
 * instants are epoch milliseconds (`nextMs`, `previousMs`); `Date` appears only here. It holds no clock and no timer: an
 * instant that is not given is the present, read in `instant` below and nowhere else in this folder.
 */
import { BelfryError } from "../error.ts";
import { readEvery, writeEvery } from "./every.ts";
import { type CronExpression, readExpression, writeExpression } from "./expression.ts";
import { type DstRule, Occurrences } from "./occurrences.ts";
import { openZone, resolveTimeZone, type TemporalLike } from "./zone.ts";

/** What may be given as an instant: a Date, epoch milliseconds, or a `Temporal.Instant` or `ZonedDateTime`. */
export type InstantLike = Date | number | { readonly epochMilliseconds: number };

/** Options of {@link Cron}. */
export interface CronOptions {
  /**
   * IANA name in any case, `UTC`, an offset like `+05:30`, or `local` for the process's own zone.
   * @default "UTC"
   */
  readonly timeZone?: string | undefined;
  /**
   * When both day fields are restricted: whether a day that fits one of them is enough (POSIX, Vixie) or both must fit.
   * @default "or"
   */
  readonly days?: "or" | "and" | undefined;
  /**
   * What happens when clocks change. `"once"`: a local time that does not exist is left out, one that comes twice counts
   * once, at the earlier instant. `"vixie"`: where minute or hour start with `*`, elapsed time counts; other times
   * count once, and what a gap swallowed comes at the first instant after it.
   * @default "once"
   */
  readonly dst?: DstRule | undefined;
  /**
   * The instant from which `@every` counts.
   * @default 0, which is 1970-01-01T00:00:00Z
   */
  readonly anchor?: InstantLike | undefined;
  /** Where zones come from; the runtime's own Temporal by default, `Intl` where there is none. */
  readonly temporal?: TemporalLike | undefined;
  /** Gives `H` in a field its value: the same seed, the same value. */
  readonly seed?: string | undefined;
}

/**
 * Knows when a schedule occurs.
 *
 * @example
 * ```ts
 * import { Cron } from "belfry/cron";
 *
 * const cron = new Cron("0 9 * * MON-FRI", { timeZone: "Europe/Berlin" });
 * cron.next(new Date("2026-03-27T12:00:00Z"))?.toISOString(); // "2026-03-30T07:00:00.000Z"
 * ```
 */
export class Cron {
  /** The zone's canonical name. */
  readonly timeZone: string;
  /** The interval of `@every` in milliseconds, `null` for a calendar schedule. */
  readonly intervalMs: number | null;
  readonly #anchor: number;
  readonly #expression: CronExpression | null;
  readonly #occurrences: Occurrences | null;
  readonly #seed: string | undefined;
  #text: string | undefined;

  /**
   * @param expression five fields, six with seconds first, a nickname, or `@every` and a duration
   * @throws {CronSyntaxError} `CRON_SYNTAX` where the expression cannot be read
   * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone, `OPTION_INVALID` where another option is wrong
   */
  constructor(expression: string, options: CronOptions = {}) {
    if (typeof expression !== "string") throw new TypeError(`An expression is a string, not ${typeof expression}`);
    const { timeZone = "UTC", days = "or", dst = "once", anchor = 0, temporal, seed } = options;
    if (days !== "or" && days !== "and") throw invalid("days", days, '"or" or "and"');
    if (dst !== "once" && dst !== "vixie") throw invalid("dst", dst, '"once" or "vixie"');
    if (seed !== undefined && typeof seed !== "string") throw invalid("seed", seed, "a string");
    this.timeZone = resolveTimeZone(timeZone, temporal);
    this.#anchor = instant(anchor);
    this.#seed = seed;
    this.intervalMs = readEvery(expression);
    this.#expression = this.intervalMs === null ? readExpression(expression, { days, seed }) : null;
    this.#occurrences = this.#expression && new Occurrences(this.#expression, openZone(this.timeZone, temporal), dst);
  }

  /** Canonical text: parsing it gives the same schedule. */
  get text(): string {
    if (this.#text === undefined) {
      const expression = this.#expression;
      this.#text = expression === null ? writeEvery(this.intervalMs!) : writeExpression(expression, this.#seed);
    }
    return this.#text;
  }

  /** Gives the canonical text. */
  toString(): string {
    return this.text;
  }

  /** Gives the canonical text. */
  toJSON(): string {
    return this.text;
  }

  /**
   * Finds the first occurrence strictly after an instant.
   *
   * @param after the present by default
   * @returns `null` where there is none, ever
   * @throws {RangeError} where `after` is no valid instant
   */
  next(after?: InstantLike): Date | null {
    return dateOf(this.nextMs(instant(after)));
  }

  /**
   * Finds the last occurrence strictly before an instant.
   *
   * @param before the present by default
   * @returns `null` where there is none
   * @throws {RangeError} where `before` is no valid instant
   */
  previous(before?: InstantLike): Date | null {
    return dateOf(this.previousMs(instant(before)));
  }

  /**
   * Lists the occurrences between two instants, found one by one as they are asked for; it may be walked again.
   *
   * @param from left out
   * @param to taken in
   * @throws {RangeError} where one is no valid instant
   */
  between(from: InstantLike, to: InstantLike): Iterable<Date> {
    const start = instant(from);
    const end = instant(to);
    const walk = this.#walk.bind(this, start, end);
    return { [Symbol.iterator]: walk };
  }

  /**
   * Lists the next occurrences.
   *
   * @param count how many, a whole number
   * @param after the present by default
   * @returns fewer where the schedule ends
   * @throws {RangeError} where `count` or `after` is invalid
   */
  take(count: number, after?: InstantLike): Date[] {
    if (!Number.isInteger(count) || count < 0)
      throw new RangeError(`Cannot take ${count} occurrences: a whole number, 0 or more`);
    const dates: Date[] = [];
    let at: number | null = instant(after);
    for (let i = 0; i < count; i++) {
      at = this.nextMs(at);
      if (at === null) break;
      dates.push(new Date(at));
    }
    return dates;
  }

  /**
   * Tells whether the second that holds an instant is an occurrence.
   *
   * @throws {RangeError} where `at` is no valid instant
   */
  matches(at: InstantLike): boolean {
    const phase = this.intervalMs === null ? 0 : this.#anchor;
    const second = Math.floor((instant(at) - phase) / 1000) * 1000 + phase;
    return this.nextMs(second - 1) === second;
  }

  /**
   * Finds the first occurrence strictly after an instant, in epoch milliseconds.
   *
   * @param afterMs may have a fraction
   * @returns `null` where there is none, ever
   * @throws {RangeError} where `afterMs` is not finite
   */
  nextMs(afterMs: number): number | null {
    if (!Number.isFinite(afterMs)) throw notAnInstant(afterMs);
    if (this.#occurrences !== null) return this.#occurrences.next(afterMs);
    const interval = this.intervalMs!;
    const anchor = this.#anchor;
    let at = anchor + (Math.floor((afterMs - anchor) / interval) + 1) * interval;
    if (at <= afterMs) at += interval;
    return at > MAX_MS ? null : at;
  }

  /**
   * Finds the last occurrence strictly before an instant, in epoch milliseconds.
   *
   * @param beforeMs may have a fraction
   * @returns `null` where there is none
   * @throws {RangeError} where `beforeMs` is not finite
   */
  previousMs(beforeMs: number): number | null {
    if (!Number.isFinite(beforeMs)) throw notAnInstant(beforeMs);
    if (this.#occurrences !== null) return this.#occurrences.previous(beforeMs);
    const interval = this.intervalMs!;
    const anchor = this.#anchor;
    let at = anchor + (Math.ceil((beforeMs - anchor) / interval) - 1) * interval;
    if (at >= beforeMs) at -= interval;
    return at < -MAX_MS ? null : at;
  }

  *#walk(start: number, end: number): Generator<Date, void, undefined> {
    for (let at = this.nextMs(start); at !== null && at <= end; at = this.nextMs(at)) yield new Date(at);
  }
}

/** The last instant that a Date can hold. */
const MAX_MS = 8.64e15;

function dateOf(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}

/** Reads an instant as epoch milliseconds; a part of a millisecond that Temporal knows of stays. */
function instant(value: InstantLike = new Date()): number {
  // The default is the only look at a clock in src/cron, for the methods that people call by hand.
  let at: unknown = value;
  if (value instanceof Date) at = value.getTime();
  else if (typeof value === "object" && value !== null) {
    at = value.epochMilliseconds;
    const { epochNanoseconds } = value as { epochNanoseconds?: unknown };
    if (typeof epochNanoseconds === "bigint" && epochNanoseconds % 1_000_000n !== 0n) at = (at as number) + 0.5;
  }
  if (typeof at !== "number")
    throw new TypeError(`An instant is a Date, epoch milliseconds or a Temporal.Instant, not ${typeof value}`);
  if (!(Math.abs(at) <= MAX_MS)) throw notAnInstant(at);
  return at;
}

function notAnInstant(at: number): RangeError {
  return new RangeError(`Cannot look from ${at}: not a valid instant`);
}

function invalid(name: string, value: unknown, expected: string): BelfryError {
  return new BelfryError(
    "OPTION_INVALID",
    `Cannot make a schedule with ${name} ${JSON.stringify(value)}: it is ${expected}`,
  );
}
