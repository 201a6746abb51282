/** Are the guards that are taken out (`guards.ts` here, `npm run mutate`) still in the source? Both take minutes; this is a look. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "../../house/source.ts";
import { GUARDS as MUTATIONS } from "../../mutation/guards.ts";
import { GUARDS } from "./guard_list.ts";

const sourceOf = (path: string): string => readFileSync(`${root}/${path}`, "utf8");

test("every guard of the races is in the source", () => {
  const cuts = GUARDS.flatMap((guard) => guard.cuts);
  expect(cuts.filter(({ file, text }) => !sourceOf(`src/sql/${file}`).includes(text))).toEqual([]);
});

test("every guard of npm run mutate is in the source", () => {
  expect(MUTATIONS.filter(({ file, from }) => !sourceOf(file).includes(from))).toEqual([]);
});
