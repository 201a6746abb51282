/** Several loops of one worker at once: a server's `run` with the passes of `tick` beside it, and passes that overlap. */
import { expect, test } from "vitest";
import { BelfryError } from "../../src/base/error.ts";
import type { Storage } from "../../src/storage/port.ts";
import { Bench } from "../execution/harness.ts";
import { watched } from "./watched.ts";

/** Makes a step that lasts for so long by the clock of the bench. */
function lasting(bench: Bench, ms: number): () => Promise<void> {
  return () => new Promise<void>((resolve) => void bench.clock.setTimer(ms, resolve));
}

/** A memory storage that waits, or fails, before each claim. */
function beforeClaims(before: () => Promise<void>): Storage {
  return watched(async (method, _request, pass) => {
    if (method === "claim") await before();
    return pass();
  });
}

test("a server's loop still wakes up for new jobs after a pass slept beside it", async () => {
  const bench = new Bench();
  bench.tasks.define("long", (ctx) => ctx.step("work", lasting(bench, 2_000)));
  bench.tasks.define("short", () => 1);
  const node = bench.start();
  await bench.clock.settle();
  await node.enqueue("long");
  await bench.clock.settle();
  const pass = node.worker.runReady({ untilMs: bench.clock.monotonic() + 1_000 });
  await bench.clock.advance("10s");
  await pass;
  // Enqueued by another process, so that only the storage announces it.
  const { id } = await bench.node().enqueue("short");
  node.worker.notified();
  await bench.clock.settle();
  expect((await node.job(id)).state).toBe("completed");
  await node.stop();
});

test("a pass whose time is over drains no job while a server's loop goes on", async () => {
  const bench = new Bench();
  bench.tasks.define("long", async (ctx) => {
    await ctx.step("first", lasting(bench, 5_000));
    await ctx.step("second", lasting(bench, 5_000));
  });
  const node = bench.start({ drainMs: 100 });
  const released = node.record("job:released");
  const before = await node.enqueue("long");
  await bench.clock.settle();
  const pass = node.worker.runReady({ untilMs: bench.clock.monotonic() + 1_000 });
  await bench.clock.advance("2s");
  expect(await pass).toMatchObject({ ran: 0, more: true });
  const after = await node.enqueue("long");
  await bench.clock.advance("20s");
  for (const { id } of [before, after]) expect(await node.job(id)).toMatchObject({ state: "completed", claims: 1 });
  expect(released).toEqual([]);
  await node.stop();
});

test("a pass that drains its jobs leaves those of a later pass alone", async () => {
  const bench = new Bench();
  bench.tasks.define("hangs", (ctx) => ctx.step("hang", () => new Promise(() => {})));
  bench.tasks.define("long", (ctx) => ctx.step("work", lasting(bench, 20_000)));
  const node = bench.node({ drainMs: 5_000 });
  const hangs = await node.enqueue("hangs");
  const first = node.worker.runReady({ untilMs: bench.clock.monotonic() + 1_000 });
  await bench.clock.advance("2s");
  const long = await node.enqueue("long");
  const second = node.worker.runReady({ untilMs: bench.clock.monotonic() + 60_000 });
  await bench.clock.advance("30s");
  await first;
  expect((await node.job(hangs.id)).claims).toBeGreaterThanOrEqual(1);
  expect(await node.job(long.id)).toMatchObject({ state: "completed", claims: 1 });
  await bench.clock.advance("1m");
  await second;
});

test("loops that run at once never start more jobs together than the worker may run", async () => {
  let slow = Promise.resolve();
  const bench = new Bench(beforeClaims(() => slow));
  let running = 0;
  let most = 0;
  bench.tasks.define("job", async (ctx) => {
    most = Math.max(most, ++running);
    await ctx.step("work", lasting(bench, 1_000));
    running--;
  });
  const node = bench.node({ concurrency: 2 });
  for (let i = 0; i < 8; i++) await node.enqueue("job");
  let open = (): void => {};
  slow = new Promise((resolve) => {
    open = resolve;
  });
  const first = node.worker.runReady();
  await bench.clock.settle();
  const second = node.worker.runReady();
  await bench.clock.settle();
  open();
  await bench.clock.advance("10s");
  await Promise.all([first, second]);
  expect(most).toBe(2);
  expect(await bench.storage.listJobs({ states: ["completed"], limit: 9 })).toHaveLength(8);
});

test("a pass that cannot claim fails after its running jobs were given back", async () => {
  let down = false;
  const storage = beforeClaims(async () => {
    if (down) throw new BelfryError("STORAGE_UNAVAILABLE", "down");
  });
  const bench = new Bench(storage);
  bench.tasks.define("hangs", (ctx) => ctx.step("hang", () => new Promise(() => {})));
  const node = bench.node({ drainMs: 1_000 });
  const { id } = await node.enqueue("hangs");
  const pass = node.worker.runReady().catch((error) => error.code);
  await bench.clock.settle();
  expect((await node.job(id)).state).toBe("running");
  down = true;
  node.worker.wake();
  await bench.clock.advance("5s");
  expect(await pass).toBe("STORAGE_UNAVAILABLE");
  expect(await node.job(id)).toMatchObject({ state: "ready", attempt: 1 });
  expect(bench.clock.timers).toBe(0);
});
