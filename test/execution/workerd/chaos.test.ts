/** A workflow of 50 steps with eight workers that die at random, on D1 in real workerd. */
import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { type D1Database, d1 } from "../../../adapters/d1.ts";
import { chaos } from "../chaos.ts";

const { DB } = env as unknown as { DB: D1Database };

test("jobs of 50 steps complete on D1 while one of eight workers dies again and again", {
  timeout: 130_000,
}, async () => {
  const report = await chaos(async () => d1(DB, { prefix: "chaos_" }), {
    workflows: 4,
    steps: 50,
    workers: 8,
    deathEveryCalls: 15,
    claimTtlMs: 1_500,
    seed: 3,
    limitMs: 110_000,
  });
  expect(report.deaths).toBeGreaterThan(1);
});
