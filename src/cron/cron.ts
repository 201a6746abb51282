/**
 * The class `Cron`, which is most of the public API of `belfry/cron`.
 *
 * The constructor checks text, zone and options; after that only a wrong argument throws. The methods that all kinds of
 * expression share are in `calendar.ts`.
 */
import { BelfryError, nearest } from "../base/error.ts";
import { Calendar, type InstantLike, instant, MAX_MS } from "./calendar.ts";
import { describeExpression } from "./describe.ts";
import { readEvery } from "./every.ts";
import { readExpression, writeExpression } from "./expression.ts";
import { type DstRule, findOccurrences, type Occurrences } from "./occurrences.ts";
import { type CronWarning, findWarnings } from "./warnings.ts";
import { openZone, type TemporalLike } from "./zone.ts";

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

const OPTIONS = "timeZone days dst anchor temporal seed".split(" ");

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
export class Cron extends Calendar {
  /** The zone's canonical name. */
  override readonly timeZone: string;
  /** The interval of `@every` in milliseconds, `null` for a calendar schedule. */
  override readonly intervalMs: number | null;
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
    super();
    const { timeZone = "UTC", days = "or", dst = "once", anchor = 0, temporal, seed } = options;
    // As base/options.ts checks all others; written out, since this package alone is to stay small.
    const fit = /^(or|and) (once|vixie) (string|undefined)$/.test(`${days} ${dst} ${typeof seed}`);
    let wrong = fit ? "" : `days is "or" or "and", dst "once" or "vixie": not ${days}, ${dst}`;
    for (const name in options) {
      if (!OPTIONS.includes(name)) wrong = `No option "${name}"; did you mean "${nearest(name, OPTIONS)}"?`;
    }
    if (wrong) throw new BelfryError("OPTION_INVALID", wrong);
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
  override get text(): string {
    this.#text ??= writeExpression(this.#occurrences!.expression);
    return this.#text;
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
  override describe(): string {
    const occurrences = this.#occurrences;
    return occurrences === null
      ? `E${this.text.slice(2)} from ${new Date(this.#anchor).toISOString()}`
      : `${describeExpression(occurrences.expression)}, ${this.timeZone}`;
  }

  override warnings(at?: InstantLike): CronWarning[] {
    const from = Math.floor(instant(at) / 1000);
    if (this.#occurrences !== null) return findWarnings(this.#occurrences, from);
    if (this.intervalMs! % 86_400_000 || this.timeZone === "UTC") return [];
    const message = `${this.text} counts elapsed time, not days of ${this.timeZone}; for a time of day write "0 9 * * *"`;
    return [{ code: "elapsed", at: null, message }];
  }

  override nextMs(afterMs: number): number | null {
    return this.#find(instant(afterMs), 1);
  }

  override previousMs(beforeMs: number): number | null {
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
