/**
 * What are the occurrences of an expression, found by brute force?
 *
 * It follows the rules of CRON.md and shares no code with the product and none of its ideas: no masks, no periods, no
 * arithmetic on months. It walks over instants a minute at a time, asks `Intl` for the offset, builds the local date with
 * `Date`, and checks the fields one by one. A local time is a repeat when some minute of the 26 hours before showed it;
 * it was skipped when the clock jumped over it.
 *
 * It goes in strides of six hours and leaves out a stride on whose date, the one before and the one after nothing can
 * match: that is its only short cut. Limits: from 1972 on, where offsets are whole minutes.
 */
import type { Item, Plan } from "./generate.ts";

const MINUTE = 60_000;
const STRIDE = 6 * 60;
const LOCAL = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;

/** Offsets of a zone in minutes, asked of `Intl` and remembered by quarter hours. */
export class OracleZone {
  readonly #format: Intl.DateTimeFormat | null;
  readonly #fixed: number = 0;
  readonly #quarters = new Map<number, number>();

  constructor(name: string) {
    const fixed = /^([+-])(\d\d):(\d\d)$/.exec(name);
    if (fixed) this.#fixed = (fixed[1] === "-" ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3]));
    const changing = !fixed && name !== "UTC";
    this.#format = changing ? new Intl.DateTimeFormat("en-US", { ...LOCAL, timeZone: name, hourCycle: "h23" }) : null;
  }

  /** Local time less UTC at a minute since 1970, in minutes. */
  offset(minute: number): number {
    if (this.#format === null) return this.#fixed;
    const quarter = Math.floor(minute / 15);
    const first = this.#asked(quarter * 15);
    return first === this.#asked(quarter * 15 + 15) ? first : this.#ask(minute);
  }

  #asked(minute: number): number {
    let offset = this.#quarters.get(minute);
    if (offset === undefined) {
      if (this.#quarters.size > 2_000_000) this.#quarters.clear();
      offset = this.#ask(minute);
      this.#quarters.set(minute, offset);
    }
    return offset;
  }

  #ask(minute: number): number {
    // "4/5/2026, 02:30"
    const [month, day, year, hour, min] = this.#format!.format(minute * MINUTE)
      .match(/\d+/g)!
      .map(Number);
    return Date.UTC(year!, month! - 1, day!, hour!, min!) / MINUTE - minute;
  }
}

/** Options as the product has them. */
export interface OracleOptions {
  days: "or" | "and";
  dst: "once" | "vixie";
}

/** Knows the occurrences of an expression by looking at each minute. */
export class Oracle {
  readonly #plan: Plan;
  readonly #zone: OracleZone;
  readonly #options: OracleOptions;
  readonly #strides = new Map<number, number[]>();
  readonly #dates = new Map<number, boolean>();
  readonly #starred: boolean;
  readonly #seconds: ReadonlySet<number>;
  readonly #minutes: ReadonlySet<number>;
  readonly #hours: ReadonlySet<number>;

  constructor(plan: Plan, zone: OracleZone, options: OracleOptions) {
    this.#plan = plan;
    this.#zone = zone;
    this.#options = options;
    const values = (index: number, size: number): ReadonlySet<number> =>
      new Set(
        Array.from({ length: size }, (_, value) => value).filter((value) =>
          fits(plan.fields[index]!.items, value, index),
        ),
      );
    this.#seconds = values(0, 60);
    this.#minutes = values(1, 60);
    this.#hours = values(2, 24);
    this.#starred = plan.fields[1]!.text.startsWith("*") || plan.fields[2]!.text.startsWith("*");
  }

  /** The first occurrence after an instant in seconds; `undefined` when none comes within `limit` seconds. */
  next(after: number, limit: number): number | undefined {
    for (let stride = Math.floor(after / (STRIDE * 60)); stride * STRIDE * 60 <= after + limit; stride++) {
      const found = this.#stride(stride).find((second) => second > after);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The last occurrence before an instant in seconds; `undefined` when none is within `limit` seconds. */
  previous(before: number, limit: number): number | undefined {
    for (let stride = Math.floor(before / (STRIDE * 60)); (stride + 1) * STRIDE * 60 >= before - limit; stride--) {
      const found = this.#stride(stride).findLast((second) => second < before);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #stride(index: number): number[] {
    let list = this.#strides.get(index);
    if (list === undefined) {
      list = this.#walk(index * STRIDE, (index + 1) * STRIDE);
      this.#strides.set(index, list);
    }
    return list;
  }

  #walk(from: number, to: number): number[] {
    const zone = this.#zone;
    // No clock is a day away from UTC.
    const day = Math.floor(from / 1440);
    if (![day - 1, day, day + 1].some((near) => this.#date(near))) return [];
    const once = this.#options.dst === "once" || !this.#starred;
    const before = new Set<number>();
    for (let minute = from - 26 * 60; minute <= to; minute += 60) before.add(zone.offset(minute));
    const list: number[] = [];
    for (let minute = from; minute < to; minute++) {
      const local = minute + zone.offset(minute);
      const seconds = new Set<number>();
      if (this.#fits(local)) {
        const earlier = (offset: number): boolean => local - offset < minute && zone.offset(local - offset) === offset;
        if (!once || before.size === 1 || ![...before].some(earlier))
          for (const second of this.#seconds) seconds.add(second);
      }
      if (this.#options.dst === "vixie" && !this.#starred) {
        const last = minute - 1 + zone.offset(minute - 1);
        for (let skipped = last + 1; skipped < local; skipped++) if (this.#fits(skipped)) seconds.add(0);
      }
      for (const second of [...seconds].sort((a, b) => a - b)) list.push(minute * 60 + second);
    }
    return list;
  }

  /** Whether minute, hour and date fit; the argument is local time in minutes. */
  #fits(local: number): boolean {
    const ofDay = ((local % 1440) + 1440) % 1440;
    return (
      this.#minutes.has(ofDay % 60) && this.#hours.has(Math.floor(ofDay / 60)) && this.#date(Math.floor(local / 1440))
    );
  }

  #date(day: number): boolean {
    let fit = this.#dates.get(day);
    if (fit === undefined) {
      fit = this.#dateFits(new Date(day * 86_400_000));
      this.#dates.set(day, fit);
    }
    return fit;
  }

  #dateFits(date: Date): boolean {
    const { fields } = this.#plan;
    if (!fits(fields[4]!.items, date.getUTCMonth() + 1, 4)) return false;
    const month = fields[3]!.items.some((item) => monthDayFits(item, date));
    const week = fields[5]!.items.some((item) => weekdayFits(item, date));
    const restricted = [fields[3]!, fields[5]!].every((field) => field.text !== "*" && field.text !== "?");
    return restricted && this.#options.days === "or" ? month || week : month && week;
  }
}

/** Whether a value fits one of the items of a field. */
export function fits(items: readonly Item[], value: number, index: number): boolean {
  return items.some((item) => item.kind === "range" && inRange(item, value, index));
}

/** Walks over a range as it is written, past the largest value to the smallest, and counts the steps. */
function inRange({ from, to, step }: Item & { kind: "range" }, value: number, index: number): boolean {
  const [smallest, largest] = (
    [
      [0, 59],
      [0, 59],
      [0, 23],
      [1, 31],
      [1, 12],
      [0, 6],
    ] as const
  )[index]!;
  for (let at = from, steps = 0; ; at++, steps++) {
    // 7 is a way to write Sunday; a range that begins after its end goes around.
    if (at > largest && !(index === 5 && at === 7 && to === 7)) at = from > to ? at - (largest - smallest + 1) : at;
    if (steps % step === 0 && (index === 5 ? at % 7 : at) === value) return true;
    if (at === to || steps > 60) return false;
  }
}

function monthDayFits(item: Item, date: Date): boolean {
  const day = date.getUTCDate();
  const length = daysIn(date);
  if (item.kind === "last") return day === length - item.before;
  if (item.kind === "lastWorkday") return day === workdayNear(date, length);
  if (item.kind === "near") return item.day <= length && day === workdayNear(date, item.day);
  return item.kind === "range" && inRange(item, day, 3);
}

function weekdayFits(item: Item, date: Date): boolean {
  const weekday = date.getUTCDay();
  const day = date.getUTCDate();
  if (item.kind === "nth") return weekday === item.weekday % 7 && Math.ceil(day / 7) === item.nth;
  if (item.kind === "lastOf") return weekday === item.weekday % 7 && day + 7 > daysIn(date);
  return item.kind === "range" && inRange(item, weekday, 5);
}

function daysIn(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

/** Tries the days of the month in the order of their distance: the day, the one before, the one after, and so on. */
function workdayNear(date: Date, day: number): number {
  for (const distance of [0, -1, 1, -2, 2]) {
    const candidate = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day + distance));
    const weekday = candidate.getUTCDay();
    if (candidate.getUTCMonth() === date.getUTCMonth() && weekday > 0 && weekday < 6) return day + distance;
  }
  throw new Error("no month is without workdays");
}
