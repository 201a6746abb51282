/** Jobs of 50 steps with eight workers that die at random, on the memory storage; the other storages are in `node/`. */
import { expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { chaos } from "./chaos.ts";

test("jobs of 50 steps complete on memory while one of eight workers dies every 40 ms", async () => {
  const storage = memory();
  await storage.migrate({ now: 0 });
  const report = await chaos(async () => storage, {
    workflows: 10,
    steps: 50,
    workers: 8,
    deathEveryCalls: 6,
    claimTtlMs: 1_000,
    seed: 7,
    limitMs: 40_000,
  });
  expect(report.deaths).toBeGreaterThan(1);
}, 60_000);
