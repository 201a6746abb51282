/**
 * What does an expression mean, and how is it written?
 *
 * Text is split at spaces and tabs; five fields, or six with seconds first, are read by `field.ts` into one flat record
 * of masks. Nicknames stand for five fields. `@every` is another kind of schedule, see `every.ts`.
 *
 * Whatever is not in the grammar is refused. When a refused expression would do with its fields in another order, the
 * error says so.
 */
import { CronSyntaxError, nearest } from "../error.ts";
import { canMatch, type DayMasks } from "./days.ts";
import { FIELDS, type Field, FieldReader, hashEnd } from "./field.ts";
import { hashed } from "./hash.ts";

/** A calendar expression as masks; see `field.ts` for the halves of a mask. */
export interface CronExpression extends DayMasks {
  /** Seconds 0 to 31. */
  readonly secondsLow: number;
  /** Seconds 32 to 59. */
  readonly secondsHigh: number;
  /** Minutes 0 to 31. */
  readonly minutesLow: number;
  /** Minutes 32 to 59. */
  readonly minutesHigh: number;
  /** Hours, bit H. */
  readonly hours: number;
  /** Whether the minute or the hour field starts with `*`: what follows elapsed time under the Vixie rule. */
  readonly starred: boolean;
  /** Whether no day, ever, can match. */
  readonly never: boolean;
  /** The six fields as text, seconds first. */
  readonly fields: readonly string[];
}

/** What reading an expression may depend on. */
export interface ReadOptions {
  /** What resolves `H`. */
  readonly seed?: string | undefined;
  /** How two restricted day fields combine. */
  readonly days?: "or" | "and" | undefined;
}

const NICKNAMES: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Reads a calendar expression: five or six fields, or a nickname.
 *
 * @throws {CronSyntaxError} `CRON_SYNTAX` where the text is not in the grammar
 */
export function readExpression(text: string, options: ReadOptions = {}): CronExpression {
  try {
    return readFields(text, options);
  } catch (error) {
    if (error instanceof CronSyntaxError && error.hint === undefined) {
      const hint = reordered(text, options);
      if (hint) throw new CronSyntaxError({ ...details(error), hint });
    }
    throw error;
  }
}

/**
 * Writes an expression so that reading it gives the same schedule: numbers for names, single spaces, `H` resolved,
 * seconds only where they are not 0. What the day and DST rules look at (`*` against `1-31`) stays.
 */
export function writeExpression(expression: CronExpression, seed: string | undefined): string {
  const fields = expression.fields.map((text, index) => writeField(text, index, seed));
  if (fields[0] === "0") fields.shift();
  return fields.join(" ");
}

function readFields(text: string, { seed, days }: ReadOptions): CronExpression {
  const columns = split(text);
  let source = text;
  if (text.charCodeAt(columns[0]!) === 64) {
    source = nickname(text, columns);
    columns.length = 0;
    split(source, columns);
  }
  const count = columns.length / 2;
  if (count !== 5 && count !== 6) wrongCount(text, columns);
  const fields = ["0"];
  for (let i = 0; i < columns.length; i += 2) {
    fields[i / 2 + 6 - count] = source.slice(columns[i], columns[i + 1]);
  }
  const reader = new FieldReader(source, seed);
  const skip = 6 - count;
  const read = (index: number): Field =>
    reader.read(index, columns[(index - skip) * 2]!, columns[(index - skip) * 2 + 1]!);
  const second = skip === 0 ? read(0) : ON_THE_MINUTE;
  const minute = read(1);
  const hour = read(2);
  const day = read(3);
  const month = read(4);
  const weekday = read(5);
  const masks = {
    secondsLow: second.low,
    secondsHigh: second.high,
    minutesLow: minute.low,
    minutesHigh: minute.high,
    hours: hour.low,
    months: month.low,
    days: day.low,
    lastDays: day.last,
    nearDays: day.near,
    lastWorkday: day.lastWorkday,
    weekdays: weekday.low,
    nthWeekdays: weekday.nth,
    lastWeekdays: weekday.last,
    either: days !== "and" && restricted(fields[3]!) && restricted(fields[5]!),
    starred: fields[1]!.startsWith("*") || fields[2]!.startsWith("*"),
    never: false,
    fields,
  };
  masks.never = !canMatch(masks);
  return masks;
}

const ON_THE_MINUTE: Field = { low: 1, high: 0, last: 0, near: 0, lastWorkday: false, nth: null };

/** A day field leaves the choice to the other one only when it is exactly `*` or `?`. */
function restricted(field: string): boolean {
  return field !== "*" && field !== "?";
}

/** Finds the words of a text: start and end of each, one after the other. */
function split(text: string, columns: number[] = []): number[] {
  let inside = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const blank = code === 32 || code === 9;
    if (blank === inside) {
      columns.push(i);
      inside = !inside;
    }
  }
  if (inside) columns.push(text.length);
  return columns;
}

function nickname(text: string, columns: number[]): string {
  const word = text.slice(columns[0], columns[1]);
  const fields = Object.hasOwn(NICKNAMES, word.toLowerCase()) ? NICKNAMES[word.toLowerCase()] : undefined;
  const names = Object.keys(NICKNAMES);
  const problem = { expression: text, field: "expression", column: columns[0]!, found: word };
  if (fields === undefined) {
    const guess = nearest(word, [...names, "@every"]);
    const hint =
      word.toLowerCase() === "@reboot"
        ? "a schedule is kept in a database and has no start of a machine; run that code when your program starts"
        : guess && `did you mean "${guess}"?`;
    throw new CronSyntaxError({ ...problem, expected: `${names.join(", ")} or @every`, hint });
  }
  if (columns.length > 2) {
    const [, , column, end] = columns;
    throw new CronSyntaxError({
      ...problem,
      column: column!,
      found: text.slice(column, end),
      expected: `nothing after ${word}`,
    });
  }
  return fields;
}

function wrongCount(text: string, columns: readonly number[]): never {
  const count = columns.length / 2;
  let hint: string | undefined;
  if (count === 1) {
    const guess = nearest(`@${text.trim()}`, Object.keys(NICKNAMES));
    if (guess) hint = `did you mean "${guess}"?`;
  } else if (count === 7) hint = "there is no year field";
  const column = count > 6 ? columns[12]! : text.trimEnd().length;
  throw new CronSyntaxError({
    expression: text,
    field: "expression",
    column,
    found: count > 6 ? text.slice(column, columns[13]) : "",
    expected: `5 fields (minute hour day-of-month month day-of-week) or 6 with seconds first, not ${count}`,
    hint,
  });
}

/** Looks for an order of the same fields that can be read: seconds last, month and weekday or minute and hour swapped. */
function reordered(text: string, options: ReadOptions): string | undefined {
  const words = text.split(/[ \t]+/).filter(Boolean);
  const [a, b, c, d, e, f] = words;
  const orders =
    words.length === 5
      ? [
          [a, b, c, e, d],
          [b, a, c, d, e],
          [a, b, d, c, e],
          [e, d, c, b, a],
        ]
      : words.length === 6
        ? [
            [f, a, b, c, d, e],
            [f, b, a, c, d, e],
            [a, b, c, d, f, e],
            [a, c, b, d, e, f],
          ]
        : [];
  for (const order of orders) {
    const guess = order.join(" ");
    try {
      readFields(guess, options);
      return `did you mean "${guess}"? The order is ${FIELDS.slice(6 - order.length)
        .map((field) => field.name)
        .join(", ")}`;
    } catch {}
  }
  return undefined;
}

function details(error: CronSyntaxError): {
  expression: string;
  field: string;
  column: number;
  found: string;
  expected: string;
} {
  const { expression, field, column, found, expected } = error;
  return { expression, field, column, found, expected };
}

function writeField(text: string, index: number, seed: string | undefined): string {
  const { min, names } = FIELDS[index]!;
  let field = text.toUpperCase().replace("?", "*");
  if (names) field = field.replace(/[A-Z]{3}/g, (name) => String(names.indexOf(name) + min));
  field = field.replace(/\d+/g, (digits) => String(Number(digits)));
  return field.replace(/H(?:\((\d+)-(\d+)\))?(?:\/(\d+))?/g, (_, from = min, to = hashEnd(index), step = 0) => {
    const first = Number(from);
    const { cycle } = FIELDS[index]!;
    const last = Number(to) < first ? Number(to) + cycle : Number(to);
    const wrap = (value: number): number => (value < min + cycle ? value : value - cycle);
    const picked = first + hashed(seed!, index, Number(step) || last - first + 1);
    return step ? `${wrap(picked)}-${wrap(last)}/${step}` : String(wrap(picked));
  });
}
