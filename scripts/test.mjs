// Runs everything that must pass, one stage after the other, and ends with a line of counts: "N passed, N failed".
//
//   npm test                      all stages
//   npm test -- node test/cron    one stage (checks, node, workerd, deno, bun, node22, node24), with vitest's own filters
//   npm run test:long             the same with all rounds (BELFRY_LONG=1)
//   npm test -- --ci              and the proofs: simulated worlds (2,000, 100 on SQLite), and each guard taken out in turn
//
// Each stage is one runtime under the same Vitest. A stage that cannot start counts as one failure.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ensure, node, root } from "./ensure.mjs";

await ensure();
process.chdir(root);

const bin = (name) => join(root, "node_modules/.bin", name);
const vitest = join(root, "node_modules/vitest/vitest.mjs");
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

async function older(major) {
  await ensure(join(root, "test/runtimes"));
  const path = olderNode(major);
  return path && [path, [vitest, "run", ...portable]];
}

/** Commands that pass or fail as a whole. */
const checks = [
  ["types", node, [bin("tsc"), "-p", "."]],
  ["format and lint", bin("biome"), ["ci", "--colors=off", "."]],
  ["build", node, ["scripts/build.mjs"]],
  ["package: publint", node, [bin("publint"), "--strict"]],
  ["package: types resolve", node, [bin("attw"), "--pack", ".", "--profile", "esm-only"]],
  ["jsr: publish dry run", bin("deno"), ["publish", "--dry-run", "--allow-dirty", "--quiet"]],
];

/** Runs a command and prints what it said only where it failed. */
function check(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) console.log(`${stdout}${stderr}`);
  return status ?? 1;
}

/** What takes minutes and says pass or fail as a whole. */
const proofs = [
  ["simulation: 2,000 worlds", node, ["--no-warnings", "scripts/simulate.ts", "--seeds", "2000"]],
  [
    "simulation: 100 worlds on SQLite",
    node,
    ["--no-warnings", "scripts/simulate.ts", "--seeds", "100", "--on", "sqlite"],
  ],
  ["mutation: every guard has a test", node, ["--no-warnings", "scripts/mutate.ts"]],
];

function run(command, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, ...env } });
    child.on("error", (error) => {
      console.error(String(error));
      resolve(1);
    });
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

const long = process.argv.includes("--long");
if (long) process.env.BELFRY_LONG = "1";
const ci = process.argv.includes("--ci");
const [only, ...filters] = process.argv.slice(2).filter((arg) => arg !== "--long" && arg !== "--ci");
const names = only ? [only] : ["checks", ...Object.keys(stages), ...(ci ? ["proofs"] : [])];
const total = { passed: 0, failed: 0, skipped: 0 };
const lines = [];

function count(name, { passed, failed, skipped }, startedMs) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  lines.push(`  ${name.padEnd(24)} ${passed} passed, ${failed} failed, ${skipped} skipped (${seconds} s)`);
}

for (const name of names) {
  const startedMs = performance.now();
  console.log(`\n=== ${name}`);
  if (name === "checks" || name === "proofs") {
    const list = name === "checks" ? checks : proofs;
    let failed = 0;
    for (const [what, command, args] of list) {
      const code = check(command, args);
      console.log(`${code === 0 ? "ok" : "FAILED"}  ${what}`);
      if (code !== 0) failed++;
    }
    count(name, { passed: list.length - failed, failed, skipped: 0 }, startedMs);
    continue;
  }
  const stage = stages[name];
  if (!stage) {
    console.error(`no stage "${name}"; there are: checks, ${Object.keys(stages).join(", ")}, proofs`);
    process.exit(2);
  }
  const command = await stage();
  if (!command) {
    // npm has no such binary for this platform: said, and left out.
    count(`${name} (not on this platform)`, { passed: 0, failed: 0, skipped: 1 }, startedMs);
    continue;
  }
  const folder = mkdtempSync(join(tmpdir(), "belfry-test-"));
  const report = join(folder, "report.json");
  const code = await run(
    command[0],
    [...command[1], ...filters, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
    { BELFRY_STAGE: name, NO_COLOR: "1" },
  );
  const result = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined;
  rmSync(folder, { recursive: true, force: true });
  const counts = {
    passed: result?.numPassedTests ?? 0,
    failed: result?.numFailedTests ?? 0,
    skipped: (result?.numPendingTests ?? 0) + (result?.numTodoTests ?? 0),
  };
  // A file that fails to load has no failed test, and still is a failure.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  count(name, counts, startedMs);
}

console.log(`\n${lines.join("\n")}\n`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
