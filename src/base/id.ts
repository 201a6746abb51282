/**
 * Ids and randomness: the only file of the engine that draws random numbers.
 *
 * Ids of jobs are UUIDs of version 7 (RFC 9562): their first 48 bits are the time in ms, the next 12 count within the
 * millisecond, so ids made by one host sort in the order they were made and new rows go to the end of an index.
 * Everything takes an `Ids`, so that tests count instead of drawing and the simulator draws from a seed.
 */

/** What the engine needs of chance. */
export interface Ids {
  /**
   * Makes a job's id: text that sorts by time.
   *
   * @param now epoch ms
   */
  id(now: number): string;
  /** Makes the unguessable name of an operation, a claim or a holder. */
  token(): string;
  /** Draws evenly from [0, 1). */
  random(): number;
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/**
 * Makes ids from a source of random bytes.
 *
 * @param fill fills the array with random bytes
 * @param random draws evenly from [0, 1)
 */
export function createIds(fill: (bytes: Uint8Array<ArrayBuffer>) => void, random: () => number): Ids {
  const pool = new Uint8Array(4096);
  let used = pool.length;
  const take = (count: number): number => {
    if (used + count > pool.length) {
      fill(pool);
      used = 0;
    }
    used += count;
    return used - count;
  };
  const hex = (from: number, to: number): string => {
    let text = "";
    for (let i = from; i < to; i++) text += HEX[pool[i]!];
    return text;
  };
  let lastMs = -1;
  let count = 0;

  return {
    id(now) {
      // Within a millisecond, and when the clock goes back, the counter goes on, so order is kept.
      if (now > lastMs) {
        lastMs = now;
        count = 0;
      } else if (++count > 0xfff) {
        lastMs++;
        count = 0;
      }
      const time = lastMs.toString(16).padStart(12, "0");
      const at = take(8);
      pool[at] = (pool[at]! & 0x3f) | 0x80;
      return (
        `${time.slice(0, 8)}-${time.slice(8)}-7${count.toString(16).padStart(3, "0")}` +
        `-${hex(at, at + 2)}-${hex(at + 2, at + 8)}`
      );
    },
    token() {
      const at = take(12);
      return hex(at, at + 12);
    },
    random,
  };
}

/** Ids from the runtime's own randomness. */
export const systemIds: Ids = createIds((bytes) => crypto.getRandomValues(bytes), Math.random);
