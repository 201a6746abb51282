/**
 * Which value does `H` stand for?
 *
 * Many schedules written as `0 0 * * *` all start at once. `H` lets a stable hash of a seed (a schedule's name) choose:
 * the same seed gives the same value on every host and for ever, different seeds spread. The hash is FNV-1a over UTF-16
 * units, begun with the field's index.
 */

/**
 * Picks a number below a bound.
 *
 * @param seed what tells one schedule from another
 * @param index of the field, so that minute and hour are picked apart
 * @param bound how many values there are, at least 1
 * @returns 0 to bound - 1
 */
export function hashed(seed: string, index: number, bound: number): number {
  let hash = 0x811c9dc5 ^ index;
  for (let i = 0; i < seed.length; i++) hash = Math.imul(hash ^ seed.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % bound;
}
