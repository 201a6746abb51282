/**
 * What does one field of an expression ask for?
 *
 * A field is a list of items; each item becomes bits. Plain values go into a 64-bit mask kept as two 32-bit halves, so
 * that finding the next value is one `Math.clz32`. What depends on the month (`L`, `15W`, `MON#2`) goes into masks of its
 * own, which `days.ts` turns into days once it knows the month.
 *
 * The reader goes forward over the characters once and remembers where it is: each refusal points at its column.
 */
import { CronSyntaxError, nearest } from "../error.ts";
import { hashed } from "./hash.ts";

/** What a field may hold. */
export interface FieldRule {
  /** Name in messages. */
  readonly name: string;
  /** Smallest value. */
  readonly min: number;
  /** Largest value that may be written. */
  readonly max: number;
  /** How many values there are before they repeat; only the day of week has a value more than it has meanings (0 = 7). */
  readonly cycle: number;
  /** Three-letter names, the first for `min`. */
  readonly names?: readonly string[];
}

const MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/** Index of a field in {@link FIELDS}: the day of the month. */
export const DAY = 3;
/** Index of a field in {@link FIELDS}: the day of the week. */
export const WEEKDAY = 5;

/** The six fields in the order in which they are written. */
export const FIELDS: readonly FieldRule[] = [
  { name: "second", min: 0, max: 59, cycle: 60 },
  { name: "minute", min: 0, max: 59, cycle: 60 },
  { name: "hour", min: 0, max: 23, cycle: 24 },
  { name: "day-of-month", min: 1, max: 31, cycle: 31 },
  { name: "month", min: 1, max: 12, cycle: 12, names: MONTHS },
  { name: "day-of-week", min: 0, max: 7, cycle: 7, names: WEEKDAYS },
];

/** A field that was read. */
export interface Field {
  /** Values 0 to 31, a bit each. */
  low: number;
  /** Values 32 to 59, a bit each from bit 0. */
  high: number;
  /** Day of month: bit N for `L-N`. Day of week: bit D for `DL`. */
  last: number;
  /** Day of month: bit N for `NW`. */
  near: number;
  /** Day of month: `LW`. */
  lastWorkday: boolean;
  /** Day of week: at N - 1, bit D for `D#N`; `null` where there is none. */
  nth: number[] | null;
}

const STAR = 42;
const COMMA = 44;
const DASH = 45;
const SLASH = 47;
const HASH = 35;
const LETTER_H = 72;
const LETTER_L = 76;
const LETTER_W = 87;

/** Reads the fields of one expression, one after the other. */
export class FieldReader {
  readonly #text: string;
  readonly #seed: string | undefined;
  #at = 0;
  #end = 0;
  #index = 0;

  /**
   * @param text the whole expression
   * @param seed what resolves `H`
   */
  constructor(text: string, seed: string | undefined) {
    this.#text = text;
    this.#seed = seed;
  }

  /**
   * Reads the field between two columns.
   *
   * @param index of the field in {@link FIELDS}
   * @throws {CronSyntaxError} where the text is none
   */
  read(index: number, start: number, end: number): Field {
    this.#at = start;
    this.#end = end;
    this.#index = index;
    const field: Field = { low: 0, high: 0, last: 0, near: 0, lastWorkday: false, nth: null };
    if (end === start + 1 && this.#text[start] === "?") {
      if (index !== DAY && index !== WEEKDAY)
        this.#fail(start, "?", this.#range(), 'only the two day fields take "?"; write "*"');
      this.#add(field, this.#rule.min, this.#rule.min + this.#rule.cycle - 1, 1);
      return field;
    }
    for (;;) {
      this.#item(field);
      if (this.#at === end) return field;
      if (this.#code() !== COMMA) this.#failHere("a comma or the end of the field");
      this.#at++;
    }
  }

  get #rule(): FieldRule {
    return FIELDS[this.#index]!;
  }

  /** The character at the place, in upper case; NaN at the end of the field. */
  #code(): number {
    if (this.#at >= this.#end) return Number.NaN;
    const code = this.#text.charCodeAt(this.#at);
    return code >= 97 && code <= 122 ? code - 32 : code;
  }

  /** Goes over a character if it is there. */
  #take(code: number): boolean {
    if (this.#code() !== code) return false;
    this.#at++;
    return true;
  }

  #item(field: Field): void {
    const { min, max, cycle } = this.#rule;
    const start = this.#at;
    if (this.#take(STAR)) {
      const step = this.#step(cycle);
      this.#add(field, min, min + cycle - 1, step);
      return;
    }
    const day = this.#index === DAY;
    const weekday = this.#index === WEEKDAY;
    const letter = this.#code();
    if (day && letter === LETTER_L) {
      this.#at++;
      if (this.#take(LETTER_W)) field.lastWorkday = true;
      else field.last |= 1 << (this.#take(DASH) ? this.#number(0, 30, "days before the last one, 0-30") : 0);
      return;
    }
    if (letter === LETTER_H) {
      this.#hash(field, start);
      return;
    }
    const first = this.#value();
    if (day && this.#take(LETTER_W)) {
      field.near |= 1 << first;
    } else if (weekday && this.#take(LETTER_L)) {
      field.last |= 1 << (first % 7);
    } else if (weekday && this.#take(HASH)) {
      if (this.#take(LETTER_L)) field.last |= 1 << (first % 7);
      else {
        const nth = this.#number(1, 5, "which one in the month, 1-5 or L");
        field.nth ??= [0, 0, 0, 0, 0];
        field.nth[nth - 1]! |= 1 << (first % 7);
      }
    } else if (this.#take(DASH)) {
      const end = this.#value();
      const last = end < first ? end + cycle : end;
      this.#add(field, first, last, this.#step(last - first + 1));
    } else if (this.#code() === SLASH) {
      this.#add(field, first, max, this.#step(max - first + 1));
    } else {
      this.#add(field, first, first, 1);
    }
  }

  /** `H`, `H(a-b)`, each with or without a step: the seed picks a value, or where the steps begin. */
  #hash(field: Field, start: number): void {
    const seed = this.#seed;
    if (seed === undefined) {
      this.#fail(start, "H", this.#range(), 'the option "seed" gives "H" its value; a schedule uses its name');
    }
    const { min, cycle } = this.#rule;
    this.#at++;
    let first = min;
    let last = hashEnd(this.#index);
    if (this.#take(40)) {
      first = this.#value();
      if (!this.#take(DASH)) this.#failHere('"-"');
      last = this.#value();
      if (last < first) last += cycle;
      if (!this.#take(41)) this.#failHere('")"');
    }
    const size = last - first + 1;
    const stepped = this.#code() === SLASH;
    const step = this.#step(size);
    const picked = first + hashed(seed, this.#index, stepped ? step : size);
    this.#add(field, picked, stepped ? last : picked, step);
  }

  /** Reads `/K` where there is one. */
  #step(size: number): number {
    const start = this.#at;
    if (!this.#take(SLASH)) return 1;
    const text = this.#digits();
    const step = Number(text);
    if (text !== "" && step >= 1 && step <= size) return step;
    const { name } = this.#rule;
    const unit = this.#index < 3 ? name[0] : this.#index < 4 ? "d" : "";
    let hint: string | undefined;
    if (step > size && unit && start > 0 && this.#text[start - 1] === "*")
      hint = `for elapsed time write "@every ${text}${unit}"`;
    else if (step > size) hint = `the range before it has ${size} value${size === 1 ? "" : "s"}`;
    if (text === "") this.#failHere(`a step, 1-${size}`);
    return this.#fail(start + 1, text, `a step, 1-${size}`, hint);
  }

  /** Reads one value: a number or a name. */
  #value(): number {
    const { min, max, names } = this.#rule;
    const start = this.#at;
    const named = this.#letters();
    if (!Number.isNaN(named)) {
      this.#at += 3;
      return named + min;
    }
    const text = this.#digits();
    const value = Number(text);
    if (text !== "" && value >= min && value <= max) return value;
    if (text === "") this.#failHere(this.#range(), names);
    let hint: string | undefined;
    if (value === max + 1 && this.#index < 3)
      hint = `${this.#rule.name}s go from 0 to ${max}; ${value} is 0 of the next`;
    return this.#fail(start, text, this.#range(), hint);
  }

  #number(min: number, max: number, expected: string): number {
    const start = this.#at;
    const text = this.#digits();
    const value = Number(text);
    if (text === "") this.#failHere(expected);
    if (value < min || value > max) this.#fail(start, text, expected);
    return value;
  }

  #digits(): string {
    const start = this.#at;
    while (this.#code() >= 48 && this.#code() <= 57) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  /** Which of the field's names stands at the place, NaN if none; a longer word is none, but `MONL` is. */
  #letters(): number {
    const { names } = this.#rule;
    const letter = this.#code();
    if (!names || !(letter >= 65 && letter <= 90)) return Number.NaN;
    const rest = this.#text.slice(this.#at, Math.min(this.#end, this.#at + 5)).toUpperCase();
    const after = this.#index === WEEKDAY ? /^...L?(?![A-Z0-9])/ : /^...(?![A-Z0-9])/;
    const found = names.indexOf(rest.slice(0, 3));
    return found >= 0 && after.test(rest) ? found : Number.NaN;
  }

  /** Sets every `step`th bit; values past the largest go on from the smallest. */
  #add(field: Field, first: number, last: number, step: number): void {
    const { min, cycle } = this.#rule;
    const top = min + cycle;
    for (let value = first; value <= last; value += step) {
      const bit = value < top ? value : value - cycle;
      if (bit < 32) field.low |= 1 << bit;
      else field.high |= 1 << (bit - 32);
    }
  }

  #range(): string {
    const { min, max, names } = this.#rule;
    return `${min}-${max}${names ? ` or ${names[0]}-${names.at(-1)}` : ""}`;
  }

  /** Refuses the word at the place. */
  #failHere(expected: string, names?: readonly string[]): never {
    const rest = this.#text.slice(this.#at, this.#end);
    const found = /^([a-z]+|[^,]?)/i.exec(rest)![0];
    const word = found.toUpperCase();
    let hint: string | undefined;
    if (word.length > 1) {
      const guess = nearest(word, names ?? []) ?? names?.find((name) => word.startsWith(name));
      const other = FIELDS.find((rule) => rule.names?.includes(word.slice(0, 3)));
      if (guess) hint = `did you mean "${guess}"?`;
      else if (other) hint = `"${found}" belongs into the field ${other.name}`;
    }
    return this.#fail(this.#at, found, expected, hint);
  }

  #fail(column: number, found: string, expected: string, hint?: string): never {
    throw new CronSyntaxError({ expression: this.#text, field: this.#rule.name, column, found, expected, hint });
  }
}

/** Returns the end of the range that a bare `H` picks from: in the day of month 28, so that each month has it. */
export function hashEnd(index: number): number {
  const { min, cycle } = FIELDS[index]!;
  return index === DAY ? 28 : min + cycle - 1;
}
