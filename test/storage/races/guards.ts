/**
 * Does each guard of the SQL core do work? This program takes each out in turn, in a copy of the tree, and checks that
 * a race fails.
 *
 *     node test/storage/races/guards.ts [number of a guard ...]
 *
 * It prints a table for docs/storage_proofs.md. It ends with 1 when no race fails without a guard, and when one fails
 * without a guard that another is said to cover.
 */
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { GUARDS, type Guard } from "./guard_list.ts";

/** The part of Vitest's report that is read. */
interface Report {
  testResults: { assertionResults: { status: string; failureMessages: string[] }[] }[];
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const asked = process.argv.slice(2).map(Number);

/** Runs the race without the guard. @returns the first error; null when the race passed */
function failureWithout({ engine, race, cuts }: Guard): string | null {
  const copy = mkdtempSync(join(tmpdir(), "belfry-guard-"));
  try {
    for (const part of [
      "src",
      "adapters",
      "mod.ts",
      "package.json",
      "tsconfig.json",
      "vitest.config.ts",
      "test/engines",
      "test/storage",
    ]) {
      cpSync(join(root, part), join(copy, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    for (const { file, text, without } of cuts) {
      const path = join(copy, "src/sql", file);
      const source = readFileSync(path, "utf8");
      if (!source.includes(text)) throw new Error(`${file} has no ${JSON.stringify(text)}`);
      writeFileSync(
        path,
        source.replaceAll(text, () => without),
      );
    }
    const title = `${engine}.*${race}`;
    const report = join(copy, "report.json");
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...["node_modules/vitest/vitest.mjs", "run"],
        ...["test/storage/races", "--reporter=json", `--outputFile=${report}`, "-t", title],
      ],
      { cwd: copy, encoding: "utf8", env: { ...process.env, BELFRY_RACE_ROUNDS: "150" }, timeout: 300_000 },
    );
    const results = existsSync(report)
      ? (JSON.parse(readFileSync(report, "utf8")) as Report).testResults.flatMap((file) => file.assertionResults)
      : [];
    const failed = results.find((result) => result.status === "failed");
    if (!failed && !results.some((result) => result.status === "passed")) {
      throw new Error(`The race "${race}" did not run: ${stdout.slice(-1000)}${stderr.slice(-1000)}`);
    }
    if (!failed) return null;
    return failed.failureMessages[0]!.split("\n")[0]!.slice(0, 110);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

let wrong = 0;
console.log("| guard | engine | race that fails without it | how |\n|---|---|---|---|");
for (const [i, guard] of GUARDS.entries()) {
  if (asked.length > 0 && !asked.includes(i)) continue;
  const error = failureWithout(guard);
  const expected = (error === null) === (guard.behind !== undefined);
  if (!expected) wrong++;
  const how = error ?? (guard.behind === undefined ? "NO RACE FAILED" : `none, since ${guard.behind}`);
  console.log(`| ${guard.what} | ${guard.engine} | ${guard.race} | ${expected ? how : `${how} (guard ${i})`} |`);
}
process.exitCode = wrong > 0 ? 1 : 0;
