/**
 * How many random cases does a test of `cron` try? All of them in a long run (`npm run test:long` sets BELFRY_LONG), a part
 * on Node, and a tenth of that part on the other runtimes, which differ from Node only in their zones and regular
 * expressions.
 */

// Not every runtime has a `process`.
const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env;

/** Whether this is a long run. */
export const LONG: boolean = env?.["BELFRY_LONG"] === "1";

/** Vitest on Node sets no stage when it is run by hand. */
const isNode = ["node", undefined].includes(env?.["BELFRY_STAGE"]) && !("Deno" in globalThis) && !("Bun" in globalThis);

/** The number of random cases. @param all in a long run @param part on Node */
export function randomCases(all: number, part: number): number {
  return LONG ? all : isNode ? part : part / 10;
}
