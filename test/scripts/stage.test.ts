/** Does a stage say how it ended? Small runs of Vitest, below fixtures/, that end badly in one way each. */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { causeOfDeath, runStage, type StageResult } from "../../scripts/stage.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a fixture as a stage of that name. */
function run(fixture: string): Promise<StageResult> {
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", "--config", "test/scripts/fixtures/config.ts"];
  return runStage(fixture, process.execPath, args, { quiet: true, env: { BELFRY_FIXTURE: fixture } });
}

describe("runStage()", () => {
  it("counts what passed, failed and was skipped", async () => {
    expect(await run("passing")).toMatchObject({
      passed: 2,
      failed: 0,
      skipped: 1,
      failures: [],
      retried: [],
      died: null,
    });
  });

  it("names failed tests, and suites whose hooks failed", async () => {
    const file = "test/scripts/fixtures/failing.case.ts";
    expect(await run("failing")).toMatchObject({
      passed: 1,
      failed: 2,
      skipped: 1,
      failures: [
        { file, title: "a suite", error: "TypeError: no server" },
        { file, title: "fails", error: expect.stringContaining("expected 1 to be 2") },
      ],
      died: null,
    });
  });

  it("names tests that passed only when they were run again", async () => {
    expect(await run("flaky")).toMatchObject({
      passed: 1,
      failed: 0,
      retried: [{ title: "a suite > passes the second time", error: expect.stringContaining("expected 1 to be 2") }],
      died: null,
    });
  });

  it("names a file that does not load", async () => {
    expect(await run("not_loading")).toMatchObject({
      passed: 0,
      failed: 1,
      failures: [{ file: "test/scripts/fixtures/not_loading.case.ts", error: "no such engine" }],
      died: null,
    });
  });

  it("says that the stage died, and of what, when the global setup fails", async () => {
    const { passed, failed, died } = await run("failing_setup");
    expect({ passed, failed }).toEqual({ passed: 0, failed: 1 });
    expect(died).toContain("initdb failed: spawnSync initdb EACCES");
  });

  it("says that the stage died when its process is killed", async () => {
    expect(await run("killed")).toMatchObject({ failed: 1, died: expect.stringContaining("killed by SIGKILL") });
  });

  it("says that the stage died when a worker process is killed, as the kernel does when memory runs out", async () => {
    expect(await run("killed_worker")).toMatchObject({
      failed: 2,
      failures: [{ file: "test/scripts/fixtures/killed_worker.case.ts", error: "it did not finish" }],
      died: expect.stringMatching(/worker.*exited unexpectedly/i),
    });
  });

  it("says that the stage died when its runtime does not start", async () => {
    const result = await runStage("none", join(root, "no/such/runtime"), [], { quiet: true });
    expect(result).toMatchObject({ passed: 0, failed: 1, died: expect.stringContaining("ENOENT") });
  });
});

describe("causeOfDeath()", () => {
  it.each([
    [
      "\nTrace\n    throw x\nError [ERR_MODULE_NOT_FOUND]: Cannot find package 'a'\n    at b\nNode.js v26",
      "Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'a'",
    ],
    [
      "<--- Last few GCs --->\n\nFATAL ERROR: Reached heap limit Allocation failed\n 1: 0xb",
      "FATAL ERROR: Reached heap limit Allocation failed",
    ],
    ["starting\nspawn deno ENOENT\n", "spawn deno ENOENT"],
    ["starting\nlast words\n\n", "last words"],
  ])("finds the first error line in %j", (output, cause) => {
    expect(causeOfDeath(output, 1, null)).toBe(`${cause} (exit code 1)`);
  });
});
