/** How long do the suites of the storages run? A few rounds in CI, all of them with BELFRY_LONG=1. */

/** Whether all rounds are asked for. */
export const LONG: boolean = globalThis.process?.env["BELFRY_LONG"] === "1";

/** Random operations per adapter that are compared with the model. */
export const DIFFERENTIAL_OPERATIONS: number = 10_000;

/** Rounds of a race: a few in CI, the given number with BELFRY_LONG. */
export function rounds(long: number, short: number): number {
  return LONG ? long : short;
}
