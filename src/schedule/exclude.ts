/**
 * Which occurrences does a schedule leave out? Holidays and maintenance windows, given as a list.
 *
 * Stored as text that keeps its meaning: `2026-12-25` (a day of the schedule's zone), `2026-12-24/2027-01-01` (days, both
 * included), `2026-12-24T18:00:00.000Z` (one instant) and `instant/instant` (both included).
 */

import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions } from "../base/options.ts";
import type { Instant } from "../storage/port.ts";
import { dayAfter, instantOfLocal, readDay } from "./local_time.ts";
import { readFrom, readSpan, readUntil, type When, type WhenContext } from "./when.ts";

/** What may be left out: a day (`"2026-12-25"`), an instant, or a range of either, both ends included. */
export type Exclusion = When | ExclusionRange;

/** A range of days or instants, both ends included. */
export interface ExclusionRange {
  /** The first day or instant. */
  readonly from: When;
  /** The last one. */
  readonly to: When;
}

const RANGE_CHECKS: Checks<ExclusionRange> = { from: anything, to: anything };

/** How many entries one schedule may store. */
const MAX_ENTRIES = 2_000;

/** Writes a list of days, instants and ranges as it is stored: canonical text, sorted, each once. */
export function writeExcluded(list: readonly unknown[], context: WhenContext): string[] {
  const entries = new Set<string>();
  for (const [i, entry] of list.entries()) {
    // Holidays, the common case, are stored as they are written.
    if (typeof entry === "string" && readDay(entry) !== null) {
      entries.add(entry);
      continue;
    }
    const option = `exclude[${i}]`;
    const { from, to } = rangeOf(entry, option) ?? { from: entry as When, to: entry as When };
    entries.add(writeRange(from, to, option, context));
  }
  if (entries.size > MAX_ENTRIES) throw tooMany(entries.size);
  return [...entries].sort();
}

/** The ends of a range, written as an object or as text with a slash; null where it is a single date. */
function rangeOf(entry: unknown, option: string): ExclusionRange | null {
  if (typeof entry === "object" && entry !== null && ("from" in entry || "to" in entry)) {
    checkOptions(entry as ExclusionRange, option, RANGE_CHECKS);
    return entry as ExclusionRange;
  }
  // A slash in brackets belongs to the name of a zone.
  const parts = typeof entry === "string" ? entry.split(/\/(?![^[]*\])/) : [];
  return parts.length === 2 ? { from: parts[0]!.trim(), to: parts[1]!.trim() } : null;
}

function writeRange(first: When, last: When, option: string, context: WhenContext): string {
  const from = readSpan(first, option, context);
  const to = readSpan(last, option, context);
  const days = from.day !== null && to.day !== null;
  const [begin, end] = days
    ? [from.day, to.day]
    : [writeInstant(readFrom(first, option, context)), writeInstant(readUntil(last, option, context))];
  if (begin > end) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use ${option}: it begins at ${begin}, after its end, ${end}; swap them`,
    );
  }
  return begin === end ? begin : `${begin}/${end}`;
}

function writeInstant(at: Instant): string {
  return new Date(at).toISOString();
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
  constructor(entries: readonly string[], { timeZone, temporal }: WhenContext) {
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
