/**
 * When does `@every 1h30m` occur?
 *
 * At an anchor plus any whole number of intervals: elapsed time, the same for ever. Restarts, other options and clocks
 * that change for the summer do not move it. Units are w, d (24 hours), h, m, s, largest first, whole numbers.
 */
import { CronSyntaxError } from "../base/error.ts";
import { dialectHint } from "./dialects.ts";

/** What an `@every` expression says. */
export interface Every {
  /** The interval. */
  readonly ms: number;
  /** Canonical text. */
  readonly text: string;
}

/**
 * Reads an `@every` expression.
 *
 * @returns `null` where the text is another kind of expression
 * @throws {CronSyntaxError} `CRON_SYNTAX` where it is one and cannot be read
 */
export function readEvery(expression: string): Every | null {
  const [, head, found = ""] = /^([ \t]*@every(?![^ \t])[ \t]*)(.*?)[ \t]*$/is.exec(expression) ?? [];
  if (head === undefined) return null;
  const [, w, d, h, m, s] =
    /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(found)?.map((part) => +(part ?? 0)) ?? [];
  const ms = ((((w! * 7 + d!) * 24 + h!) * 60 + m!) * 60 + s!) * 1000;
  // Past the range of a Date even the first step would lead nowhere.
  if (ms >= 1_000 && ms <= 8.64e15) return { ms, text: `@every ${found}` };
  const expected = "at least 1s, like 90s or 1w2d3h4m5s";
  const hint = dialectHint(expression, () => undefined);
  throw new CronSyntaxError({ expression, field: "interval", column: head.length, found, expected, hint });
}
