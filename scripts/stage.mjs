// Runs one stage of the tests, a runtime under Vitest, and finds out how it ended: counts, failures, retried tests, and
// whether it died (a loader that crashes, no memory left, a setup that fails) in place of failing a test.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * @typedef {import("./stage_reporter.mjs").TestNote} TestNote
 * @typedef {import("./stage_reporter.mjs").StageReport} StageReport
 *
 * @typedef {object} StageResult
 * @property {string} name
 * @property {number} passed
 * @property {number} failed tests, files and checks that failed; a stage that died counts as one more
 * @property {number} skipped
 * @property {number} seconds how long it took
 * @property {TestNote[]} failures
 * @property {TestNote[]} retried
 * @property {string | null} died first line of the error that ended the stage; null when it came to its end
 */

const REPORTER = fileURLToPath(new URL("stage_reporter.mjs", import.meta.url));
const KEPT_OUTPUT = 100_000;

/**
 * Finds the line that says why a process ended.
 *
 * @param {string} output what it printed last
 * @param {number | null} code
 * @param {string | null} signal
 */
export function causeOfDeath(output, code, signal) {
  const lines = output.split("\n").map((line) => line.trim());
  const cause =
    lines.find((line) => /^(?:\S*Error\b[^:]*|FATAL ERROR|panic\b.*|fatal\b.*): ./.test(line)) ??
    lines.find((line) => /\b(?:E[A-Z]{3,}|[Ee]rror|out of memory|Segmentation fault)\b/.test(line)) ??
    lines.findLast((line) => line !== "");
  const ending = signal ? `killed by ${signal}` : `exit code ${code}`;
  return cause ? `${cause} (${ending})` : ending;
}

/**
 * Runs a command that is Vitest on some runtime; what it prints is passed on.
 *
 * @param {string} name of the stage
 * @param {string} command
 * @param {string[]} args
 * @param {{ quiet?: boolean, env?: Record<string, string> }} [options]
 * @returns {Promise<StageResult>}
 */
export async function runStage(name, command, args, options = {}) {
  const startedMs = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "belfry-test-"));
  const path = join(folder, "report.json");
  const { output, code, signal } = await run(
    command,
    [...args, "--reporter=default", `--reporter=${REPORTER}`],
    options.quiet ?? false,
    {
      ...options.env,
      BELFRY_STAGE: name,
      BELFRY_STAGE_REPORT: path,
      NO_COLOR: "1",
    },
  );
  /** @type {StageReport} */
  const report = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : { complete: false, passed: 0, failed: 0, skipped: 0, failures: [], broken: [], retried: [], errors: [] };
  rmSync(folder, { recursive: true, force: true });
  let died = null;
  if (!report.complete) died = causeOfDeath(output, code, signal);
  else if (report.errors.length > 0) died = report.errors[0] ?? "";
  else if (code !== 0 && report.failed + report.broken.length === 0) died = causeOfDeath(output, code, signal);
  else if (report.passed + report.failed + report.broken.length + report.skipped === 0) died = "it ran no test";
  return {
    name,
    passed: report.passed,
    failed: report.failed + report.broken.length + (died === null ? 0 : 1),
    skipped: report.skipped,
    seconds: Math.round((performance.now() - startedMs) / 1000),
    failures: [...report.broken, ...report.failures],
    retried: report.retried,
    died,
  };
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {boolean} quiet
 * @param {Record<string, string>} env
 * @returns {Promise<{ output: string, code: number | null, signal: string | null }>}
 */
function run(command, args, quiet, env) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    let output = "";
    for (const [from, to] of /** @type {const} */ ([
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])) {
      from.setEncoding("utf8");
      from.on("data", (chunk) => {
        output = (output + chunk).slice(-KEPT_OUTPUT);
        if (!quiet) to.write(chunk);
      });
    }
    child.on("error", (error) => resolve({ output: `${output}\n${error}`, code: null, signal: null }));
    child.on("close", (code, signal) => resolve({ output, code, signal }));
  });
}
