/**
 * Which expressions, zones and instants do the property tests try?
 *
 * A seeded generator over the grammar. An expression is made as structure first and written as text from it, so that the
 * oracle can judge the structure and never has to read text: the reader under test is the only one there is.
 */

/** One item of a field as it was meant; numbers as they are written (7 stays 7). */
export type Item =
  | { kind: "range"; from: number; to: number; step: number }
  | { kind: "last"; before: number }
  | { kind: "lastWorkday" }
  | { kind: "near"; day: number }
  | { kind: "nth"; weekday: number; nth: number }
  | { kind: "lastOf"; weekday: number };

/** A field: its items, and whether it is written exactly `*` or `?`, or begins with `*`. */
export interface FieldPlan {
  items: Item[];
  text: string;
}

/** An expression as it was meant. */
export interface Plan {
  /** Second, minute, hour, day of month, month, day of week. */
  fields: FieldPlan[];
  text: string;
}

/** Deterministic numbers from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0 and less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(p: number): boolean {
    return this.next() < p;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }
}

const LIMITS = [
  [0, 59],
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
] as const;
const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** Makes an expression. Most day fields are `*`, as in life; hours lean to the night, when clocks change. */
export function plan(random: Random): Plan {
  const seconds = random.chance(0.2);
  const fields = LIMITS.map((_, index) => {
    if (index === 0 && !seconds) return { items: [all(0)], text: "" };
    const star = [0.2, 0.3, 0.35, 0.6, 0.7, 0.6][index]!;
    if (random.chance(star)) {
      const text = (index === 3 || index === 5) && random.chance(0.2) ? "?" : "*";
      return { items: [all(index)], text };
    }
    return field(random, index);
  });
  if (!seconds) fields[0] = { items: [{ kind: "range", from: 0, to: 0, step: 1 }], text: "" };
  const words = fields.map((item) => item.text).filter((word) => word !== "");
  const blank = (): string => random.pick([" ", " ", " ", "  ", "\t"]);
  let text = words[0]!;
  for (const word of words.slice(1)) text += blank() + word;
  if (random.chance(0.05)) text = ` ${text}\t`;
  return { fields, text };
}

function all(index: number): Item {
  const [from, to] = LIMITS[index]!;
  return { kind: "range", from, to, step: 1 };
}

function field(random: Random, index: number): FieldPlan {
  const count = random.pick([1, 1, 1, 2, 3]);
  const items: Item[] = [];
  const words: string[] = [];
  for (let i = 0; i < count; i++) {
    const [item, text] = anItem(random, index);
    items.push(item);
    words.push(text);
  }
  return { items, text: words.join(",") };
}

export function anItem(random: Random, index: number): [Item, string] {
  const [min, max] = LIMITS[index]!;
  const size = max - min + 1;
  const value = (): number => {
    if (index === 2 && random.chance(0.7)) return random.pick([0, 1, 2, 3, 23]);
    return index === 5 ? random.int(0, 7) : random.int(min, max);
  };
  const said = (n: number): string => name(random, index, n);
  if (index === 3 && random.chance(0.3)) {
    const before = random.int(0, 6);
    const day = random.int(1, 31);
    return random.pick<[Item, string]>([
      [{ kind: "last", before: 0 }, random.pick(["L", "l"])],
      [{ kind: "last", before }, `L-${before}`],
      [{ kind: "lastWorkday" }, random.pick(["LW", "lw", "Lw"])],
      [{ kind: "near", day }, `${day}${random.pick(["W", "w"])}`],
    ]);
  }
  if (index === 5 && random.chance(0.3)) {
    const weekday = random.int(0, 7);
    const nth = random.int(1, 5);
    return random.pick<[Item, string]>([
      [{ kind: "nth", weekday, nth }, `${said(weekday)}#${nth}`],
      [{ kind: "lastOf", weekday }, `${said(weekday)}L`],
      [{ kind: "lastOf", weekday }, `${said(weekday)}#L`],
    ]);
  }
  const shape = random.int(0, 4);
  if (shape === 0) {
    const step = random.chance(0.5) ? random.int(1, Math.min(size, 10)) : random.int(1, size);
    return [{ kind: "range", from: min, to: max, step }, `*/${step}`];
  }
  if (shape === 1) {
    const from = value();
    const to = value();
    return [{ kind: "range", from, to, step: 1 }, `${said(from)}-${said(to)}`];
  }
  if (shape === 2) {
    const from = value();
    const to = value();
    const length = to >= from ? to - from + 1 : to - from + 1 + size;
    const step = random.int(1, length);
    return [{ kind: "range", from, to, step }, `${said(from)}-${said(to)}/${step}`];
  }
  if (shape === 3) {
    const from = value();
    // "To the end": in a week that is Sunday, written 7.
    const to = index === 5 ? 7 : max;
    const step = random.int(1, to - from + 1);
    return [{ kind: "range", from, to, step }, `${said(from)}/${step}`];
  }
  const only = value();
  return [{ kind: "range", from: only, to: only, step: 1 }, said(only)];
}

function name(random: Random, index: number, value: number): string {
  const names = index === 4 ? MONTHS : index === 5 ? DAYS : undefined;
  // A name for Sunday means 0, so 7 is always written as a number.
  if (names && value < 7 + (index === 4 ? 6 : 0) && random.chance(0.5)) {
    const text = names[index === 4 ? value - 1 : value]!;
    return random.pick([text, text.toLowerCase(), text[0] + text.slice(1).toLowerCase()]);
  }
  return random.chance(0.1) ? String(value).padStart(2, "0") : String(value);
}

/** Zones whose clocks do something unusual, and some that are plain. */
export const ZONES: readonly string[] = [
  "UTC",
  "+05:30",
  "-09:45",
  "America/New_York",
  "Europe/Berlin",
  "Europe/London",
  "Europe/Dublin",
  "Australia/Lord_Howe",
  "Antarctica/Troll",
  "Asia/Beirut",
  "America/Havana",
  "America/Sao_Paulo",
  "Pacific/Apia",
  "Pacific/Kwajalein",
  "Pacific/Chatham",
  "Africa/Casablanca",
  "Africa/Cairo",
  "Asia/Tehran",
  "Asia/Kathmandu",
  "Asia/Amman",
  "Asia/Gaza",
  "America/Santiago",
  "America/Nuuk",
  "America/St_Johns",
  "America/Caracas",
  "Asia/Pyongyang",
  "Europe/Volgograd",
  "Atlantic/Azores",
];
