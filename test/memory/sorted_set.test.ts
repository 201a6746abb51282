/** Does the sorted set agree with a sorted array, at sizes that split and empty its chunks? */
import { expect, test } from "vitest";
import { compareText, SortedSet } from "../../src/memory/sorted_set.ts";
import { seededRandom } from "../../src/testing/random.ts";

test("a sorted set adds, finds, walks and removes as a sorted array does", () => {
  const random = seededRandom(42);
  const set = new SortedSet<number>((a, b) => a - b);
  const model = new Set<number>();
  for (let round = 0; round < 20_000; round++) {
    const item = random.below(3000);
    // Grows in the first half, shrinks in the second.
    if (random.chance(round < 10_000 ? 0.7 : 0.3)) {
      set.add(item);
      model.add(item);
    } else {
      expect(set.delete(item)).toBe(model.delete(item));
    }
    expect(set.size).toBe(model.size);
    if (round % 500 !== 0) continue;
    const sorted = [...model].sort((a, b) => a - b);
    expect(set.first()).toBe(sorted[0]);
    expect([...set]).toEqual(sorted);
    expect([...set.walk(item)]).toEqual(sorted.filter((other) => other > item));
    expect([...set.walkBack()]).toEqual([...sorted].reverse());
    expect([...set.walkBack(item)]).toEqual(sorted.filter((other) => other < item).reverse());
    expect(set.get(item)).toBe(model.has(item) ? item : undefined);
  }
  for (const item of model) set.delete(item);
  expect([...set, ...set.walkBack(), ...set.walk(5)]).toEqual([]);
});

test("compareText() orders by UTF-8 bytes, also where UTF-16 does not", () => {
  const texts = ["", "a", "a\u0000", "ab", "b", "é", "\uE000", "\uFFFD", "\u{10000}", "\u{1F600}"];
  // Hexadecimal digits sort as the bytes they stand for.
  const bytes = (text: string): string =>
    [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  for (const a of texts) {
    for (const b of texts) {
      const order = bytes(a) < bytes(b) ? -1 : bytes(a) > bytes(b) ? 1 : 0;
      expect(Math.sign(compareText(a, b))).toBe(order);
    }
  }
});
