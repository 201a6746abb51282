/**
 * What does one field of an expression ask for?
 *
 * A field is a list of items; each item becomes bits. Plain values go into a 64-bit mask kept as two 32-bit halves, so
 * that finding the next value is one `Math.clz32`. What depends on the month (`L`, `15W`, `MON#2`) goes into masks of
 * its own, which `days.ts` turns into days once it knows the month.
 *
 * An item is matched whole, so nothing is left over that could be read as something else.
 */
import { nearest } from "../base/error.ts";
import { hashed } from "./hash.ts";

/** What a field may hold. */
export interface FieldRule {
  /** Name in messages. */
  readonly name: string;
  /** Smallest value. */
  readonly min: number;
  /** Largest value that may be written; in the week that is 7, which is 0 again. */
  readonly max: number;
  /** English names, the first for `min`. */
  readonly names: readonly string[];
  /** The first three letters of the names, which may be written. */
  readonly short: readonly string[];
}

/** Index in {@link FIELDS}. */
export const HOUR = 2;
/** Index in {@link FIELDS}. */
export const MONTH_DAY = 3;
/** Index in {@link FIELDS}. */
export const MONTH = 4;
/** Index in {@link FIELDS}. */
export const WEEKDAY = 5;

/** The six fields in the order in which they are written. */
export const FIELDS: readonly FieldRule[] = [
  rule("second", 0, 59),
  rule("minute", 0, 59),
  rule("hour", 0, 23),
  rule("day-of-month", 1, 31),
  rule("month", 1, 12, "January February March April May June July August September October November December"),
  rule("day-of-week", 0, 7, "Sunday Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
];

function rule(name: string, min: number, max: number, text?: string): FieldRule {
  const names = text?.split(" ") ?? [];
  const short = names.map((long) => long.slice(0, 3).toUpperCase());
  return { name, min, max, names, short };
}

/** A field that was read. */
export interface Field {
  /** Its text in capitals, `?` of a day field as `*` and `H` resolved. */
  text: string;
  /** Values 0 to 31, a bit each. */
  low: number;
  /** Values 32 to 59, a bit each from bit 0. */
  high: number;
  /** Day of month: bit N for `L-N`. */
  last: number;
  /** Day of month: bit N for `NW`, bit 0 for `LW`. */
  near: number;
  /** Day of week: at N - 1, bit D for `D#N`; at 5, bit D for `DL`. */
  nth: number[] | undefined;
}

/** Says that a text cannot be read: where in the field, what stands there, what should. */
export type Refuse = (column: number, found: string, expected: string, hint: string) => never;

/** `*`, `H`, `H(N-M)`, `N`, `N-M`, each with or without `/K`. */
const ITEM = /^(?:\*|H(?:\((\w+)-(\w+)\))?|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/;
/** `NW`, `LW`, `L`, `L-N`. */
const DAY_ITEM = /^(?:(\w+)W|L(?:-(\d+))?)$/;
/** `DL`, `D#N`, `D#L`. */
const WEEKDAY_ITEM = /^(\w+?)(?:L|#([1-5L]))$/;

/**
 * Reads a field.
 *
 * @param word the field's text, ASCII
 * @param index of the field in {@link FIELDS}
 * @param seed what resolves `H`
 * @param refuse called where the text is no such field
 */
export function readField(word: string, index: number, seed: string | undefined, refuse: Refuse): Field {
  const { min, max, short } = FIELDS[index]!;
  const top = index === WEEKDAY ? 6 : max;
  const size = top - min + 1;
  const field: Field = { text: "", low: 0, high: 0, last: 0, near: 0, nth: undefined };
  let column = 0;
  const wrap = (value: number): number => (value > top ? value - size : value);
  const fail = (
    at: number,
    found: string,
    expected = `${min}-${max}${short[0] ? ` or a name like ${short[0]}` : ""}`,
    hint = remedy(found, index),
  ): never => refuse(column + at, found, expected, hint);
  const number = (text: string, at: number): number => {
    // No such name is -1, which is below each field's values once `min` is added.
    const value = /\D/.test(text) ? short.indexOf(text) + min : +text;
    return value < min || value > max ? fail(at, text) : value;
  };
  const days = index === MONTH_DAY ? DAY_ITEM : index === WEEKDAY ? WEEKDAY_ITEM : undefined;
  for (const item of (days && word === "?" ? "*" : word.toUpperCase()).split(",")) {
    let text = item;
    const [special, of, nth] = days?.exec(item) ?? [];
    if (special) {
      const day = of === "L" ? 0 : of ? number(of, 0) : +(nth ?? 0);
      if (index === WEEKDAY) {
        field.nth ??= [0, 0, 0, 0, 0, 0];
        field.nth[(+nth! || 6) - 1]! |= 1 << (day % 7);
      } else if (of) field.near |= 1 << day;
      else if (day > 30) fail(2, nth!, "0-30");
      else field.last |= 1 << day;
    } else {
      const [, hashFrom, hashTo, from, to, by] = ITEM.exec(item) ?? fail(0, item);
      const hash = item[0] === "H";
      let first = min;
      let last = hash && index === MONTH_DAY ? 28 : top;
      if (from) {
        first = number(from, 0);
        last = to ? number(to, from.length + 1) : by ? max : first;
      } else if (hashFrom) {
        first = number(hashFrom, 2);
        last = number(hashTo!, hashFrom.length + 3);
      }
      if (last < first) last += size;
      const count = last - first + 1;
      const step = +(by ?? 1);
      if (step < 1 || step > count) {
        // A step past the end of a range leaves its first value.
        fail(item.length - by!.length, by!, `a step, 1-${count}`, step && to ? `did you mean "${from}"?` : "");
      }
      if (hash) {
        if (seed === undefined) fail(0, item, 'the option "seed"');
        first += hashed(seed!, index, by ? step : count);
        if (!by) last = first;
        // What is left of the range may be shorter than the step, and is then one value.
        text = wrap(first) + (step <= last - first ? `-${wrap(last)}/${step}` : "");
      }
      for (let value = first; value <= last; value += step) {
        const bit = wrap(value);
        if (bit < 32) field.low |= 1 << bit;
        else field.high |= 1 << bit;
      }
    }
    field.text += (column ? "," : "") + text;
    column += item.length + 1;
  }
  return field;
}

/** Writes a field that was read with numbers for names and without leading zeros. */
export function canonical({ text }: Field, index: number): string {
  const { min, short } = FIELDS[index]!;
  return text.replace(/[A-Z]{3}|\d+/g, (value) => `${/\d/.test(value) ? +value : short.indexOf(value) + min}`);
}

/** Guesses what was meant, from the text that does not fit. */
function remedy(found: string, index: number): string {
  const { max, short } = FIELDS[index]!;
  const guess = /[A-Z]{3}/.test(found) && nearest(found, short);
  if (guess) return `did you mean "${guess}"?`;
  return index < 3 && +found === max + 1 ? `${found} is 0 of the next` : "";
}
