/**
 * Ids that tell what made them: counted in the order of making, with randomness from a seed.
 *
 * A test that prints `job-3` is easier to read than one that prints a UUID, and the same run makes the same ids again.
 */
import type { Ids } from "../base/id.ts";
import { seededRandom } from "./random.ts";

/**
 * Makes ids that count.
 *
 * Job ids sort in the order of making (`00000001-job`), as the engine's own do.
 *
 * @param seed of `random()`; different seeds also make different tokens, so several engines can share a storage
 *
 * @example
 * ```ts
 * import { countedIds } from "belfry/testing";
 *
 * const ids = countedIds();
 * if (ids.id(0) !== "00000001-job") throw new Error("not counted");
 * ```
 */
export function countedIds(seed: number = 1): Ids {
  const random = seededRandom(seed);
  const suffix = seed === 1 ? "" : `-${seed}`;
  let ids = 0;
  let tokens = 0;
  return {
    id: () => `${String(++ids).padStart(8, "0")}-job${suffix}`,
    token: () => `token-${++tokens}${suffix}`,
    random: () => random.next(),
  };
}
