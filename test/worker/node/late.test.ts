/** Claims that may have run out: after a step that blocked the event loop, and after a claim that waited for a lock. */
import { describe, expect, test } from "vitest";
import { memory } from "../../../adapters/memory.ts";
import { sqlite } from "../../../adapters/sqlite.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { Bench } from "../../execution/harness.ts";

const storages: [string, () => Promise<Storage>][] = [
  ["memory", async () => memory()],
  [
    "SQLite",
    async () => {
      const storage = sqlite(":memory:");
      await storage.migrate({ now: 0 });
      return storage;
    },
  ],
];

describe.each(storages)("on %s, a step that blocks the event loop for longer than the claim time", (_name, open) => {
  test("is saved once, although the poll comes before the renewal", async () => {
    const bench = new Bench(await open());
    let ran = 0;
    bench.tasks.define(
      "video",
      async (ctx) => {
        await ctx.step("convert", async () => {
          ran++;
          bench.clock.jump(31_000);
          // Something else of this engine asks for jobs before anything is renewed or saved.
          await bench.storage.listQueues({} as never);
          node.worker.wake();
          await bench.clock.turn();
        });
        return "converted";
      },
      { retry: false },
    );
    const node = bench.start({ concurrency: 5 });
    const { id } = await node.enqueue("video");
    await bench.clock.advance("2m");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "converted", claims: 1, attempt: 1 });
    expect(ran).toBe(1);
    await node.stop();
  });

  test("costs the other jobs of this worker nothing either", async () => {
    const bench = new Bench(await open());
    bench.tasks.define("blocks", async (ctx) => {
      await ctx.step("block", () => bench.clock.jump(45_000));
      node.worker.wake();
    });
    const runs = new Map<string, number>();
    bench.tasks.define(
      "waits",
      async (ctx, name: string) => {
        runs.set(name, (runs.get(name) ?? 0) + 1);
        await ctx.step("long", () => new Promise<void>((resolve) => void bench.clock.setTimer(50_000, resolve)));
        return name;
      },
      { retry: false },
    );
    const node = bench.start({ concurrency: 5 });
    const waiting = [await node.enqueue("waits", "a"), await node.enqueue("waits", "b")];
    await bench.clock.settle();
    await node.enqueue("blocks");
    await bench.clock.settle();
    await node.enqueue("waits", "c");
    await bench.clock.advance("2m");
    for (const { id } of waiting) expect(await node.job(id)).toMatchObject({ state: "completed", claims: 1 });
    expect([...runs.values()]).toEqual([1, 1, 1]);
    await node.stop();
  });

  test("loses its job to another worker that took it, and to nobody else", async () => {
    const bench = new Bench(await open());
    const saved: string[] = [];
    bench.tasks.define("job", async (ctx) => {
      if (ctx.fence > 1) return "second";
      await ctx.step("block", async () => {
        bench.clock.jump(31_000);
        // The other host polls while this one stands still.
        other.start();
        await other.engine.storage.listQueues({} as never);
      });
      saved.push("first");
      return "first";
    });
    const node = bench.node();
    const other = bench.node();
    node.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("3m");
    const job = await node.job(id);
    expect(job.state).toBe("completed");
    // Whichever of the two it was, only one result was saved, by the claim that counted.
    expect(job.output).toBe(job.claims === 1 ? "first" : "second");
    await node.stop();
    await other.stop();
  });
});

test("a claim that was answered late starts only jobs that are still this worker's", async () => {
  const inner = memory();
  let holdMs = 40_000;
  const slow: Storage = {
    ...inner,
    async claim(request) {
      const reply = await inner.claim(request);
      if (holdMs > 0 && reply.jobs.length > 0) {
        const waitMs = holdMs;
        holdMs = 0;
        await new Promise<void>((resolve) => void bench.clock.setTimer(waitMs, resolve));
      }
      return reply;
    },
  };
  const bench = new Bench(slow);
  const runs: string[] = [];
  bench.tasks.define("mail", async (ctx, name: string) => {
    runs.push(`${name}@${ctx.fence}`);
    return name;
  });
  const node = bench.node();
  const job = await node.enqueue("mail", "m");
  node.start();
  await bench.clock.advance("35s");
  // The claim has run out, and another worker takes the job.
  const other = bench.node();
  other.start();
  await bench.clock.advance("2m");
  expect(await node.job(job.id)).toMatchObject({ state: "completed" });
  expect(runs).toEqual(["m@2"]);
  await node.stop();
  await other.stop();
});
