/** Do the last lines of a test run tell what happened? */
import { expect, it } from "vitest";
import type { StageResult } from "../../scripts/stage.mjs";
import { summarise } from "../../scripts/summary.mjs";

const stage = (some: Partial<StageResult>): StageResult => ({
  name: "node",
  passed: 0,
  failed: 0,
  skipped: 0,
  seconds: 1,
  failures: [],
  retried: [],
  died: null,
  ...some,
});

it("the summary names failures, retried tests and stages that died, and ends with the counts alone", () => {
  const { lines, ok } = summarise([
    stage({
      passed: 3000,
      failed: 1,
      skipped: 2,
      failures: [{ file: "test/a.test.ts", title: "a > b", error: "expected 1 to be 2" }],
      retried: [{ file: "test/c.test.ts", title: "c", error: "late" }],
    }),
    stage({ name: "workerd", failed: 1, died: "Error: initdb failed: EACCES" }),
  ]);
  expect(lines).toEqual([
    "  node                     3000 passed, 1 failed, 2 skipped (1 s)",
    "  workerd                  0 passed, 1 failed, 0 skipped (1 s)",
    "",
    "failed: [node] test/a.test.ts > a > b (expected 1 to be 2)",
    "retried: [node] test/c.test.ts > c (late)",
    "stage workerd died: Error: initdb failed: EACCES",
    "",
    "3000 passed, 2 failed, 2 skipped",
  ]);
  expect(ok).toBe(false);
});

it("a summary without failures is its stages and the counts", () => {
  expect(summarise([stage({ passed: 7 })])).toEqual({
    lines: ["  node                     7 passed, 0 failed, 0 skipped (1 s)", "", "7 passed, 0 failed, 0 skipped"],
    ok: true,
  });
});

it("a run without any test is not ok", () => {
  expect(summarise([stage({ skipped: 4 })]).ok).toBe(false);
});

it("the summary lists thirty failures at most", () => {
  const failures = Array.from({ length: 40 }, (_, i) => ({ file: `test/${i}.test.ts`, title: "", error: "no" }));
  const { lines } = summarise([stage({ failed: 40, failures })]);
  expect(lines.filter((line) => line.startsWith("failed:"))).toHaveLength(31);
  expect(lines).toContain("failed: 10 more, see above");
});
