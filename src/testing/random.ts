/**
 * Chance from a seed: the same seed draws the same numbers on every runtime, so a failure can be played again.
 *
 * The generator is sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, four additions and shifts a draw, seeded
 * by mixing the seed in and drawing a few times. It is for tests; nobody should guess secrets with it.
 */

/** Draws from a seeded sequence. */
export interface Random {
  /** Draws evenly from [0, 1). */
  next(): number;
  /** Draws an integer evenly from [0, end). */
  below(end: number): number;
  /** Draws true this often. @param probability 0..1 */
  chance(probability: number): boolean;
  /** Draws one item. @throws RangeError when there is none */
  pick<T>(items: readonly T[]): T;
  /** Makes a sequence of its own, so that drawing from one does not shift the other. */
  fork(): Random;
}

/**
 * Makes a sequence.
 *
 * @param seed any integer
 */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 | 0;
  let b = seed | 0;
  let c = Math.floor(seed / 2 ** 32) | 0;
  let counter = 1;
  const draw = (): number => {
    const out = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    return out >>> 0;
  };
  // The first draws still show the seed's pattern.
  for (let i = 0; i < 12; i++) draw();

  const random: Random = {
    next: () => draw() / 2 ** 32,
    below: (end) => Math.floor((draw() / 2 ** 32) * end),
    chance: (probability) => draw() / 2 ** 32 < probability,
    pick(items) {
      if (items.length === 0) throw new RangeError("Cannot pick from an empty list");
      return items[random.below(items.length)]!;
    },
    fork: () => seededRandom(draw() * 2 ** 21 + (draw() >>> 11)),
  };
  return random;
}

/** Draws the first of a pair, as often as its weight says. */
export function pickWeighted<T>(random: Random, items: readonly (readonly [T, weight: number, ...unknown[]])[]): T {
  let draw = random.below(items.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [item, weight] of items) {
    draw -= weight;
    if (draw < 0) return item;
  }
  throw new RangeError("Cannot pick from a list without weight");
}
