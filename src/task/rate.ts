/**
 * How do users write a rate? As a number of starts in any window of time.
 */
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";

/** A rate: at most `count` in any window of `per`. */
export interface Rate {
  count: number;
  per: Duration;
}

/**
 * Checks a rate and converts it to ms.
 *
 * @param what whose rate it is, for the error
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readRate(rate: Rate, what: string): { count: number; perMs: number } {
  if (!Number.isInteger(rate.count) || rate.count < 1) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use rate of ${what}: count is ${String(rate.count)}, but must be a whole number, 1 or more`,
    );
  }
  return { count: rate.count, perMs: parseDuration(rate.per, `rate.per of ${what}`, { minMs: 1 }) };
}
