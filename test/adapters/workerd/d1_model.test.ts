/**
 * Does the D1 adapter answer word for word as the model does? In real workerd.
 *
 * A file of its own, so that it has a database without the tables of the kit and runs beside it; four worlds side by
 * side, since what takes time is the way to the database.
 */
import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { type D1Database, d1 } from "../../../adapters/d1.ts";
import { memory } from "../../../adapters/memory.ts";
import { storageDifferential } from "../../../src/testing/conformance/mod.ts";
import { DIFFERENTIAL_OPERATIONS } from "../../storage/rounds.ts";

const SEEDS = [5, 6, 9, 10];

const { DB } = env as unknown as { DB: D1Database };

for (const seed of SEEDS) {
  test.concurrent(`d1 answers as the model does, seed ${seed}`, { timeout: 240_000 }, async () => {
    const subject = d1(DB, { prefix: `seed${seed}_` });
    const operations = DIFFERENTIAL_OPERATIONS / SEEDS.length;
    const { rows } = await storageDifferential({ model: memory(), subject, seed, operations });
    expect(rows).toBeGreaterThan(0);
  });
}
