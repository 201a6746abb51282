/**
 * When does `@every 1h30m` occur?
 *
 * At an anchor plus any whole number of intervals: elapsed time, the same for ever. Restarts, other options and clocks
 * that change for the summer do not move it. Units are s, m, h, d (24 hours) and w, largest first, whole numbers.
 */
import { CronSyntaxError } from "../error.ts";

const UNITS = "wdhms";
const UNIT_MS = [604_800_000, 86_400_000, 3_600_000, 60_000, 1_000];
/** Past this even the first step would leave the range of a Date. */
const MAX_MS = 8.64e15;

/**
 * Reads an `@every` expression.
 *
 * @returns the interval in milliseconds, or `null` where the text is another kind of expression
 * @throws {CronSyntaxError} `CRON_SYNTAX` where it is one and cannot be read
 */
export function readEvery(text: string): number | null {
  const head = /^[ \t]*@every(?=[ \t]|$)[ \t]*/i.exec(text);
  if (!head) return null;
  const start = head[0].length;
  const word = text.slice(start).replace(/[ \t]+$/, "");
  const fail = (column: number, found: string, hint?: string): never => {
    const expected = "a duration like 90s, 1h30m, 2d, 1w";
    throw new CronSyntaxError({ expression: text, field: "interval", column: start + column, found, expected, hint });
  };
  const parts = /(\d+)([wdhms])/y;
  let total = 0;
  let smallest = -1;
  let at = 0;
  while (at < word.length) {
    parts.lastIndex = at;
    const part = parts.exec(word);
    if (!part) return fail(at, word.slice(at), unreadable(word.slice(at)));
    const unit = UNITS.indexOf(part[2]!);
    if (unit <= smallest) return fail(at, part[0], "each unit once, the largest first");
    smallest = unit;
    total += Number(part[1]) * UNIT_MS[unit]!;
    at = parts.lastIndex;
  }
  if (word === "") return fail(0, "");
  if (total < 1_000) return fail(0, word, "at least 1s");
  if (total > MAX_MS) return fail(0, word, "at most 100000000d");
  return total;
}

/** Writes an interval with its largest units first: `@every 1h30m`. */
export function writeEvery(intervalMs: number): string {
  let rest = intervalMs;
  let text = "@every ";
  for (let unit = 0; unit < 5; unit++) {
    const count = Math.floor(rest / UNIT_MS[unit]!);
    rest -= count * UNIT_MS[unit]!;
    if (count > 0) text += count + UNITS[unit]!;
  }
  return text;
}

function unreadable(rest: string): string | undefined {
  if (/^\d+(ms|us|ns)/i.test(rest)) return "whole seconds are the finest";
  if (/^\d+[.,]/.test(rest)) return "whole numbers only: 1.5h is 1h30m";
  if (/^\d+[WDHMS]/.test(rest)) return "units are written small";
  if (/^\d+(y|mo)/i.test(rest)) return 'months and years differ in length: use "@monthly" or "@yearly"';
  if (/^\d+$/.test(rest)) return `with a unit: ${rest}s`;
  if (/^[ \t]/.test(rest)) return "without spaces inside";
  return undefined;
}
