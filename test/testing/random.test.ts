/** Does seeded randomness repeat, and is it even? */
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../src/testing/random.ts";

describe("seededRandom()", () => {
  test("draws the same numbers from the same seed and others from another, all in [0, 1)", () => {
    const draws = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 50 }, () => random.next());
    };
    expect(draws(7)).toEqual(draws(7));
    expect(draws(7)).not.toEqual(draws(8));
    expect(draws(2 ** 40)).not.toEqual(draws(2 ** 41));
    for (const draw of draws(123)) {
      expect(draw).toBeGreaterThanOrEqual(0);
      expect(draw).toBeLessThan(1);
    }
  });

  test("draws evenly over the range", () => {
    const random = seededRandom(1);
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) counts[random.below(10)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test("drawing from a fork does not change what its origin draws", () => {
    const a = seededRandom(5);
    const b = seededRandom(5);
    const fork = a.fork();
    b.fork();
    for (let i = 0; i < 10; i++) fork.next();
    expect(a.next()).toBe(b.next());
  });
});
