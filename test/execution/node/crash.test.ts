/**
 * The crash matrix: real worker processes killed with -9 before and after every storage call of a job that makes all kinds
 * of durable calls.
 *
 * Another worker must complete every job with the right result; a step that the storage had confirmed never runs again, and
 * one that was not confirmed runs once more at most. `BELFRY_LONG=1` kills at each place twenty times.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Storage } from "../../../src/storage/port.ts";
import { type PostgresEngine, startPostgres } from "../../engines/postgres.ts";
import { EFFECTS, matrixBelfry, note, RIGHT, readJournal } from "./matrix_job.ts";
import { openStorage } from "./storages.ts";
import type { Orders } from "./victim.ts";

const LONG = process.env["BELFRY_LONG"] === "1";
/** Rounds of a long test run. */
const ROUNDS = Number(process.env["BELFRY_ROUNDS"] ?? 20);
const CLAIM_MS = 2_000;
const VICTIM = fileURLToPath(new URL("./victim.ts", import.meta.url));

/** Runs a process that kills itself (`victim.ts`). @returns what it printed, and whether it was killed */
function runVictim(orders: Orders): Promise<{ out: string; killed: boolean; error: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [VICTIM, JSON.stringify(orders)], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let error = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      error += chunk;
    });
    child.on("error", reject);
    child.on("exit", (_code, signal) => resolve({ out, killed: signal === "SIGKILL", error }));
  });
}

async function inParallel<T>(width: number, tasks: (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (next < tasks.length) {
        const index = next++;
        results[index] = await tasks[index]!();
      }
    }),
  );
  return results;
}

/** Kills a worker at each place so many times, then lets one worker complete all jobs. */
async function matrix(
  spec: string,
  folder: string,
  rounds: number,
  stride: number,
): Promise<{ killed: number; boundaries: number; slowestMs: number }> {
  const storage: Storage = await openStorage(spec);
  const enqueuer = matrixBelfry({ storage, queues: [], claimTtlMs: CLAIM_MS });
  let count = 0;
  const prepare = async (dieAt: number): Promise<Orders> => {
    const queue = `q${++count}`;
    const journal = join(folder, `${queue}.journal`);
    note(journal, `dies at ${dieAt}`);
    const handle = await enqueuer.enqueue("matrix", { journal, queue }, { queue });
    await handle.signal("go", "signal");
    return { spec, queue, jobId: handle.id, journal, claimTtlMs: CLAIM_MS, dieAt };
  };

  const undisturbed = await runVictim(await prepare(-1));
  const boundaries = Number(undisturbed.out.trim());
  expect(boundaries, undisturbed.error).toBeGreaterThan(20);

  const orders: Orders[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let dieAt = round % stride; dieAt < boundaries; dieAt += stride) orders.push(await prepare(dieAt));
  }
  const ends = await inParallel(
    4,
    orders.map((order) => () => runVictim(order)),
  );

  const rescuer = matrixBelfry({
    storage,
    queues: orders.map((order) => order.queue),
    claimTtlMs: CLAIM_MS,
    concurrency: 50,
  });
  const stop = new AbortController();
  const start = performance.now();
  const running = rescuer.run({ signal: stop.signal, schedule: false });
  // Only the waiting ends here: a job that is not completed by then fails the test below, with its journal.
  const deadline = start + CLAIM_MS + 40_000 + orders.length * 100;
  for (const { jobId } of orders) {
    for (;;) {
      const job = await rescuer.jobs.get(jobId);
      if (job?.state === "completed" || job?.state === "failed" || performance.now() > deadline) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  const slowestMs = performance.now() - start;
  stop.abort();
  await running;

  for (const [i, order] of orders.entries()) {
    const job = (await rescuer.jobs.get(order.jobId))!;
    const journal = readJournal(order.journal);
    const about = `${spec} ${order.queue} dies at ${order.dieAt}: ${JSON.stringify(journal)} ${JSON.stringify(job.error)} ${ends[i]!.error}`;
    expect(job, about).toMatchObject({ state: "completed", output: RIGHT });
    let repeated = 0;
    for (const step of EFFECTS) {
      const did = journal.filter((line) => line === `did ${step}`).length;
      const saved = journal.indexOf(`saved ${step}`);
      const after = saved === -1 ? 0 : journal.slice(saved).filter((line) => line === `did ${step}`).length;
      expect(did, about).toBeGreaterThanOrEqual(1);
      expect(after, about).toBe(0);
      repeated += did - 1;
    }
    // Only steps that ran when the process died may run again: one step, or the two side by side.
    expect(repeated, about).toBeLessThanOrEqual(2);
  }
  await rescuer.close();
  await enqueuer.close();
  return { killed: ends.filter((end) => end.killed).length, boundaries, slowestMs };
}

describe("crash matrix", () => {
  let folder: string;
  let postgres: PostgresEngine | undefined;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "belfry-crash-"));
  });

  afterAll(async () => {
    await postgres?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test(
    "on a SQLite file",
    async () => {
      const result = await matrix(`sqlite:${join(folder, "jobs.db")}`, folder, LONG ? ROUNDS : 1, LONG ? 1 : 3);
      console.log(
        `crash matrix, SQLite: ${result.killed} kills at ${result.boundaries} boundaries, all recovered in ${Math.round(result.slowestMs)} ms`,
      );
      expect(result.killed).toBeGreaterThanOrEqual(Math.floor(result.boundaries / 3) - 3);
    },
    LONG ? 2_400_000 : 300_000,
  );

  test(
    "on PostgreSQL",
    async () => {
      postgres = await startPostgres();
      const result = await matrix(
        `postgres:${postgres.url}`,
        mkdtempSync(join(folder, "pg-")),
        LONG ? ROUNDS : 1,
        LONG ? 1 : 4,
      );
      console.log(
        `crash matrix, PostgreSQL: ${result.killed} kills at ${result.boundaries} boundaries, all recovered in ${Math.round(result.slowestMs)} ms`,
      );
      expect(result.killed).toBeGreaterThanOrEqual(Math.floor(result.boundaries / 4) - 3);
    },
    LONG ? 2_400_000 : 300_000,
  );
});
