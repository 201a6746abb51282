/** Piggybacked claims: how few calls an execution takes, and that no job is claimed that may not start, whichever reply is lost. */
import { describe, expect, test } from "vitest";
import { BelfryError } from "../../src/base/error.ts";
import type { ClaimRequest, EnqueueRequest, SaveRequest, Storage } from "../../src/storage/port.ts";
import { Bench, type Node } from "../execution/harness.ts";
import { watched } from "./watched.ts";

type Writing = EnqueueRequest | SaveRequest;

/** The calls of a node from here on, without the polls of a worker that has nothing to do. */
async function callsOf(node: Node, bench: Bench, work: () => Promise<unknown>): Promise<Record<string, number>> {
  await bench.clock.settle();
  const before = { ...node.calls };
  await work();
  const made: Record<string, number> = {};
  for (const [name, count] of Object.entries(node.calls)) {
    if (count > (before[name] ?? 0)) made[name] = count - (before[name] ?? 0);
  }
  return made;
}

const quiet = (): Storage => watched((_method, _request, pass) => pass());

describe("calls of the storage", () => {
  test("a job of one step takes two: the enqueue claims it, and the save of the step completes it", async () => {
    const bench = new Bench(quiet());
    bench.tasks.define("one", (ctx) => ctx.step("s", () => 7), {});
    const node = bench.start();
    const calls = await callsOf(node, bench, async () => expect(await (await node.enqueue("one")).result()).toBe(7));
    expect(calls).toEqual({ enqueue: 1, save: 1 });
    await node.stop();
  });

  test("a job with a child takes four: the child is claimed by the save that made it, the parent by the one that completed it", async () => {
    const bench = new Bench(quiet());
    const child = bench.tasks.define("child", (ctx, input: number) => ctx.step("s", () => input * 2), {});
    bench.tasks.define("parent", (ctx) => ctx.invoke("c", child, 21), {});
    const node = bench.start();
    const calls = await callsOf(node, bench, async () =>
      expect(await (await node.enqueue("parent")).result()).toBe(42),
    );
    expect(calls).toEqual({ enqueue: 1, save: 3 });
    await node.stop();
  });

  test("a job with a limit takes one: the save that completes a job claims the next of its limit", async () => {
    const bench = new Bench(quiet());
    bench.tasks.define("limited", (ctx) => ctx.step("s", () => 1), {});
    const node = bench.start();
    const limit = { key: "k", concurrency: 1 };
    const calls = await callsOf(node, bench, async () => {
      const handles = [1, 2, 3].map(() => node.enqueue("limited", undefined, { limit }));
      for (const handle of handles) expect(await (await handle).result()).toBe(1);
    });
    expect(calls).toEqual({ enqueue: 1, save: 3 });
    await node.stop();
  });

  test("50 jobs that are enqueued at once take two together", async () => {
    const bench = new Bench(quiet());
    bench.tasks.define("one", (ctx) => ctx.step("s", () => 7), {});
    const node = bench.start({ concurrency: 100 });
    const calls = await callsOf(node, bench, async () => {
      await Promise.all(Array.from({ length: 50 }, async () => (await node.enqueue("one")).result()));
    });
    expect(calls).toEqual({ enqueue: 1, save: 1 });
    await node.stop();
  });

  test("a job that waits for room in a full worker is claimed by the save that makes room", async () => {
    const bench = new Bench(quiet());
    let running = 0;
    let most = 0;
    bench.tasks.define(
      "slow",
      async (ctx) => {
        most = Math.max(most, ++running);
        await ctx.step("s", () => new Promise<void>((resolve) => void bench.clock.setTimer(1_000, resolve)));
        running--;
      },
      {},
    );
    const node = bench.start({ concurrency: 2 });
    const handles = [];
    for (let i = 0; i < 9; i++) handles.push(await node.enqueue("slow"));
    await bench.clock.advance("5s");
    for (const handle of handles) await handle.result();
    expect(most).toBe(2);
    await node.stop();
  });
});

/** A storage whose calls of one method are held back while `closed`. */
function gated(method: string): { storage: Storage; sent: Writing[]; close(): void; open(): void } {
  const sent: Writing[] = [];
  let gate: Promise<void> | undefined;
  let open = (): void => {};
  const storage = watched(async (called, request: Writing, pass) => {
    if (called === "enqueue" || called === "save") sent.push(request);
    const answer = await pass();
    if (called === method) await gate;
    return answer;
  });
  return {
    storage,
    sent,
    close() {
      gate = new Promise((resolve) => {
        open = resolve;
      });
    },
    open: () => open(),
  };
}

test("children of a write without a piggybacked claim are claimed separately, although an earlier write carried one", async () => {
  const { storage, sent, close, open } = gated("claim");
  const bench = new Bench(storage);
  const child = bench.tasks.define("child", (_ctx, input: number) => input, {});
  bench.tasks.define(
    "parent",
    async (ctx) => {
      const first = ctx.invoke("first", child, 1);
      // A wait that is held in memory keeps the run going, so its writes are one run's.
      await ctx.sleep("moment", "150ms");
      const second = ctx.invoke("second", child, 2);
      return (await first) + (await second);
    },
    {},
  );
  const node = bench.start();
  await bench.clock.settle();
  const handle = await node.enqueue("parent");
  await bench.clock.advance("1ms");
  close();
  node.worker.wake();
  await bench.clock.advance("150ms");
  const brought = sent.map(
    (request) => "writes" in request && request.writes.some(({ children }) => children.length > 0),
  );
  expect(sent.filter((_, i) => brought[i]).map(({ claim }) => claim !== undefined)).toEqual([true, false]);
  open();
  await bench.clock.advance("1s");
  expect((await node.job(handle.id)).state).toBe("completed");
  expect(await handle.result()).toBe(3);
  await node.stop();
});

test("no claim is piggybacked while another is in flight, since together they could bring more jobs than there is room for", async () => {
  for (const held of ["claim", "enqueue"]) {
    const { storage, sent, close, open } = gated(held);
    const bench = new Bench(storage);
    const child = bench.tasks.define("child", () => 1, {});
    bench.tasks.define(
      "parent",
      async (ctx) => {
        await ctx.sleep("moment", "150ms");
        await ctx.spawn("c", child);
      },
      {},
    );
    const node = bench.start();
    await bench.clock.settle();
    await node.enqueue("parent");
    await bench.clock.advance("1ms");
    close();
    if (held === "claim") node.worker.wake();
    await bench.clock.settle();
    sent.length = 0;
    const other = node.enqueue("child");
    await bench.clock.advance("150ms");
    const bringing = sent.filter((request) => "jobs" in request || request.writes.some((w) => w.children.length > 0));
    expect(bringing.map((request) => ["jobs" in request ? "enqueue" : "save", request.claim !== undefined])).toEqual([
      ["enqueue", held === "enqueue"],
      ["save", false],
    ]);
    open();
    await other;
    await bench.clock.advance("1s");
    expect(await storage.listJobs({ states: ["completed"], limit: 9 })).toHaveLength(3);
    await node.stop();
  }
});

test("a claim is piggybacked only on enqueues of tasks, queues and times that concern the worker", async () => {
  const claims: (ClaimRequest | undefined)[] = [];
  const storage = watched((method, request: Writing, pass) => {
    if (method === "enqueue") claims.push(request.claim);
    return pass();
  });
  const bench = new Bench(storage);
  bench.tasks.define("known", () => 1, {});
  bench.tasks.define("narrow", (ctx) => ctx.step("s", () => new Promise(() => {})), { concurrency: 1 });
  const node = bench.node();
  await node.enqueue("known");
  expect(claims.splice(0)).toEqual([undefined]); // no loop runs
  node.start();
  await bench.clock.settle();
  await node.enqueue("unknown");
  await node.enqueue("known", undefined, { queue: "elsewhere" });
  await node.enqueue("known", undefined, { delay: "1h" });
  expect(claims.splice(0)).toEqual([undefined, undefined, undefined]);
  // Of a task with a limit of its own fewer may start than the worker has room for: it is claimed by itself.
  await node.enqueue("known");
  expect(claims.splice(0)).toEqual([undefined]);
  await node.stop();
});

test("an enqueue whose reply is lost fails for its caller, but its job runs, and only once", async () => {
  let lost = 0;
  const storage = watched(async (method, _request, pass) => {
    const answer = await pass();
    if (method !== "enqueue" || lost++ > 0) return answer;
    throw new BelfryError("STORAGE_UNAVAILABLE", "the answer was lost");
  });
  const bench = new Bench(storage);
  let runs = 0;
  bench.tasks.define("once", (ctx) => ctx.step("s", () => ++runs), {});
  const node = bench.start();
  await bench.clock.settle();
  await expect(node.enqueue("once")).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  await bench.clock.advance("1s");
  const [job] = await storage.listJobs({ limit: 2 });
  expect(job).toMatchObject({ state: "completed", claims: 1 });
  expect(runs).toBe(1);
  await node.stop();
});

test("a save whose reply is lost is resent with the same piggybacked claim, and the claimed child runs once", async () => {
  let lost = 0;
  const claims: (string | undefined)[] = [];
  const storage = watched(async (method, request: Writing, pass) => {
    const answer = await pass();
    if (method !== "save") return answer;
    claims.push(request.claim?.token);
    if (lost++ > 0) return answer;
    throw new BelfryError("STORAGE_UNAVAILABLE", "the answer was lost");
  });
  const bench = new Bench(storage);
  let runs = 0;
  const child = bench.tasks.define("child", (ctx) => ctx.step("s", () => ++runs), {});
  bench.tasks.define("parent", (ctx) => ctx.invoke("c", child), {});
  const node = bench.start();
  const handle = await node.enqueue("parent");
  await bench.clock.advance("1s");
  expect(await handle.result()).toBe(1);
  expect(claims[0]).toBeDefined();
  expect(claims[1]).toBe(claims[0]);
  expect((await storage.listJobs({ task: "child", limit: 2 }))[0]).toMatchObject({ claims: 1 });
  await node.stop();
});

test("a worker claims separately when the storage ignores piggybacked claims", async () => {
  const storage = watched(async (_method, request: Writing, pass) => {
    delete (request as { claim?: ClaimRequest }).claim;
    return pass();
  });
  const bench = new Bench(storage);
  bench.tasks.define("one", (ctx) => ctx.step("s", () => 7), {});
  const node = bench.start();
  await bench.clock.settle();
  expect(await (await node.enqueue("one")).result()).toBe(7);
  expect(node.calls["claim"]).toBeGreaterThanOrEqual(2);
  await node.stop();
});

test("a worker that stops while a piggybacked claim is in flight releases the jobs it brings", async () => {
  let release = (): void => {};
  let held = false;
  const storage = watched(async (method, request: Writing, pass) => {
    const answer = await pass();
    if (method === "enqueue" && request.claim && !held) {
      held = true;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    }
    return answer;
  });
  const bench = new Bench(storage);
  let runs = 0;
  bench.tasks.define("one", (ctx) => ctx.step("s", () => ++runs), {});
  const node = bench.start();
  await bench.clock.settle();
  const enqueued = node.enqueue("one");
  await bench.clock.settle();
  expect(held).toBe(true);
  const stopped = node.stop();
  await bench.clock.settle();
  release();
  await stopped;
  await enqueued;
  const [job] = await storage.listJobs({ limit: 1 });
  expect(job).toMatchObject({ state: "ready", claimToken: null });
  expect(runs).toBe(0);
});

test("a pass learns from the save that ends its last job whether jobs are left, without a call of its own", async () => {
  const bench = new Bench(quiet());
  bench.tasks.define("one", (ctx) => ctx.step("s", () => 7), {});
  const node = bench.node();
  await node.enqueue("one");
  await node.enqueue("one", undefined, { delay: "1h" });
  const calls = await callsOf(node, bench, async () => {
    expect(await node.worker.runReady()).toEqual({ ran: 1, more: false, nextAt: bench.clock.now() + 3_600_000 });
  });
  expect(calls).toEqual({ claim: 1, save: 1 });
});
