// Runs everything that must pass, one stage after the other, and ends with a line of counts: "N passed, N failed".
//
//   npm test                      all stages
//   npm test -- node test/cron    one stage (checks, node, workerd, deno, bun, node22, node24), with vitest's own filters
//   npm run test:long             the same with all rounds (BELFRY_LONG=1)
//   npm test -- --ci              and the proofs: simulated worlds (2,000, 100 on SQLite), and each guard taken out in turn
//
// Each stage is one runtime under the same Vitest. A stage that dies counts as one failure, and the summary says of what.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { ensure, node, root } from "./ensure.mjs";
import { runStage } from "./stage.mjs";
import { summarise } from "./summary.mjs";

/** @typedef {import("./stage.mjs").StageResult} StageResult */

await ensure();
process.chdir(root);

/** @param {string} name */
const bin = (name) => join(root, "node_modules/.bin", name);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
/** @param {number} major */
const olderNode = (major) =>
  ["linux-x64", "linux-arm64", "darwin-arm64"]
    .map((platform) => join(root, `test/runtimes/node_modules/node${major}-${platform}/bin/node`))
    .find(existsSync);

/** What runs on every runtime: no Node built-ins, no servers, a moved clock. */
const portable = ["--config", "test/runtimes/portable.config.ts"];

/** @type {Record<string, () => Promise<[command: string, args: string[]] | undefined>>} */
const stages = {
  node: async () => [node, [vitest, "run"]],
  workerd: async () => [node, [vitest, "run", "--config", "test/runtimes/workerd.config.ts"]],
  deno: async () => [bin("deno"), ["run", "-A", vitest, "run", ...portable]],
  bun: async () => [bin("bun"), ["--bun", vitest, "run", "--pool=threads", ...portable]],
  node22: () => older(22),
  node24: () => older(24),
};

/**
 * @param {number} major
 * @returns {Promise<[command: string, args: string[]] | undefined>}
 */
async function older(major) {
  await ensure(join(root, "test/runtimes"));
  const path = olderNode(major);
  return path ? [path, [vitest, "run", ...portable]] : undefined;
}

/**
 * Commands that pass or fail as a whole.
 *
 * @type {[what: string, command: string, args: string[]][]}
 */
const checks = [
  ["types", node, [bin("tsc"), "-p", "."]],
  ["format and lint", bin("biome"), ["ci", "--colors=off", "."]],
  ["nothing unused: knip", node, [bin("knip"), "--no-progress"]],
  ["build", node, ["scripts/build.mjs"]],
  ["package: publint", node, [bin("publint"), "--strict"]],
  ["package: types resolve", node, [bin("attw"), "--pack", ".", "--profile", "esm-only"]],
  ["jsr: publish dry run", bin("deno"), ["publish", "--dry-run", "--allow-dirty", "--quiet"]],
];

/**
 * Proofs that take minutes and pass or fail as a whole.
 *
 * @type {[what: string, command: string, args: string[]][]}
 */
const proofs = [
  ["simulation: 2,000 worlds", node, ["--no-warnings", "scripts/simulate.ts", "--seeds", "2000"]],
  [
    "simulation: 100 worlds on SQLite",
    node,
    ["--no-warnings", "scripts/simulate.ts", "--seeds", "100", "--on", "sqlite"],
  ],
  ["mutation: every guard has a test", node, ["--no-warnings", "scripts/mutate.ts"]],
];

/**
 * Runs commands one after the other and prints what they said only where they failed.
 *
 * @param {string} name
 * @param {[what: string, command: string, args: string[]][]} commands
 * @returns {StageResult}
 */
function runChecks(name, commands) {
  const startedMs = performance.now();
  const failures = [];
  for (const [what, command, args] of commands) {
    const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
    console.log(`${status === 0 ? "ok" : "FAILED"}  ${what}`);
    if (status === 0) continue;
    console.log(`${stdout}${stderr}${error ?? ""}`);
    failures.push({ file: what, title: "", error: error ? String(error) : `exit code ${status}` });
  }
  return {
    ...NOTHING,
    name,
    passed: commands.length - failures.length,
    failed: failures.length,
    failures,
    seconds: since(startedMs),
  };
}

/**
 * @param {string} name
 * @returns {Promise<StageResult>}
 */
async function runNamed(name) {
  if (name === "checks") return runChecks(name, checks);
  if (name === "proofs") return runChecks(name, proofs);
  try {
    const command = await stages[name]?.();
    // npm has no such binary for this platform: said, and left out.
    if (!command) return { ...NOTHING, name: `${name} (not on this platform)`, skipped: 1 };
    return await runStage(name, command[0], [...command[1], ...filters]);
  } catch (error) {
    return { ...NOTHING, name, failed: 1, died: String(error) };
  }
}

/** @param {number} startedMs */
const since = (startedMs) => Math.round((performance.now() - startedMs) / 1000);

/** @type {StageResult} */
const NOTHING = { name: "", passed: 0, failed: 0, skipped: 0, seconds: 0, failures: [], retried: [], died: null };

const long = process.argv.includes("--long");
if (long) process.env.BELFRY_LONG = "1";
const ci = process.argv.includes("--ci");
const [only, ...filters] = process.argv.slice(2).filter((arg) => arg !== "--long" && arg !== "--ci");
const names = only ? [only] : ["checks", ...Object.keys(stages), ...(ci ? ["proofs"] : [])];
const unknown = names.find((name) => name !== "checks" && name !== "proofs" && !stages[name]);
if (unknown) {
  console.error(`no stage "${unknown}"; there are: checks, ${Object.keys(stages).join(", ")}, proofs`);
  process.exit(2);
}

const results = [];
for (const name of names) {
  console.log(`\n=== ${name}`);
  results.push(await runNamed(name));
}
const { lines, ok } = summarise(results);
console.log(`\n${lines.join("\n")}`);
process.exitCode = ok ? 0 : 1;
