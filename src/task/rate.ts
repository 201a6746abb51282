/**
 * How do users write a rate? As a number of starts in any window of time.
 */
import { type Duration, parseDuration } from "../base/duration.ts";
import { type Checks, checkOptions, duration, whole } from "../base/options.ts";

/** A rate: at most `count` in any window of `per`. */
export interface Rate {
  count: number;
  per: Duration;
}

const COUNT = whole(1, Number.MAX_SAFE_INTEGER);
const CHECKS: Checks<Rate> = { count: COUNT, per: duration({ minMs: 1 }) };

/**
 * Checks a rate and converts it to ms.
 *
 * @param what whose rate it is, for the error: `task "report"`
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readRate(rate: Rate, what: string): { count: number; perMs: number } {
  const of = `the rate of ${what}`;
  checkOptions(rate, of, CHECKS);
  // A check is asked about what is there; these two must be.
  COUNT(rate.count, "count", of);
  return { count: rate.count, perMs: parseDuration(rate.per, `per of ${of}`) };
}
