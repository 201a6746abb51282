// What do the last lines of a test run say? A line for each stage; each failure; each test that passed only when it was
// run again; each stage that died, and of what; and, alone on the last line, the counts.

/** @typedef {import("./stage.mjs").StageResult} StageResult */

/** More failures than these have one cause, and the stage's own output has them all. */
const MAX_FAILURES = 30;

/**
 * Writes the summary.
 *
 * @param {StageResult[]} stages in the order in which they ran
 * @returns {{ lines: string[], ok: boolean }}
 */
export function summarise(stages) {
  const lines = stages.map(
    ({ name, passed, failed, skipped, seconds }) =>
      `  ${name.padEnd(24)} ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds} s)`,
  );
  const notes = stages.flatMap((stage) => stage.failures.map((note) => `failed: ${describe(stage.name, note)}`));
  if (notes.length > MAX_FAILURES) {
    const left = notes.length - MAX_FAILURES;
    notes.splice(MAX_FAILURES, left, `failed: ${left} more, see above`);
  }
  for (const stage of stages) notes.push(...stage.retried.map((note) => `retried: ${describe(stage.name, note)}`));
  for (const { name, died } of stages) if (died !== null) notes.push(`stage ${name} died: ${died}`);
  if (notes.length > 0) lines.push("", ...notes);

  /** @param {"passed" | "failed" | "skipped"} key */
  const sum = (key) => stages.reduce((total, stage) => total + stage[key], 0);
  lines.push("", `${sum("passed")} passed, ${sum("failed")} failed, ${sum("skipped")} skipped`);
  return { lines, ok: sum("failed") === 0 && sum("passed") > 0 };
}

/**
 * @param {string} stage
 * @param {import("./stage.mjs").TestNote} note
 */
function describe(stage, { file, title, error }) {
  return `[${stage}] ${[file, title].filter(Boolean).join(" > ")} (${error.slice(0, 200)})`;
}
