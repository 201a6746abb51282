/**
 * What does an expression mean, and how is it written?
 *
 * Text is split at spaces and tabs; five fields, or six with seconds first, are read by `field.ts`. Nicknames stand for
 * five fields. `@every` is another kind of schedule, see `every.ts`.
 *
 * Whatever is not in the grammar is refused, with what was probably meant: `dialects.ts` looks for another scheduler's
 * text, `field.ts` for a misspelt value.
 */
import { CronSyntaxError, nearest } from "../base/error.ts";
import { dialectHint } from "./dialects.ts";
import { canonical, FIELDS, type Field, readField } from "./field.ts";

/** A calendar expression that was read. */
export interface CronExpression {
  /** All six fields, seconds first. */
  readonly fields: readonly Field[];
  /** Whether a day that fits one of the two day fields is enough. */
  readonly either: boolean;
  /** Whether the minute or the hour field starts with `*`: what follows elapsed time under the Vixie rule. */
  readonly starred: boolean;
  /** Whether it is written as in Quartz, with `?` for the day of the month, and has numbers for weekdays. */
  readonly sundayFirst: boolean;
}

/** What reading an expression may depend on. */
export interface ReadOptions {
  /** What resolves `H`. */
  readonly seed?: string | undefined;
  /** How two restricted day fields combine. */
  readonly days?: "or" | "and" | undefined;
}

const NICKNAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    yearly: "0 0 1 1 *",
    annually: "0 0 1 1 *",
    monthly: "0 0 1 * *",
    weekly: "0 0 * * 0",
    daily: "0 0 * * *",
    midnight: "0 0 * * *",
    hourly: "0 * * * *",
  }),
);

/**
 * Reads a calendar expression: five or six fields, or a nickname.
 *
 * @param guessing whether an error looks for another dialect's text
 * @throws {CronSyntaxError} `CRON_SYNTAX` where the text is not in the grammar
 */
export function readExpression(expression: string, { days, seed }: ReadOptions = {}, guessing = true): CronExpression {
  const refuse = (field: string, column: number, found: string, expected: string, remedy?: string): never => {
    const hint = (guessing && dialectHint(expression, rewritten)) || remedy;
    throw new CronSyntaxError({ expression, field, column, found, expected, hint });
  };
  const odd = expression.search(/[^ -~\t]/);
  if (odd >= 0) refuse("expression", odd, expression[odd]!, "one line of ASCII");
  const words = wordsOf(expression);
  const { length } = words;
  const [first = ""] = words;
  const nickname = length === 1 && first[0] === "@" && NICKNAMES.get(first.slice(1).toLowerCase());
  if (!nickname && length !== 5 && length !== 6) {
    const guess = length === 1 && nearest(first.replace(/^@/, ""), [...NICKNAMES.keys(), "every"]);
    const hint = /^@reboot$/i.test(first) ? "call it where your program starts" : "";
    const expected = "5 fields, 6 with seconds first, or a nickname like @daily";
    refuse(
      "expression",
      columnOf(expression, 0),
      expression.trim(),
      expected,
      guess ? `did you mean "@${guess}"?` : hint,
    );
  }
  const texts = nickname ? wordsOf(nickname) : words;
  if (texts.length === 5) texts.unshift("0");
  const fields = texts.map((word, index) =>
    readField(word, index, seed, (column, found, expected, hint) => {
      const at = columnOf(expression, index - 6 + length) + column;
      return refuse(FIELDS[index]!.name, at, expression.substr(at, found.length), expected, hint || elapsed(texts));
    }),
  );
  const [, minute, hour, day, , weekday] = fields.map(({ text }) => text);
  return {
    fields,
    // A day field leaves the choice to the other one only when it is exactly `*` (or `?`, which was read as `*`).
    either: days !== "and" && day !== "*" && weekday !== "*",
    starred: minute![0] === "*" || hour![0] === "*",
    sundayFirst: length === 6 && words[3] === "?" && /^\d|[,-]\d/.test(weekday!),
  };
}

/**
 * Writes an expression: numbers for names, single spaces, `H` resolved, seconds only where they are not 0. What the day
 * and DST rules look at (`*` against `1-31`) stays.
 */
export function writeExpression({ fields }: CronExpression): string {
  return fields.map(canonical).join(" ").replace(/^0 /, "");
}

function wordsOf(text: string): string[] {
  return text.match(/[^ \t]+/g) ?? [];
}

/** Where the word of an index begins. */
function columnOf(text: string, index: number): number {
  return [...text.matchAll(/[^ \t]+/g)][index]?.index ?? 0;
}

/** Reads and writes words, `undefined` where they cannot be read. */
function rewritten(words: readonly string[]): string | undefined {
  try {
    return writeExpression(readExpression(words.join(" "), {}, false));
  } catch {
    return undefined;
  }
}

/** What a step larger than its field means where nothing else is asked: elapsed time. */
function elapsed(texts: readonly string[]): string | undefined {
  const [, before, step] = /^((?:\d+ ){0,2})[*0]\/(\d+)(?: [*?])+$/.exec(texts.join(" ")) ?? [];
  return step && `did you mean "@every ${step}${"smh"[wordsOf(before!).length]}"?`;
}
