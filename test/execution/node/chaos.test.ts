/** Jobs of 50 steps with eight workers that die at random, on SQLite, PostgreSQL and sqld. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Storage } from "../../../src/storage/port.ts";
import { startPostgres } from "../../engines/postgres.ts";
import { startSqld } from "../../engines/sqld.ts";
import { chaos } from "../chaos.ts";
import { openStorage } from "./storages.ts";

const LONG = process.env["BELFRY_LONG"] === "1";

async function run(name: string, open: () => Promise<Storage>): Promise<void> {
  for (let seed = 1; seed <= (LONG ? 10 : 1); seed++) {
    const report = await chaos(open, {
      workflows: 8,
      steps: 50,
      workers: 8,
      deathEveryCalls: 6,
      claimTtlMs: 1_000,
      seed,
      limitMs: 120_000,
    });
    expect(report.deaths).toBeGreaterThan(1);
    console.log(
      `chaos, ${name}, seed ${seed}: ${report.deaths} deaths, ${report.effects} effects of 400 steps, ${Math.round(report.ms)} ms`,
    );
  }
}

test(
  "on a SQLite file",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "belfry-chaos-"));
    await run("SQLite", () => openStorage(`sqlite:${join(folder, "jobs.db")}`));
    rmSync(folder, { recursive: true, force: true });
  },
  LONG ? 600_000 : 240_000,
);

test(
  "on PostgreSQL",
  async () => {
    const postgres = await startPostgres();
    await run("PostgreSQL", () => openStorage(`postgres:${postgres.url}`));
    await postgres.dispose();
  },
  LONG ? 600_000 : 240_000,
);

test(
  "on sqld over HTTP",
  async () => {
    const sqld = await startSqld();
    await run("sqld", () => openStorage(`libsql:${sqld.url}`));
    await sqld.dispose();
  },
  LONG ? 600_000 : 240_000,
);
