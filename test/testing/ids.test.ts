/** Do counted ids sort in the order of making, and differ by seed? */
import { expect, test } from "vitest";
import { countedIds } from "../../src/testing/ids.ts";

test("countedIds() sort in the order of making and differ by seed", () => {
  const ids = countedIds();
  const made = Array.from({ length: 100 }, () => ids.id(0));
  expect([...made].sort()).toEqual(made);
  expect(countedIds(2).token()).not.toBe(countedIds(3).token());
});
