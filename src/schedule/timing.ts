/**
 * When does a schedule occur, by its expression, its anchor and its bounds?
 *
 * One interface for the three kinds of expression: calendar (a `Cron`, shared by all schedules with the same text), `@every`
 * (arithmetic from an anchor) and `@at` (one instant). Counting runs of occurrences bounds the work of a tick after a long
 * outage: a week of `@every 1s` is one division, a week of a calendar expression is walked at about 50 ns a step, and the
 * caller sets how many steps may be taken.
 */
import { BelfryError } from "../base/error.ts";
import type { Calendar, CalendarReader } from "../cron/calendar.ts";
import { Cron } from "../cron/cron.ts";
import type { DstRule } from "../cron/occurrences.ts";
import type { TemporalLike } from "../cron/zone.ts";

/** The canonical fields that decide a schedule's occurrences: equal rules have the same occurrences. */
export interface TimingRule {
  /** Canonical text: cron with `H` resolved, `RRULE:...`, `@every 1h30m` or `@at 2026-12-24T18:00:00.000Z`. */
  readonly expression: string;
  /** Canonical name of the zone. */
  readonly timeZone: string;
  /** Whether one of two restricted day fields is enough. */
  readonly days: "or" | "and";
  /** What happens when clocks change. */
  readonly dst: DstRule;
  /** No occurrence lies before it; null: no bound. */
  readonly startAt: number | null;
  /** No occurrence lies after it; null: no bound. */
  readonly endAt: number | null;
}

/** What calendars are made with; an engine is one. */
export interface CalendarSource {
  readonly temporal: TemporalLike | undefined;
  /** Reads recurrence rules; undefined where this program has no reader of them. */
  readonly recurrence?: CalendarReader | undefined;
}

/** Zones from the runtime, and no recurrence rules. */
export const PLAIN_SOURCE: CalendarSource = { temporal: undefined };

/** A counted run of occurrences. */
export interface CountedRun {
  count: number;
  /** The last one counted. */
  untilAt: number;
  /** The run goes on: the allowed steps were used up. */
  more: boolean;
}

const AT = "@at ";

/** Writes the expression of a single occurrence. */
export function writeAt(at: number): string {
  return AT + new Date(at).toISOString();
}

/** Makes a calendar, or finds the one made before: parsing takes microseconds, and thousands of schedules share a text. */
export function calendar(rule: Omit<TimingRule, "startAt" | "endAt">, temporal: TemporalLike | undefined): Cron {
  const { expression, timeZone, days, dst } = rule;
  const source = temporal ?? calendars;
  const zones = calendars.get(source) ?? new Map<string, Map<string, Cron>>();
  calendars.set(source, zones);
  // Two nested maps by existing texts: building one key of all parts would cost more than parsing.
  const group = days === "or" && dst === "once" ? timeZone : `${timeZone} ${days} ${dst}`;
  let known = zones.get(group);
  if (known === undefined || known.size >= MAX_CALENDARS) {
    known = new Map();
    zones.set(group, known);
  }
  let cron = known.get(expression);
  if (cron === undefined) {
    cron = new Cron(expression, { timeZone, days, dst, temporal });
    known.set(expression, cron);
  }
  return cron;
}

/** Whether an expression is a recurrence rule, or was meant to be one. */
export function isRecurrence(expression: string): boolean {
  return /^\s*(RRULE|FREQ|DTSTART|EXDATE|RDATE)\b/i.test(expression);
}

/**
 * Reads a recurrence rule, or finds it read: one with COUNT has counted its occurrences.
 *
 * @param createdAt from when it counts where there is no `startAt`
 * @throws BelfryError `OPTION_INVALID` where this program has no reader of recurrence rules
 */
export function recurrence(
  rule: TimingRule,
  createdAt: number,
  { temporal, recurrence: read }: CalendarSource,
): Calendar {
  const { expression, timeZone, dst, startAt } = rule;
  if (read === undefined) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot read ${JSON.stringify(expression)}: this program has no reader of recurrence rules; ` +
        'pass recurrence: rrule, from "belfry/rrule", to new Belfry',
    );
  }
  let known = recurrences.get(read);
  if (known === undefined || known.size >= MAX_CALENDARS) {
    known = new Map();
    recurrences.set(read, known);
  }
  // A Temporal that is passed in is the same for a program's whole life, as is the reader.
  const key = [expression, timeZone, dst, startAt ?? `from ${createdAt}`].join("\n");
  const calendar =
    known.get(key) ?? read(expression, { timeZone, dst, start: startAt ?? undefined, anchor: createdAt, temporal });
  known.set(key, calendar);
  return calendar;
}

const recurrences = new WeakMap<CalendarReader, Map<string, Calendar>>();
const calendars = new WeakMap<object, Map<string, Map<string, Cron>>>();
/** In each zone. */
const MAX_CALENDARS = 5_000;

/** Finds and counts the occurrences of one schedule. */
export class Timing {
  readonly #cron: Calendar | null;
  readonly #intervalMs: number | null = null;
  readonly #anchor: number;
  readonly #startAt: number;
  readonly #endAt: number;

  /**
   * @param createdAt when the schedule was registered: the anchor of `@every` and of recurrence rules where `startAt` gives none
   * @throws BelfryError `CRON_SYNTAX`, `ZONE_UNKNOWN`, and `OPTION_INVALID` where there is no reader of recurrence rules
   */
  constructor(rule: TimingRule, createdAt: number, source: CalendarSource = PLAIN_SOURCE) {
    this.#startAt = rule.startAt ?? -Infinity;
    this.#endAt = rule.endAt ?? Infinity;
    this.#anchor = rule.startAt ?? createdAt;
    if (rule.expression.startsWith(AT)) {
      this.#cron = null;
      this.#anchor = Date.parse(rule.expression.slice(AT.length));
      if (Number.isNaN(this.#anchor)) throw new RangeError(`Cannot read "${rule.expression}": no instant`);
    } else {
      const isRule = isRecurrence(rule.expression);
      this.#cron = isRule ? recurrence(rule, createdAt, source) : calendar(rule, source.temporal);
      this.#intervalMs = this.#cron.intervalMs;
    }
  }

  /** Whether counting a run is arithmetic, however long it is. */
  get arithmetic(): boolean {
    return this.#cron === null || this.#intervalMs !== null;
  }

  /** Finds the first occurrence after an instant; null where there is none any more. */
  next(after: number): number | null {
    // An occurrence at startAt itself counts.
    const from = Math.max(after, this.#startAt - 1);
    const at = this.#next(from);
    return at === null || at > this.#endAt ? null : at;
  }

  /** Finds the last occurrence before an instant; null where there is none. */
  previous(before: number): number | null {
    const to = Math.min(before, this.#endAt + 1);
    const at = this.#previous(to);
    return at === null || at < this.#startAt ? null : at;
  }

  /** Tells whether an instant is an occurrence. */
  has(at: number): boolean {
    return this.next(at - 1) === at;
  }

  /**
   * Counts the occurrences from one up to an instant, both included.
   *
   * @param from an occurrence, at or before `to`
   * @param maxSteps how many may be walked; arithmetic takes none
   */
  count(from: number, to: number, maxSteps: number): CountedRun {
    const limit = Math.min(to, this.#endAt);
    if (this.#intervalMs !== null) {
      const steps = Math.max(0, Math.floor((limit - from) / this.#intervalMs));
      return { count: steps + 1, untilAt: from + steps * this.#intervalMs, more: false };
    }
    let count = 1;
    let untilAt = from;
    for (let at = this.#next(from); at !== null && at <= limit; at = this.#next(at)) {
      if (count >= maxSteps) return { count, untilAt, more: true };
      count++;
      untilAt = at;
    }
    return { count, untilAt, more: false };
  }

  #next(after: number): number | null {
    if (this.#cron === null) return this.#anchor > after ? this.#anchor : null;
    const interval = this.#intervalMs;
    if (interval === null) return this.#cron.nextMs(after);
    // The first after the anchor, unless startAt is the anchor: then that instant is one.
    const steps = Math.floor((after - this.#anchor) / interval) + 1;
    return this.#anchor + Math.max(steps, this.#startAt === this.#anchor ? 0 : 1) * interval;
  }

  #previous(before: number): number | null {
    if (this.#cron === null) return this.#anchor < before ? this.#anchor : null;
    const interval = this.#intervalMs;
    if (interval === null) return this.#cron.previousMs(before);
    const steps = Math.ceil((before - this.#anchor) / interval) - 1;
    return steps < (this.#startAt === this.#anchor ? 0 : 1) ? null : this.#anchor + steps * interval;
  }
}
