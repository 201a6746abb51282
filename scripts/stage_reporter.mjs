// A Vitest reporter that writes what a stage did as JSON, to the file named in BELFRY_STAGE_REPORT.
//
// It writes after each test file, not only at the end, so that a run that dies halfway still leaves what it had counted.
// Plain JavaScript: each runtime loads it, older Nodes included.
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import process from "node:process";

/**
 * @typedef {object} TestNote a test that needs a line in the summary
 * @property {string} file path from the root
 * @property {string} title full title; empty where the whole file is meant
 * @property {string} error first line of its error
 *
 * @typedef {object} StageReport
 * @property {boolean} complete whether the run came to its end
 * @property {number} passed
 * @property {number} failed tests that failed
 * @property {number} skipped
 * @property {TestNote[]} failures tests that failed
 * @property {TestNote[]} broken files and suites that failed outside of their tests: they did not load, a hook threw
 * @property {TestNote[]} retried tests that passed only when they were run again
 * @property {string[]} errors errors that belong to no file: a worker that crashed, an unhandled rejection
 */

/**
 * @param {unknown} error
 * @returns {string} its first line, and that of its cause
 */
function firstLine(error) {
  const { name, message, cause } = /** @type {{ name?: string, message?: string, cause?: unknown }} */ (error ?? {});
  const text = String(message ?? error)
    .split("\n")
    .find((line) => line.trim() !== "");
  const line = name && name !== "Error" ? `${name}: ${text}` : String(text);
  return cause === undefined ? line : `${line} Cause: ${firstLine(cause)}`;
}

export default class StageReporter {
  /** @type {StageReport} */
  report = { complete: false, passed: 0, failed: 0, skipped: 0, failures: [], broken: [], retried: [], errors: [] };

  /** @param {import("vitest/node").TestModule} module */
  onTestModuleEnd(module) {
    const { report } = this;
    const file = relative(process.cwd(), module.moduleId);
    for (const suite of [module, ...module.children.allSuites()]) {
      for (const error of suite.errors()) {
        const title = suite.type === "suite" ? suite.fullName : "";
        report.broken.push({ file, title, error: firstLine(error) });
      }
    }
    for (const test of module.children.allTests()) {
      const { state, errors } = test.result();
      if (state === "passed") report.passed++;
      else if (state === "failed") report.failed++;
      else report.skipped++;
      const note = { file, title: test.fullName, error: firstLine(errors?.[0]) };
      if (state === "failed") report.failures.push(note);
      if (test.diagnostic()?.flaky) report.retried.push(note);
    }
    this.write();
  }

  /**
   * @param {ReadonlyArray<import("vitest/node").TestModule>} modules
   * @param {ReadonlyArray<unknown>} errors
   */
  onTestRunEnd(modules, errors) {
    const { report } = this;
    for (const module of modules) {
      const state = module.state();
      if (state !== "pending" && state !== "queued") continue;
      report.broken.push({ file: relative(process.cwd(), module.moduleId), title: "", error: "it did not finish" });
    }
    report.errors.push(...errors.map(firstLine));
    report.complete = true;
    this.write();
  }

  write() {
    const path = process.env["BELFRY_STAGE_REPORT"];
    if (path) writeFileSync(path, JSON.stringify(this.report));
  }
}
