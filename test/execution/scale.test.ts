/**
 * Size, counted in turns and round trips (the bench measures time): the replay of ten thousand steps is linear, and a
 * hundred thousand waiting jobs hold nothing and do not slow down the others.
 */
import { describe, expect, test } from "vitest";
import { Bench } from "./harness.ts";

/** Other runtimes run the same tests with smaller numbers. */
const stage = (globalThis as { process?: { env: Record<string, string | undefined> } }).process?.env["BELFRY_STAGE"];
const full = stage === undefined || stage === "node";

/** Runs a job of so many steps, then resumes it after a sleep. @returns turns and storage calls of the replay */
async function replay(steps: number): Promise<{ turns: number; calls: number }> {
  const bench = new Bench();
  let turns = 0;
  const turn = bench.clock.turn.bind(bench.clock);
  bench.clock.turn = () => {
    turns++;
    return turn();
  };
  let ran = 0;
  bench.tasks.define("long", async (ctx) => {
    let sum = 0;
    for (let i = 0; i < steps; i++) {
      sum += await ctx.step("s", () => {
        ran++;
        return i;
      });
    }
    await ctx.sleep("nap", "1h");
    return sum;
  });
  const node = bench.start();
  const { id } = await node.enqueue("long");
  await bench.clock.settle();
  expect(ran).toBe(steps);
  await bench.clock.advance(3_599_999);
  const calls = (): number => Object.values(node.calls).reduce((sum, count) => sum + count, 0);
  const before = { turns, calls: calls() };
  await bench.clock.advance(1);
  const [job] = await bench.storage.listJobs({ limit: 1 });
  expect(job).toMatchObject({ id, state: "completed", result: String((steps * (steps - 1)) / 2) });
  expect(ran).toBe(steps);
  const took = { turns: turns - before.turns, calls: calls() - before.calls };
  await node.stop();
  return took;
}

describe("size", () => {
  test("a job of 10,000 steps replays in one turn a step, with as many round trips as a short job", async () => {
    const steps = full ? 10_000 : 1_000;
    const few = await replay(10);
    const many = await replay(steps);
    expect(many.turns - few.turns).toBeLessThanOrEqual(steps - 10 + 2);
    expect(many.calls).toBe(few.calls);
  });

  test("100,000 waiting jobs hold nothing in the worker, and another job costs as many storage calls as before", async () => {
    const count = full ? 100_000 : 2_000;
    const bench = new Bench();
    bench.tasks.define("waits", async (ctx) => ctx.waitFor("go", { timeout: "365d" }));
    bench.tasks.define("quick", () => 1);
    const node = bench.start({ concurrency: 500 });
    const calls = async (act: () => Promise<unknown>): Promise<Record<string, number>> => {
      const before = { ...node.calls };
      await act();
      return Object.fromEntries(Object.entries(node.calls).map(([name, total]) => [name, total - (before[name] ?? 0)]));
    };
    const quick = async (): Promise<void> => {
      await node.enqueue("quick");
      await bench.clock.settle();
    };
    await quick();
    const alone = await calls(quick);
    const now = bench.clock.now();
    for (let i = 0; i < count; i += 1_000) {
      const jobs = Array.from({ length: 1_000 }, (_, k) => ({
        id: `waiter-${i + k}`,
        task: "waits",
        queue: "default",
        priority: 0,
        availableAt: now,
        expiresAt: null,
        key: null,
        input: "",
        options: "{}",
        schedule: null,
        scheduledAt: null,
        parentId: null,
        limit: null,
      }));
      await bench.storage.enqueue({ op: `fill-${i}`, now, jobs });
    }
    await bench.clock.settle();
    const { queues } = await bench.storage.stats({ now });
    expect(queues[0]).toMatchObject({ waiting: count, running: 0 });
    expect(node.worker.running).toBe(0);
    // The timers left are those that look for unknown tasks; their number does not grow with the waiting jobs.
    expect(bench.clock.timers).toBeLessThanOrEqual(3);
    const idle = await calls(() => bench.clock.advance("1h"));
    expect(idle["claim"]).toBeLessThanOrEqual(2);
    expect(await calls(quick)).toMatchObject(alone);
    await node.stop();
  }, 180_000);
});
