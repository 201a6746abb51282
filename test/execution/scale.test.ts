/** Size: ten thousand steps replay in a line, a hundred thousand waiting jobs cost nothing, stored jobs slow nobody. */
import { describe, expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { Bench } from "./harness.ts";

/** Runs a job of so many steps, then resumes it after a sleep. @returns ms that the replay took */
async function replayTime(steps: number): Promise<number> {
  const bench = new Bench();
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
  const start = systemClock.monotonic();
  await bench.clock.advance(1);
  const took = systemClock.monotonic() - start;
  const [job] = await bench.storage.listJobs({ limit: 1 });
  expect(job).toMatchObject({ id, state: "completed", result: String((steps * (steps - 1)) / 2) });
  expect(ran).toBe(steps);
  await node.stop();
  return took;
}

describe("size", () => {
  test("a job of 10,000 steps works, and its replay is linear", async () => {
    await replayTime(500);
    const small = Math.min(await replayTime(1_000), await replayTime(1_000));
    const large = await replayTime(10_000);
    // Ten times the steps: about ten times the time, with room for a busy machine. Quadratic would be a hundred.
    expect(large / small).toBeLessThan(30);
    expect(large).toBeLessThan(5_000);
  });

  test("100,000 jobs that wait for a signal hold nothing in the worker, and another job runs as fast as ever", async () => {
    const count = 100_000;
    const bench = new Bench();
    bench.tasks.define("waits", async (ctx) => ctx.waitFor("go", { timeout: "365d" }));
    bench.tasks.define("quick", () => 1);
    const node = bench.node({ concurrency: 500 });
    const time = async (): Promise<number> => {
      const start = systemClock.monotonic();
      for (let i = 0; i < 300; i++) {
        await node.enqueue("quick");
        await bench.clock.settle();
      }
      return systemClock.monotonic() - start;
    };
    node.start();
    await time();
    const before = Math.min(await time(), await time());
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
    node.worker.wake();
    await bench.clock.settle();
    const { queues } = await bench.storage.stats({ now });
    expect(queues[0]).toMatchObject({ waiting: count, running: 0 });
    expect(node.worker.running).toBe(0);
    expect(bench.clock.timers).toBeLessThanOrEqual(3);
    const calls = node.calls["claim"]!;
    await bench.clock.advance("1h");
    expect(node.calls["claim"]! - calls).toBeLessThanOrEqual(2);
    const after = Math.min(await time(), await time());
    expect(after / before).toBeLessThan(3);
    await node.stop();
  }, 60_000);
});
