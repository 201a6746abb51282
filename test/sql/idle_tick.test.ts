/**
 * What does a tick cost when nothing is due? One round trip and three rows read, by the databases' own counters,
 * however many schedules and finished jobs there are.
 *
 * The engine itself ticks, on the counting storages of `bench/roundtrips`. The three rows are the lease when it is
 * written, the first schedule, and the lease when it is read back; looks into empty indexes read no rows.
 */
import { afterEach, describe, expect, it } from "vitest";
import { ENGINES, type Engine, type Work } from "../../bench/roundtrips/engines.ts";
import { Belfry } from "../../mod.ts";
import { postgresDialect, remoteSqliteDialect } from "../../src/sql/dialect.ts";
import { Templates } from "../../src/sql/template.ts";

const SCHEDULES = 100_000;
const FINISHED = 600;

let engine: Engine | undefined;
afterEach(() => engine?.dispose());

/** Stores copies of one schedule and one finished job. */
async function fill({ name, storage }: Engine): Promise<void> {
  const t = new Templates(name === "Postgres" ? postgresDialect : remoteSqliteDialect, "belfry_");
  const numbers = (count: number): string =>
    `(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n) AS n`;
  const copies = [
    `INSERT INTO {schedules} (name, definition, state, next_at, revision, fired, skips, failures, watches_jobs, created_at, updated_at)
      SELECT 'later ' || i, definition, state, next_at + i, 1, 0, 0, 0, 0, created_at, updated_at
      FROM {schedules}, ${numbers(SCHEDULES)} WHERE name = 'pattern'`,
    `INSERT INTO {jobs} (id, state, due, held, tied, resuming, attempt, claims, arrivals, priority, queue, task, created_at,
        finished_at, options, input)
      SELECT 'old ' || i, 'completed', 0, 0, 0, 0, 1, 1, 0, 0, queue, task, created_at, finished_at, options, input
      FROM {jobs}, ${numbers(FINISHED)} WHERE finished_at IS NOT NULL`,
  ];
  for (const text of copies) await storage.driver.batch([{ sql: t.sql(text), args: {} }], "write");
}

describe.each(["sqld", "d1", "postgres"])("%s", (name) => {
  it(`a tick beside ${SCHEDULES} schedules of which none is due is one round trip and reads three rows`, async () => {
    engine = await ENGINES[name]!();
    const { storage } = engine;
    const belfry = new Belfry({ storage, concurrency: 1 });
    const nothing = belfry.task("nothing", async () => 1);
    await belfry.schedule("pattern", "0 0 1 1 *", nothing);
    await belfry.enqueue(nothing);
    while ((await belfry.tick()).ran === 0);
    await fill(engine);

    const cost = async (work: () => Promise<unknown>): Promise<Work> => {
      const before = await engine!.work();
      await work();
      const after = await engine!.work();
      return {
        trips: after.trips - before.trips,
        read: after.read! - before.read!,
        written: after.written! - before.written!,
      };
    };
    // The first tick of each kind prepares its statements on Postgres.
    const idle = async (): Promise<void> => {
      expect(await belfry.tick()).toMatchObject({ leader: true, fired: 0, ran: 0, jobsAt: null });
    };
    await idle();
    expect(await cost(idle)).toEqual({ trips: 1, read: 3, written: 1 });

    // A loop renews its lease; a standby finds it taken.
    const tick = (holder: string, token: number | null) =>
      storage.beginTick({ holder, token, now: Date.now(), ttlMs: 60_000, maxDue: 500, resignIfIdle: false });
    const { lease } = await tick("a", null);
    const renewal = await cost(async () => expect((await tick("a", lease!.token)).leads).toBe(true));
    expect(renewal).toEqual({ trips: 1, read: 3, written: 1 });
    const standby = await cost(async () => expect((await tick("b", null)).leads).toBe(false));
    expect(standby).toEqual({ trips: 1, read: 3, written: 0 });
    await belfry.close();
  }, 120_000);
});
