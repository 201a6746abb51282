/**
 * Which occurrences are left out: holidays, maintenance windows, what a function says.
 *
 * Stored as text that means the same for ever: `2026-12-25` (a local day), `2026-12-24/2027-01-01` (days, both
 * included), `2026-12-24T18:00:00.000Z` (one instant) and `instant/instant` (both included). A function cannot be
 * stored: it is asked about each occurrence until the end of the next calendar year when the schedule is registered,
 * and its answers are stored as such ranges. So code that registers at every start stores the same answers all year,
 * and looks further ahead once a year; `health` warns where it was not asked again.
 */

import { BelfryError } from "../base/error.ts";
import type { TemporalLike } from "../cron/zone.ts";
import { dayAfter, instantOfLocal, readDay, readWhen, type When } from "./local_time.ts";
import type { Timing } from "./timing.ts";

/** What may be left out: days (`"2026-12-25"`), instants, ranges of either; or a function asked at registration. */
export type Exclude = readonly (When | { readonly from: When; readonly to: When })[] | ((occurrence: Date) => boolean);

/** How many occurrences a function is asked about at most. */
const MAX_ASKED = 200_000;
/** How many entries one schedule may store. */
const MAX_ENTRIES = 2_000;

interface Context {
  readonly timeZone: string;
  readonly temporal: TemporalLike | undefined;
}

/** Writes a list of days, instants and ranges as it is stored: canonical text, sorted, each once. */
export function writeExcluded(list: readonly unknown[], context: Context): string[] {
  const entries = new Set<string>();
  for (const [i, entry] of list.entries()) {
    const option = `exclude[${i}]`;
    if (typeof entry === "object" && entry !== null && "from" in entry && "to" in entry) {
      entries.add(writeRange(entry.from as When, entry.to as When, option, context));
    } else if (typeof entry === "string" && entry.includes("/")) {
      const [from, to] = entry.split("/");
      entries.add(writeRange(from!.trim(), to!.trim(), option, context));
    } else if (typeof entry === "string" && readDay(entry.trim()) !== null) {
      entries.add(entry.trim());
    } else {
      entries.add(new Date(readWhen(entry as When, option, context.timeZone, context.temporal)).toISOString());
    }
  }
  if (entries.size > MAX_ENTRIES) throw tooMany(entries.size);
  return [...entries].sort();
}

function writeRange(from: When, to: When, option: string, context: Context): string {
  const days = typeof from === "string" && typeof to === "string" && readDay(from) !== null && readDay(to) !== null;
  const write = (value: When): string =>
    days ? String(value) : new Date(readWhen(value, option, context.timeZone, context.temporal)).toISOString();
  const [first, last] = [write(from), write(to)];
  if (first > last) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use ${option}: it begins at ${first}, after its end, ${last}; swap them`,
    );
  }
  return first === last ? first : `${first}/${last}`;
}

/**
 * Asks a function about the occurrences from the beginning of this year to the end of the next (UTC).
 *
 * @returns ranges as they are stored, and the instant up to which it was asked
 */
export function askExcluded(
  exclude: (occurrence: Date) => boolean,
  timing: Timing,
  now: number,
): { entries: string[]; untilAt: number } {
  const year = new Date(now).getUTCFullYear();
  const untilAt = Date.UTC(year + 2, 0, 1) - 1;
  const entries: string[] = [];
  let first: number | null = null;
  let last = 0;
  let asked = 0;
  const end = (): void => {
    if (first !== null)
      entries.push(new Date(first).toISOString() + (last > first ? `/${new Date(last).toISOString()}` : ""));
    first = null;
  };
  for (let at = timing.next(Date.UTC(year, 0, 1) - 1); at !== null && at <= untilAt; at = timing.next(at)) {
    if (++asked > MAX_ASKED) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot ask "exclude" about more than ${MAX_ASKED} occurrences, and this schedule has more until ` +
          `${new Date(untilAt).toISOString().slice(0, 10)}; give a list of days or ranges instead of a function`,
      );
    }
    if (!exclude(new Date(at))) end();
    else {
      first ??= at;
      last = at;
    }
  }
  end();
  if (entries.length > MAX_ENTRIES) throw tooMany(entries.length);
  return { entries, untilAt };
}

function tooMany(count: number): BelfryError {
  return new BelfryError(
    "OPTION_INVALID",
    `Cannot leave out ${count} separate days or ranges: at most ${MAX_ENTRIES} fit; write longer ranges`,
  );
}

/** The stored entries as ranges of instants, sorted, to be asked quickly. */
export class Excluded {
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  /** @throws RangeError where an entry cannot be read */
  constructor(entries: readonly string[], { timeZone, temporal }: Context) {
    const startOf = (day: string): number => instantOfLocal(Date.parse(`${day}T00:00:00Z`), timeZone, temporal);
    const ranges = entries.map((entry): [from: number, to: number] => {
      const [first = "", last = first] = entry.split("/");
      if (readDay(first) !== null && readDay(last) !== null) return [startOf(first), startOf(dayAfter(last)) - 1];
      const range: [number, number] = [Date.parse(first), Date.parse(last)];
      if (range.some(Number.isNaN)) throw new RangeError(`Cannot read "${entry}": neither a day nor an instant`);
      return range;
    });
    ranges.sort((a, b) => a[0] - b[0]);
    for (const [from, to] of ranges) {
      const before = this.#to.length - 1;
      if (before >= 0 && from <= this.#to[before]! + 1) this.#to[before] = Math.max(this.#to[before]!, to);
      else {
        this.#from.push(from);
        this.#to.push(to);
      }
    }
  }

  /** Finds the range that holds an instant; null where the instant counts. */
  at(instant: number): { from: number; to: number } | null {
    let low = 0;
    let high = this.#from.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#from[middle]! <= instant) low = middle + 1;
      else high = middle;
    }
    const to = this.#to[low - 1];
    return to !== undefined && instant <= to ? { from: this.#from[low - 1]!, to } : null;
  }
}
