/** Checks rules for the tests themselves: which may run again after a failure, and how long a file may be. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./source.ts";

/** Suites of real processes with bounds in real time; see test/engines/retry.ts. */
const MAY_RETRY = [
  "test/execution/node/cut_off.test.ts",
  "test/report/report.test.ts",
  "test/tick/node/failover.test.ts",
];

const files = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.includes("node_modules"))
  .map((path) => ({ path: `test/${path}`, text: readFileSync(join(root, "test", path), "utf8") }))
  .sort((a, b) => (a.path < b.path ? -1 : 1));

describe("the tests", () => {
  it("only suites of real processes run again after a failure", () => {
    const retrying = files.filter(({ text }) => /from "[./]*engines\/retry\.ts"/.test(text)).map(({ path }) => path);
    expect(retrying).toEqual(MAY_RETRY);
  });

  it("no configuration of Vitest retries every test", () => {
    const configs = [
      ...files.filter(({ path }) => path.endsWith(".config.ts")).map(({ path }) => path),
      "vitest.config.ts",
    ];
    expect(configs.filter((path) => /\bretry\b/.test(readFileSync(join(root, path), "utf8")))).toEqual([]);
  });

  it("no file has 600 lines or more", () => {
    const long = files.filter(({ text }) => text.split("\n").length > 600);
    expect(long.map(({ path, text }) => `${path}: ${text.split("\n").length}`)).toEqual([]);
  });
});
