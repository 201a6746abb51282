/**
 * Does a suite still pass? The suites that guards are tried against, without a test runner, so that each start is quick.
 *
 * `node suites.ts NAME` prints the first test that fails, by name, and exits with 1; 0 when all pass. Suites: `memory` and
 * `sqlite` are the conformance kit on each, `differential` compares the two, `world` plays simulated worlds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "../../adapters/memory.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { type ConformanceTarget, storageConformance, storageDifferential } from "../../src/testing/conformance/mod.ts";
import { runWorld } from "../simulation/simulator/mod.ts";

/** The first sixty, and one in which a schedule is edited on a host whose clock is behind. */
const SEEDS = [251, ...Array.from({ length: 60 }, (_, i) => i + 1)];
const DIFFERENTIALS = 6;

Error.stackTraceLimit = 0;

function fileTarget(): ConformanceTarget {
  const folder = mkdtempSync(join(tmpdir(), "belfry-guard-"));
  const open = () => sqlite(join(folder, "a.db"), { durability: "process" });
  return {
    storage: open(),
    reopen: async () => open(),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

type Test = readonly [title: string, run: () => Promise<void>];

function kit(name: string, open: () => Promise<ConformanceTarget>): Test[] {
  const tests: Test[] = [];
  storageConformance({
    name,
    test: (title, run) => tests.push([title, run]),
    skip: () => {},
    manifest: { reopen: true, listen: true, statements: name === "sqlite", durable: name === "sqlite" },
    open,
  });
  return tests;
}

const SUITES: Record<string, () => Test[]> = {
  memory: () =>
    kit("memory", async () => {
      const storage = memory();
      return { storage, reopen: async () => storage };
    }),

  sqlite: () => kit("sqlite", async () => fileTarget()),

  differential: () =>
    Array.from(
      { length: DIFFERENTIALS },
      (_, seed): Test => [
        `differential: memory and sqlite, seed ${seed}`,
        async () => {
          const target = fileTarget();
          try {
            await storageDifferential({ model: memory(), subject: target.storage, seed, operations: 1500 });
          } finally {
            await target.storage.close();
            await target.dispose?.();
          }
        },
      ],
    ),

  world: () =>
    SEEDS.map(
      (seed): Test => [
        `world: seed ${seed} violates nothing`,
        async () => {
          const { violation } = await runWorld({ seed, steps: 1500 });
          if (violation !== null) throw new Error(violation);
        },
      ],
    ),
};

const tests = SUITES[process.argv[2] ?? ""]?.();
if (!tests) throw new Error(`No such suite: ${process.argv[2]}; there are ${Object.keys(SUITES).join(", ")}`);
for (const [title, run] of tests) {
  try {
    await run();
  } catch (error) {
    console.log(`${title}: ${(error as Error).message.split("\n")[0]!.slice(0, 160)}`);
    process.exit(1);
  }
}
console.log(`${tests.length} tests passed`);
process.exit(0);
