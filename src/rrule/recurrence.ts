/**
 * A recurrence rule as an object: the face of `belfry/rrule`.
 *
 * The rule gives local times, the zone turns them into instants, with the same two ways to take a changing clock as in
 * cron; start, UNTIL and COUNT bound them. RFC 5545 leaves out local times that do not exist and takes the first of those
 * that come twice: that is `dst: "once"`.
 */
import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions, unfit, text as zoneText } from "../base/options.ts";
import { Calendar, type CalendarOptions, type InstantLike, instant, MAX_MS } from "../cron/calendar.ts";
import { type DstRule, walk } from "../cron/occurrences.ts";
import { type CronWarning, clockWarnings } from "../cron/warnings.ts";
import { openZone, type Zone } from "../cron/zone.ts";
import { describeRule } from "./describe.ts";
import { type LocalRule, localRule } from "./local.ts";
import { DAILY, HOURLY, type Rule, readRule, writeRule } from "./rule.ts";

/** Options of {@link Recurrence}. */
export type RecurrenceOptions = CalendarOptions;

/** Takes what the methods of a calendar take as an instant. */
function isInstant(value: unknown, name: string, of: string): void {
  try {
    instant(value as InstantLike);
  } catch {
    throw unfit(value, name, of, "a Date, epoch milliseconds or a Temporal.Instant");
  }
}

const RECURRENCE_CHECKS: Checks<RecurrenceOptions> = {
  timeZone: zoneText,
  dst: anything,
  start: isInstant,
  anchor: isInstant,
  temporal: (value, name, of) => {
    const { Instant, ZonedDateTime } = Object(value) as { Instant?: unknown; ZonedDateTime?: unknown };
    if (!Instant || !ZonedDateTime) throw unfit(value, name, of, "a Temporal, with Instant and ZonedDateTime");
  },
};

const DAY = 86_400;
/** How far a search goes over local times that all fall into gaps: years in which the calendar repeats, and some more. */
const HORIZON = 481 * 366 * DAY;
/** Seconds of the longest period of each frequency. */
const PERIOD = [1, 60, 3600, DAY, 7 * DAY, 31 * DAY, 366 * DAY] as const;

/**
 * Knows when a recurrence rule of RFC 5545 occurs.
 *
 * @example
 * ```ts
 * import { Recurrence } from "belfry/rrule";
 *
 * const rule = new Recurrence("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;BYHOUR=9", {
 *   timeZone: "Europe/Berlin",
 *   start: new Date("2026-12-06T23:00:00Z"),
 * });
 * rule.next(new Date("2026-12-08T00:00:00Z"))?.toISOString(); // "2026-12-21T08:00:00.000Z"
 * ```
 */
export class Recurrence extends Calendar {
  override readonly timeZone: string;
  override readonly intervalMs = null;
  override readonly text: string;
  readonly #rule: Rule;
  readonly #zone: Zone;
  readonly #dst: DstRule;
  readonly #local: LocalRule;
  readonly #walk: ReturnType<typeof walk>;
  /** The local second from which periods are counted. */
  readonly #base: number;
  /** First second that may be an occurrence. */
  readonly #first: number;
  /** Last second that may be one; undefined until COUNT was counted. */
  #last: number | undefined;

  /**
   * Reads a rule and checks the options.
   *
   * @param text the parts of a rule, with or without `RRULE:` before them
   * @throws {CronSyntaxError} `CRON_SYNTAX` where the rule cannot be read
   * @throws {BelfryError} `ZONE_UNKNOWN` where this runtime knows no such zone, `OPTION_INVALID` where another option is wrong
   */
  constructor(text: string, options: RecurrenceOptions = {}) {
    super();
    checkOptions(options, "a recurrence rule", RECURRENCE_CHECKS);
    const { timeZone = "UTC", dst = "once", start, anchor = 0, temporal } = options;
    if (dst !== "once" && dst !== "vixie")
      throw new BelfryError("OPTION_INVALID", `dst is "once" or "vixie": not ${dst}`);
    const zone = openZone(timeZone, temporal);
    const rule = readRule(`${text}`);
    // A start may itself be an occurrence; an anchor is the moment of a registration, and only what follows it is one.
    const first = start === undefined ? Math.floor(instant(anchor) / 1000) + 1 : Math.ceil(instant(start) / 1000);
    const local = first + zone.at(first).offset;
    // Without a start its day counts, so that what the rule leaves open is 00:00 and not the time of day of the anchor.
    this.#base = start === undefined ? Math.floor((local - 1) / DAY) * DAY : local;
    this.#first = first;
    this.#last = rule.count === null ? (rule.until === null ? Infinity : lastSecond(rule.until, zone)) : undefined;
    this.#rule = rule;
    this.#zone = zone;
    this.#dst = dst;
    this.timeZone = zone.name;
    this.text = writeRule(rule);
    this.#local = localRule(rule, this.#base);
    const horizon = HORIZON + 81 * rule.interval * PERIOD[rule.freq]!;
    this.#walk = walk(zone, this.#local.next, { rule: dst, elapsed: rule.freq < DAILY, horizon });
  }

  override nextMs(afterMs: number): number | null {
    const from = Math.max(Math.floor(instant(afterMs) / 1000) + 1, this.#first);
    return this.#bounded(from > this.#end() ? Number.NaN : this.#walk.next(from));
  }

  override previousMs(beforeMs: number): number | null {
    const to = Math.min(Math.ceil(instant(beforeMs) / 1000) - 1, this.#end(), MAX_MS / 1000);
    return this.#bounded(to < this.#first ? Number.NaN : this.#walk.previous(to));
  }

  /**
   * Says the rule in plain English.
   *
   * @example
   * ```ts
   * import { Recurrence } from "belfry/rrule";
   *
   * new Recurrence("FREQ=MONTHLY;BYDAY=2TH,4TH;BYHOUR=9").describe();
   * // "Every month on the 2nd Thursday and the 4th Thursday, at 09:00, from 1970-01-01, UTC"
   * ```
   */
  override describe(): string {
    return `${describeRule(this.#rule, this.#local, this.#base)}, ${this.timeZone}`;
  }

  override warnings(at?: InstantLike): CronWarning[] {
    const from = Math.floor(instant(at) / 1000);
    const { freq, interval, byHour } = this.#rule;
    const everyHour = byHour.length === 0 && (freq < HOURLY || (freq === HOURLY && interval === 1));
    const next = (second: number): number => (this.nextMs(second * 1000 - 1) ?? Number.NaN) / 1000;
    const matchesLocal = (since: number, until: number): boolean => this.#local.next(since) < until;
    return clockWarnings({ next, matchesLocal, zone: this.#zone, rule: this.#dst }, everyHour, from).filter(
      (warning) => warning.at === null || warning.at.getTime() <= this.#end() * 1000,
    );
  }

  #bounded(second: number): number | null {
    return second >= this.#first && second <= this.#end() && second <= MAX_MS / 1000 ? second * 1000 : null;
  }

  /** The last second that may be an occurrence. */
  #end(): number {
    if (this.#last === undefined) {
      let at = this.#first - 1;
      // Where there are fewer, the comparison with NaN leaves no bound, as there is nothing to bound.
      for (let left = this.#rule.count!; left > 0 && !Number.isNaN(at); left--) at = this.#walk.next(at + 1);
      this.#last = Number.isNaN(at) ? Infinity : at;
    }
    return this.#last;
  }
}

/** The last second of UNTIL: an instant where it ends with Z, else local time; a day goes to its end. */
function lastSecond(until: string, zone: Zone): number {
  const [, year, month, day, hour = "23", minute = "59", second = "59", utc] =
    /^(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?$/.exec(until)!;
  const at = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) / 1000;
  if (utc) return at;
  // The latest instant whose local time is not later; no zone is further from UTC than a day.
  let last = at - DAY;
  for (let from = last; from <= at + DAY; from = zone.at(from).end) {
    const { end, offset } = zone.at(from);
    if (from + offset <= at) last = Math.min(end - 1, at - offset);
  }
  return last;
}
