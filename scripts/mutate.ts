/**
 * Would a test fail without it? Takes each guard out in turn, in a copy of the tree, and shows which test then fails.
 *
 * `npm run mutate [-- --only TEXT] [--parallel N]` prints a table; a guard that no suite misses, or whose text is not in
 * its file any more, makes the command fail.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GUARDS, type Guard } from "../test/mutation/guards.ts";

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, parallel: { type: "string", default: "2" } },
});
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const COPIED = ["src", "adapters", "test/mutation", "test/simulation", "package.json"];
/** A guard that is out may make an engine spin for ever. */
const MAX_MS = 120_000;

/** Copies what the suites need. */
function copyTree(): string {
  const folder = mkdtempSync(join(tmpdir(), "belfry-mutate-"));
  for (const path of COPIED) cpSync(join(ROOT, path), join(folder, path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function runSuite(folder: string, suite: string): Promise<{ passed: boolean; said: string }> {
  return new Promise((resolve) => {
    const args = [join(folder, "test/mutation/suites.ts"), suite];
    execFile(process.execPath, args, { timeout: MAX_MS, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      const said =
        stdout.trim().split("\n").at(-1) || stderr.trim().split("\n").at(0) || (error?.killed ? "did not end" : "");
      resolve({ passed: error === null, said });
    });
  });
}

/** Takes a guard out. @returns what failed; null when nothing did */
async function tryWithout(folder: string, { file, from, to, suites }: Guard): Promise<string | null> {
  const path = join(folder, file);
  const source = readFileSync(path, "utf8");
  if (!source.includes(from)) throw new Error(`its text is not in ${file} any more`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    for (const suite of suites) {
      const { passed, said } = await runSuite(folder, suite);
      if (!passed) return said;
    }
    return null;
  } finally {
    writeFileSync(path, source);
  }
}

const guards = GUARDS.filter(({ what, file }) => `${what} ${file}`.includes(values.only));
const results = new Map<Guard, string>();
let missed = 0;
const queue = [...guards];

async function work(): Promise<void> {
  const folder = copyTree();
  try {
    for (let guard = queue.shift(); guard; guard = queue.shift()) {
      let line: string;
      try {
        const failed = await tryWithout(folder, guard);
        line = failed ?? "NO TEST FAILS";
        if (failed === null) missed++;
      } catch (error) {
        line = `ERROR: ${(error as Error).message}`;
        missed++;
      }
      results.set(guard, line);
      console.log(`${guard.what}\n    ${line}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// Without any guard taken out everything must pass, or the rest would prove nothing.
const folder = copyTree();
for (const suite of new Set(guards.flatMap(({ suites }) => suites))) {
  const { passed, said } = await runSuite(folder, suite);
  if (!passed) {
    console.error(`The suite ${suite} fails with all guards in place: ${said}`);
    process.exitCode = 1;
  }
}
rmSync(folder, { recursive: true, force: true });
if (process.exitCode !== 1) {
  await Promise.all(Array.from({ length: Number(values.parallel) }, work));
  console.log(`${guards.length - missed} of ${guards.length} guards are held by a test`);
  if (missed > 0) process.exitCode = 1;
}
