/**
 * What can be done with every kind of expression, cron or recurrence rule?
 *
 * A subclass finds the next and the previous occurrence in epoch milliseconds; all other methods are built on these two
 * here. `Date` appears only in this file. There is no clock and no timer: where no instant is given, `instant` below
 * reads the present, and no other code in this folder does.
 */
import type { DstRule } from "./occurrences.ts";
import type { CronWarning } from "./warnings.ts";
import type { TemporalLike } from "./zone.ts";

/** What may be given as an instant: a Date, epoch milliseconds, or a `Temporal.Instant` or `ZonedDateTime`. */
export type InstantLike = Date | number | { readonly epochMilliseconds: number };

/** Knows when something occurs; occurrences are whole seconds, or an interval from an anchor. */
export abstract class Calendar {
  /** The zone's name as it is stored. */
  abstract readonly timeZone: string;
  /** The interval of `@every` in milliseconds, `null` for what follows a calendar. */
  abstract readonly intervalMs: number | null;
  /** Canonical text: parsing it, with the same options, gives the same occurrences. */
  abstract readonly text: string;

  /**
   * Finds the first occurrence strictly after an instant, in epoch milliseconds.
   *
   * @param afterMs may have a fraction
   * @returns `null` where there is none, ever
   * @throws {RangeError} where `afterMs` is not finite
   */
  abstract nextMs(afterMs: number): number | null;

  /**
   * Finds the last occurrence strictly before an instant, in epoch milliseconds.
   *
   * @param beforeMs may have a fraction
   * @returns `null` where there is none
   * @throws {RangeError} where `beforeMs` is not finite
   */
  abstract previousMs(beforeMs: number): number | null;

  /** Says in plain English when it occurs. */
  abstract describe(): string;

  /**
   * Lists what may surprise in the year after an instant: nights on which it does not occur, hours in which it is silent,
   * that it never occurs, that it is often meant in another way.
   *
   * @param at the present by default
   * @throws {RangeError} where `at` is no valid instant
   */
  abstract warnings(at?: InstantLike): CronWarning[];

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
    const next = (at: number): number | null => this.nextMs(at);
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
    const second = Math.floor(instant(at) / 1000) * 1000;
    return (this.nextMs(second - 1) ?? Infinity) < second + 1000;
  }
}

/** Options of every calendar that is not cron. */
export interface CalendarOptions {
  /**
   * IANA name in any case, `UTC`, an offset like `+05:30`, or `local` for the process's own zone.
   * @default "UTC"
   */
  readonly timeZone?: string | undefined;
  /**
   * What happens when clocks change; see `dst` of `CronOptions`.
   * @default "once"
   */
  readonly dst?: DstRule | undefined;
  /** The first instant that may be an occurrence; its local time gives what the text leaves open. */
  readonly start?: InstantLike | undefined;
  /**
   * What counts where there is no `start`: occurrences come after it. Its local day gives what the text leaves open, with
   * 00:00 as time of day.
   * @default 0, which is 1970-01-01T00:00:00Z
   */
  readonly anchor?: InstantLike | undefined;
  /** Where zones come from; the runtime's own Temporal by default, `Intl` where there is none. */
  readonly temporal?: TemporalLike | undefined;
}

/** Reads expressions of a kind that the core does not include: `rrule` of `belfry/rrule` is one. */
export type CalendarReader = (text: string, options?: CalendarOptions) => Calendar;

/** The last instant that a Date can hold. */
export const MAX_MS = 8.64e15;

function dateOf(at: number | null): Date | null {
  return at === null ? null : new Date(at);
}

/** Reads an instant as epoch milliseconds. */
export function instant(value: InstantLike = new Date()): number {
  // The default is the only look at a clock in src/cron, for the methods that people call by hand.
  const { epochMilliseconds = value } = (value ?? {}) as { epochMilliseconds?: unknown };
  const at = epochMilliseconds instanceof Date ? +epochMilliseconds : epochMilliseconds;
  if (typeof at === "number" && Math.abs(at) <= MAX_MS) return at;
  throw new RangeError(
    `Not an instant: ${String(value)}; give ${typeof value === "string" ? `new Date("${value}")` : "a Date, epoch milliseconds or a Temporal.Instant, or nothing for the present"}`,
  );
}
