/**
 * Which occurrences does a schedule leave out? Holidays and maintenance windows, given as a list.
 *
 * Stored as text that keeps its meaning: `2026-12-25` (a day of the schedule's zone), `2026-12-24/2027-01-01` (days, both
 * included), `2026-12-24T18:00:00.000Z` (one instant) and `instant/instant` (both included).
 */

import { BelfryError } from "../base/error.ts";
import type { TemporalLike } from "../cron/zone.ts";
import { dayAfter, instantOfLocal, readDay, readWhen, type When } from "./local_time.ts";

/** What may be left out: a day (`"2026-12-25"`), an instant, or a range of either, both ends included. */
export type Exclusion = When | { readonly from: When; readonly to: When };

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
