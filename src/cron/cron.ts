/**
 * A schedule as an object: the face of `belfry/cron`.
 *
 * Text, zone and options are checked when it is made; after that nothing throws but for a wrong argument. Inside,
 * instants are epoch milliseconds (`nextMs`, `previousMs`); `Date` appears only here. It holds no clock and no timer: an
 * instant that is not given is the present, read in `instant` below and nowhere else in this folder.
 */
import { BelfryError } from "../base/error.ts";
import { describeExpression } from "./describe.ts";
import { readEvery } from "./every.ts";
import { readExpression, writeExpression } from "./expression.ts";
import { type DstRule, findOccurrences, type Occurrences } from "./occurrences.ts";
import { type CronWarning, findWarnings } from "./warnings.ts";
import { openZone, type TemporalLike } from "./zone.ts";

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
  #text: string | undefined;
  readonly #occurrences: Occurrences | null;

  /**
   * Reads an expression and checks the options.
   *
   * @param expression five fields, six with seconds first, a nickname, or `@every` and a duration
   * @throws {CronSyntaxError} `CRON_SYNTAX` where the expression cannot be read
   * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone, `OPTION_INVALID` where another option is wrong
   */
  constructor(expression: string, options: CronOptions = {}) {
    const { timeZone = "UTC", days = "or", dst = "once", anchor = 0, temporal, seed } = options;
    if (!/^(or|and) (once|vixie)$/.test(`${days} ${dst}`)) {
      throw new BelfryError("OPTION_INVALID", `days is "or" or "and", dst "once" or "vixie": not ${days}, ${dst}`);
    }
    const zone = openZone(timeZone, temporal);
    this.timeZone = zone.name;
    const from = instant(anchor);
    const every = readEvery(`${expression}`);
    this.intervalMs = every?.ms ?? null;
    this.#anchor = every ? from : 0;
    this.#text = every?.text;
    this.#occurrences = every ? null : findOccurrences(readExpression(`${expression}`, { days, seed }), zone, dst);
  }

  /** Canonical text: parsing it, with the same options, gives the same schedule. */
  get text(): string {
    this.#text ??= writeExpression(this.#occurrences!.expression);
    return this.#text;
  }

  /** Gives the canonical text. */
  toString(): string {
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
    return dateOf(this.#find(instant(after), 1));
  }

  /**
   * Finds the last occurrence strictly before an instant.
   *
   * @param before the present by default
   * @returns `null` where there is none
   * @throws {RangeError} where `before` is no valid instant
   */
  previous(before?: InstantLike): Date | null {
    return dateOf(this.#find(instant(before), -1));
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
    const next = (at: number): number | null => this.#find(at, 1);
    return {
      *[Symbol.iterator](): Generator<Date, void, undefined> {
        for (let at = next(start); at !== null && at <= end; at = next(at)) yield new Date(at);
      },
    };
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
    if (!Number.isInteger(count) || count < 0) throw new RangeError(`Not a count: ${count}`);
    const dates: Date[] = [];
    let at: number | null = instant(after);
    for (let i = 0; i < count; i++) {
      at = this.#find(at, 1);
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
    const second = Math.floor(instant(at) / 1000) * 1000;
    return (this.nextMs(second - 1) ?? Infinity) < second + 1000;
  }

  /**
   * Says the schedule in plain English.
   *
   * @example
   * ```ts
   * import { Cron } from "belfry/cron";
   *
   * new Cron("0 9 * * MON-FRI").describe(); // "At 09:00, Monday to Friday, UTC"
   * ```
   */
  describe(): string {
    const occurrences = this.#occurrences;
    return occurrences === null
      ? `E${this.text.slice(2)} from ${new Date(this.#anchor).toISOString()}`
      : `${describeExpression(occurrences.expression)}, ${this.timeZone}`;
  }

  /**
   * Lists what may surprise in the year after an instant: nights on which it does not occur, hours in which it is silent,
   * that it never occurs, that it is often meant in another way.
   *
   * @param at the present by default
   * @throws {RangeError} where `at` is no valid instant
   */
  warnings(at?: InstantLike): CronWarning[] {
    const from = Math.floor(instant(at) / 1000);
    if (this.#occurrences !== null) return findWarnings(this.#occurrences, from);
    if (this.intervalMs! % 86_400_000 || this.timeZone === "UTC") return [];
    const message = `${this.text} counts elapsed time, not days of ${this.timeZone}; for a time of day write "0 9 * * *"`;
    return [{ code: "elapsed", at: null, message }];
  }

  /**
   * Finds the first occurrence strictly after an instant, in epoch milliseconds.
   *
   * @param afterMs may have a fraction
   * @returns `null` where there is none, ever
   * @throws {RangeError} where `afterMs` is not finite
   */
  nextMs(afterMs: number): number | null {
    return this.#find(instant(afterMs), 1);
  }

  /**
   * Finds the last occurrence strictly before an instant, in epoch milliseconds.
   *
   * @param beforeMs may have a fraction
   * @returns `null` where there is none
   * @throws {RangeError} where `beforeMs` is not finite
   */
  previousMs(beforeMs: number): number | null {
    return this.#find(instant(beforeMs), -1);
  }

  /** Occurrences are whole units (seconds, or intervals counted from the anchor): the nearest unit strictly past `from`. */
  #find(from: number, way: 1 | -1): number | null {
    const anchor = this.#anchor;
    const unit = this.intervalMs ?? 1000;
    const past = way > 0 ? Math.floor((from - anchor) / unit) + 1 : Math.ceil((from - anchor) / unit) - 1;
    const at = anchor + (this.#occurrences?.[way > 0 ? "next" : "previous"](past) ?? past) * unit;
    return Math.abs(at) <= MAX_MS ? at : null;
  }
}

/** The last instant that a Date can hold. */
const MAX_MS = 8.64e15;

function dateOf(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}

/** Reads an instant as epoch milliseconds. */
function instant(value: InstantLike = new Date()): number {
  // The default is the only look at a clock in src/cron, for the methods that people call by hand.
  const { epochMilliseconds = value } = (value ?? {}) as { epochMilliseconds?: unknown };
  const at = epochMilliseconds instanceof Date ? +epochMilliseconds : epochMilliseconds;
  if (typeof at === "number" && Math.abs(at) <= MAX_MS) return at;
  throw new RangeError(
    `Not an instant: ${String(value)}; give ${typeof value === "string" ? `new Date("${value}")` : "a Date, epoch milliseconds or a Temporal.Instant, or nothing for the present"}`,
  );
}
