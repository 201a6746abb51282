/**
 * Are Postgres' plans, which are made once and kept, still good when an empty table has grown? By the server's own
 * statistics.
 */
import { expect, inject, test } from "vitest";
import { postgres } from "../../adapters/postgres.ts";
import { newJob, newSchedule, T0 } from "../../src/testing/conformance/rig.ts";
import { freshSchema } from "../engines/databases.ts";

const url = inject("postgresUrl");
const FINISHED = 2_000;

test("a save reads as few rows beside 2,000 finished jobs as beside none, by plans made while there were none", async () => {
  const schema = await freshSchema(url);
  const pool = schema.pool({ max: 1 });
  const storage = postgres(pool);
  await storage.migrate({ now: T0 });
  // Autovacuum off: the planner keeps what it knows.
  await pool.query("ALTER TABLE belfry_jobs SET (autovacuum_enabled = off)");
  const read = async (): Promise<number> => {
    await pool.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await pool.query(
      "SELECT sum(seq_tup_read + idx_tup_fetch)::int AS n FROM pg_stat_user_tables WHERE schemaname = current_schema()",
    );
    return (rows[0] as { n: number }).n;
  };
  const live = async (name: string): Promise<number> => {
    await storage.enqueue({ op: `enqueue ${name}`, now: T0, jobs: [newJob(name, { queue: "default" })] });
    const claim = { worker: "w", queues: ["default"], tasks: null, limit: 1, now: T0, claimMs: 1000 };
    const { jobs } = await storage.claim({ ...claim, token: `claim ${name}` });
    expect(jobs.map(({ id }) => id)).toEqual([name]);
    const write = { id: name, token: `claim ${name}`, arrivals: 0, forget: [], children: [] };
    const row = {
      jobId: name,
      kind: "step" as const,
      state: "done" as const,
      tries: 1,
      attempt: 1,
      output: "1",
      error: null,
      wakeAt: null,
    };
    const step = { ...row, name: "s", seq: null, childId: null, signalKey: null, startedAt: T0, finishedAt: T0 };
    const before = await read();
    const save = { now: T0, claimMs: 1000 };
    await storage.save({ ...save, op: `a ${name}`, writes: [{ ...write, steps: [step], transition: null }] });
    const transition = { to: "completed" as const, result: "1" };
    await storage.save({ ...save, op: `b ${name}`, writes: [{ ...write, steps: [], transition }] });
    return (await read()) - before;
  };
  for (let i = 0; i < 5; i++) await live(`early ${i}`);
  const few = await live("few");
  const { rows } = await pool.query("SELECT * FROM belfry_jobs WHERE id = 'few'");
  const columns = Object.keys(rows[0] as object).filter((column) => column !== "id");
  await pool.query(
    `INSERT INTO belfry_jobs (id, ${columns.join(", ")})
      SELECT 'old ' || n, ${columns.join(", ")} FROM belfry_jobs, generate_series(1, ${FINISHED}) AS n WHERE id = 'few'`,
  );
  expect(await live("many")).toBeLessThanOrEqual(few);
  expect(few).toBeLessThan(25);
  await storage.close();
  await schema.dispose();
});

test("a tick looks for unfinished jobs by index, also by plans made when the table had been emptied", async () => {
  const schema = await freshSchema(url);
  const pool = schema.pool({ max: 1 });
  const storage = postgres(pool);
  await storage.migrate({ now: T0 });
  await pool.query("ALTER TABLE belfry_jobs SET (autovacuum_enabled = off)");
  // A table without pages costs nothing to scan: EXISTS in a list of columns then becomes a hash of all possible rows.
  await pool.query("VACUUM ANALYZE belfry_jobs");
  const read = async (): Promise<{ scans: number; rows: number }> => {
    await pool.query("SELECT pg_stat_force_next_flush()");
    const { rows } = await pool.query(
      `SELECT seq_scan::int AS scans, (seq_tup_read + idx_tup_fetch)::int AS rows FROM pg_stat_user_tables
        WHERE schemaname = current_schema() AND relname = 'belfry_jobs'`,
    );
    return rows[0] as { scans: number; rows: number };
  };
  const record = newSchedule("watching", { nextAt: T0 - 1, watchesJobs: true });
  const put = { revision: null, record, jobs: [], occurrences: [] };
  await storage.putSchedules({ op: "put", now: T0, puts: [put], removes: [], owner: null });
  const look = async (): Promise<void> => {
    const tick = { holder: "h", token: null, ttlMs: 1000, maxDue: 10, resignIfIdle: false };
    expect((await storage.beginTick({ ...tick, now: T0 })).due).toMatchObject([{ name: "watching", busy: false }]);
  };
  await look();
  const far = Array.from({ length: 500 }, (_, i) => newJob(`later ${i}`, { queue: "c", schedule: "other" }));
  await storage.enqueue({ op: "far", now: T0, jobs: far });
  const before = await read();
  await look();
  const after = await read();
  expect(after.scans - before.scans).toBe(0);
  expect(after.rows - before.rows).toBeLessThan(10);
  await storage.close();
  await schema.dispose();
});
