/**
 * What if the database server is killed under load? Real servers are killed with -9 and started again on their data,
 * under an engine that fires schedules and runs jobs: nothing acknowledged is lost, nothing happens twice, and the
 * engine recovers by itself. Two rounds each in CI, 20 with BELFRY_LONG=1.
 */
import { expect, it, onTestFinished } from "vitest";
import { Belfry } from "../../../mod.ts";
import { startPostgres } from "../../engines/postgres.ts";
import { startSqld } from "../../engines/sqld.ts";
import { rounds } from "../rounds.ts";
import { freshPrefix, link, SERVERS } from "./link.ts";

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits, in real time, until a condition holds. */
async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await look().catch(() => false))) {
    if (performance.now() > end) throw new Error(`Waited a minute in vain for ${what}`);
    await pause(50);
  }
}

it.each(SERVERS)(
  "%s killed under load loses nothing that was acknowledged, and nothing happens twice",
  { timeout: 900_000 },
  async (engine) => {
    const server = await (engine === "sqld" ? startSqld() : startPostgres({ durable: true }));
    onTestFinished(() => server.dispose());
    const prefix = freshPrefix();
    const working = link(engine, server.url, prefix);
    const asking = link(engine, server.url, prefix);
    const belfry = new Belfry({
      storage: working.storage,
      claimTtl: "2s",
      leaseTtl: "1500ms",
      // Errors are expected here; the stored rows are checked in the end.
      onError: () => undefined,
    });
    const client = new Belfry({ storage: asking.storage, onError: () => undefined });
    /** Jobs whose first step is known to be saved, and those in which it began again after that. */
    const saved = new Set<string>();
    const again: string[] = [];
    const handler = async (ctx: { job: { id: string }; step(name: string, fn: () => number): Promise<number> }) => {
      const { id } = ctx.job;
      const first = await ctx.step("first", () => {
        if (saved.has(id)) again.push(id);
        return 1;
      });
      const second = await ctx.step("second", () => {
        // A step is saved at the latest before the next one begins.
        saved.add(id);
        return 1;
      });
      return first + second;
    };
    belfry.task("work", handler, { retry: { maxAttempts: 100 } });
    const timed = belfry.task("timed", handler, { retry: { maxAttempts: 100 } });
    for (let i = 0; i < 5; i++) await belfry.schedule(`every second ${i}`, "@every 1s", timed);

    const stop = new AbortController();
    const running = belfry.run({ signal: stop.signal });
    const acknowledged: string[] = [];
    let keys = 0;
    const load = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const key = `key ${keys++}`;
        // An enqueue without an answer is sent again with its key, as a careful caller does.
        for (let done = false; !done && !stop.signal.aborted; ) {
          await client
            .enqueue("work", null, { key })
            .then(({ id }) => {
              acknowledged.push(id);
              done = true;
            })
            .catch(() => pause(20));
        }
        await pause(15);
      }
    };
    const loads = [load(), load()];
    try {
      for (let round = 0; round < rounds(20, 2); round++) {
        const before = acknowledged.length;
        await until("work before the kill", async () => acknowledged.length > before + 20);
        await server.kill();
        await pause(200 + 100 * (round % 5));
        await server.start();
      }
      const after = acknowledged.length;
      await until("work after the last kill", async () => acknowledged.length > after + 20);
      const fired = async (): Promise<number> =>
        (await asking.storage.listOccurrences({ schedule: "every second 4", limit: 100_000 })).length;
      const enough = (await fired()) + 3;
      await until("schedules after the last kill", async () => (await fired()) >= enough);
    } finally {
      stop.abort();
      await Promise.all([...loads, running]);
    }

    // A second engine runs the remaining jobs to their end.
    const left = belfry.run({ schedule: false });
    await until("the rest of the jobs", async () => {
      const queues = await client.queues.list();
      return queues.every(({ ready, running: active, scheduled }) => ready + active + scheduled === 0);
    });
    const jobs = await asking.storage.listJobs({ task: "work", limit: 100_000 });
    const stored = new Map(jobs.map((job) => [job.id, job.state]));
    expect(acknowledged.filter((id) => stored.get(id) !== "completed")).toEqual([]);
    expect(new Set(jobs.map(({ key }) => key)).size).toBe(jobs.length);
    expect(again).toEqual([]);

    for (let i = 0; i < 5; i++) {
      const schedule = `every second ${i}`;
      const fired = await asking.storage.listJobs({ schedule, limit: 100_000 });
      const outcomes = await asking.storage.listOccurrences({ schedule, limit: 100_000 });
      // Each occurrence once, without a gap: one per second, and each with its job.
      const gaps = outcomes.slice(1).map(({ at }, n) => at - outcomes[n]!.untilAt);
      expect(gaps.filter((gap) => gap !== 1000)).toEqual([]);
      expect(outcomes.map(({ jobId }) => jobId).sort()).toEqual(fired.map(({ id }) => id).sort());
    }
    await client.close();
    await belfry.close();
    await left;
    await working.close();
    await asking.close();
  },
);
