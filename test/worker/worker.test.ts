/** The worker: which jobs it runs and how many at once, how it keeps claims, saves, drains, and survives a failing storage. */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { shownName } from "../../src/job/step_name.ts";
import type { JobWrite, SaveRequest, Storage } from "../../src/storage/port.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import { Bench } from "../execution/harness.ts";

/** A storage whose calls a test can look at or spoil. */
function spoiled(spoil: (method: string, request: unknown) => "pass" | "lose" | "lose-reply"): Storage {
  return new Proxy(memory(), {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function" || key === "listen") return value;
      return async (request: unknown) => {
        const verdict = spoil(String(key), request);
        if (verdict === "lose") throw new Error(`${String(key)} lost`);
        const answer = await (value as (request: unknown) => unknown).call(target, request);
        if (verdict === "lose-reply") throw new Error(`reply of ${String(key)} lost`);
        return answer;
      };
    },
  });
}

const hang = (): Promise<never> => new Promise(() => {});

describe("concurrency", () => {
  test("a worker runs as many jobs as its own and each task's concurrency allow, and never more", async () => {
    const bench = new Bench();
    const now: Record<string, number> = {};
    const most: Record<string, number> = {};
    const define = (name: string, concurrency?: number): void => {
      bench.tasks.define(
        name,
        async (ctx) => {
          now[name] = (now[name] ?? 0) + 1;
          now["all"] = (now["all"] ?? 0) + 1;
          most[name] = Math.max(most[name] ?? 0, now[name]!);
          most["all"] = Math.max(most["all"] ?? 0, now["all"]!);
          await ctx.step("work", () => new Promise<void>((resolve) => void bench.clock.setTimer(1_000, resolve)));
          now[name]!--;
          now["all"]!--;
        },
        concurrency === undefined ? {} : { concurrency },
      );
    };
    define("free");
    define("two", 2);
    define("one", 1);
    const node = bench.node({ concurrency: 6 });
    for (let i = 0; i < 12; i++) for (const name of ["free", "two", "one"]) await node.enqueue(name);
    node.start();
    await bench.clock.advance("1m");
    expect(most).toEqual({ free: expect.any(Number), two: 2, one: 1, all: 6 });
    expect(most["free"]).toBeGreaterThanOrEqual(3);
    expect(await node.engine.storage.listJobs({ states: ["completed"], limit: 100 })).toHaveLength(36);
    expect(await node.engine.storage.listJobs({ limit: 100 })).toSatisfy((jobs: { claims: number }[]) =>
      jobs.every((job) => job.claims === 1),
    );
    await node.stop();
  });

  test("limits by key and the rate of a task hold across workers", async () => {
    const bench = new Bench();
    let now = 0;
    let most = 0;
    const starts: number[] = [];
    bench.tasks.define("keyed", async (ctx) => {
      most = Math.max(most, ++now);
      await ctx.step("work", () => new Promise<void>((resolve) => void bench.clock.setTimer(1_000, resolve)));
      now--;
    });
    bench.tasks.define("rated", () => void starts.push(bench.clock.now()), { rate: { count: 2, per: "10s" } });
    const nodes = [bench.start(), bench.start(), bench.start()];
    for (let i = 0; i < 9; i++)
      await nodes[i % 3]!.enqueue("keyed", undefined, { limit: { key: "tenant-1", concurrency: 2 } });
    for (let i = 0; i < 6; i++) await nodes[0]!.enqueue("rated");
    await bench.clock.advance("2m");
    expect(most).toBe(2);
    const from = starts[0]!;
    expect(starts.map((at) => at - from)).toEqual([0, 0, 10_000, 10_000, 20_000, 20_000]);
    expect(await nodes[0]!.engine.storage.listJobs({ states: ["completed"], limit: 100 })).toHaveLength(15);
    for (const node of nodes) await node.stop();
  });

  test("jobs start by priority, queues take turns, and a paused queue waits", async () => {
    const bench = new Bench();
    const order: string[] = [];
    bench.tasks.define("job", (_ctx, input: string) => void order.push(input));
    const node = bench.node({ concurrency: 1, queues: ["a", "b", "c"] });
    await bench.storage.putQueues({
      now: bench.clock.now(),
      queues: [{ name: "c", paused: true, concurrency: null, rate: null }],
    });
    for (const queue of ["a", "b", "c"]) {
      for (const priority of [0, 0, 5]) await node.enqueue("job", `${queue}${priority}`, { queue, priority });
    }
    node.start();
    await bench.clock.advance("1s");
    expect(order.filter((name) => name.startsWith("a"))).toEqual(["a5", "a0", "a0"]);
    expect(order.slice(0, 4)).toEqual(["a5", "b5", "a0", "b0"]);
    expect(order).toHaveLength(6);
    await bench.storage.putQueues({
      now: bench.clock.now(),
      queues: [{ name: "c", paused: false, concurrency: null, rate: null }],
    });
    node.worker.wake();
    await bench.clock.advance("1s");
    expect(order.slice(6)).toEqual(["c5", "c0", "c0"]);
    await node.stop();
  });
});

describe("many queues", () => {
  test("a worker of 640 queues claims from 50 at a time, and serves all of them in turn", async () => {
    let widest = 0;
    const bench = new Bench(
      spoiled((method, request) => {
        if (method === "claim") widest = Math.max(widest, (request as { queues: string[] }).queues.length);
        return "pass";
      }),
    );
    const ran: string[] = [];
    bench.tasks.define("job", (ctx) => void ran.push(ctx.job.queue));
    const queues = Array.from({ length: 640 }, (_, i) => `q${i}`);
    const node = bench.node({ queues, concurrency: 20 });
    for (const queue of queues) await node.enqueue("job", undefined, { queue });
    for (let i = 0; i < 100; i++) await node.enqueue("job", undefined, { queue: "q0" });
    node.start();
    await bench.clock.settle();
    expect(widest).toBe(50);
    expect(ran).toHaveLength(740);
    // The long line of q0 did not keep the others waiting.
    expect(new Set(ran.slice(0, 680)).size).toBe(640);
    await node.stop();
  });
});

describe("claims", () => {
  test("claims are renewed after a third of the claim time, so a job may run for hours", async () => {
    const bench = new Bench();
    let ran = 0;
    bench.tasks.define("long", async (ctx) => {
      ran++;
      await ctx.step("work", () => new Promise<void>((resolve) => void bench.clock.setTimer(3 * 3_600_000, resolve)));
    });
    const node = bench.start();
    const other = bench.start();
    const { id } = await node.enqueue("long");
    await bench.clock.advance("4h");
    expect(ran).toBe(1);
    expect(await node.job(id)).toMatchObject({ state: "completed", claims: 1 });
    await node.stop();
    await other.stop();
  });

  test("a worker that lost its claim while it was cut off saves nothing more: its signal is aborted, its fence is too low", async () => {
    const bench = new Bench();
    const fences: { fence: number; accepted: boolean }[] = [];
    let highest = 0;
    const outside = (fence: number): void => {
      const accepted = fence >= highest;
      highest = Math.max(highest, fence);
      fences.push({ fence, accepted });
    };
    const codes: string[] = [];
    const tasksFor = (slow: boolean): TaskRegistry => {
      const tasks = new TaskRegistry();
      tasks.define("job", async (ctx) => {
        ctx.signal.addEventListener("abort", () => codes.push((ctx.signal.reason as { code: string }).code));
        await ctx.step("first", () => outside(ctx.fence));
        await ctx.step("slow", () =>
          slow ? new Promise<void>((resolve) => void bench.clock.setTimer(120_000, resolve)) : undefined,
        );
        await ctx.step("last", () => outside(ctx.fence));
        return slow ? "old" : "new";
      });
      return tasks;
    };
    const cut = { off: false };
    const storage = new Proxy(bench.storage, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (request: unknown) =>
          cut.off ? hang() : (value as (request: unknown) => unknown).call(target, request);
      },
    });
    const old = bench.node({ tasks: tasksFor(true) });
    Object.assign(old.engine, { storage });
    old.start();
    const { id } = await bench.node().enqueue("job");
    await bench.clock.settle();
    cut.off = true;
    const fresh = bench.start({ tasks: tasksFor(false) });
    await bench.clock.advance("1m");
    expect(await fresh.job(id)).toMatchObject({ state: "completed", output: "new", claims: 2 });
    cut.off = false;
    await bench.clock.advance("5m");
    expect(await fresh.job(id)).toMatchObject({ state: "completed", output: "new" });
    // Its late write would have been refused outside as well; here it never comes to that, the step was not begun.
    expect(fences).toEqual([
      { fence: 1, accepted: true },
      { fence: 2, accepted: true },
    ]);
    await fresh.stop();
  });

  test("a claim that ran out while the event loop was blocked is kept when no other worker took it", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("block", () => {
        // A minute of computation: time passes, no timer fires.
        bench.clock.jump(60_000);
      });
      return ctx.step("after", () => "done");
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "done", claims: 1 });
    await node.stop();
  });

  test("a claim whose reply was lost is resent with its token, so its jobs need not wait until it runs out", async () => {
    let lose = 1;
    const bench = new Bench(spoiled((method) => (method === "claim" && lose-- > 0 ? "lose-reply" : "pass")));
    bench.tasks.define("job", () => "done");
    const node = bench.node();
    const { id } = await node.enqueue("job");
    node.start();
    await bench.clock.advance("1s");
    expect(await node.job(id)).toMatchObject({ state: "completed", claims: 1, attempt: 1 });
    expect(node.errors).toHaveLength(1);
    await node.stop();
  });

  test("a claimed job whose last error cannot be read ends with its attempts, and the others run", async () => {
    const bench = new Bench();
    bench.tasks.define("job", () => "done", { retry: false });
    const node = bench.node();
    const { id } = await node.enqueue("job");
    const claim = { worker: "dead", queues: ["default"], tasks: null, limit: 1, claimMs: 1_000 };
    await bench.storage.claim({ ...claim, token: "t", now: bench.clock.now() });
    const transition = { to: "ready", availableAt: bench.clock.now(), resuming: false, error: "no JSON" } as const;
    const write = { id, token: "t", steps: [], forget: [], children: [], transition };
    await bench.storage.save({ op: "o", now: bench.clock.now(), claimMs: 1_000, writes: [write] });
    const other = await node.enqueue("job");
    const failed = node.record("job:failed");
    node.start();
    await bench.clock.advance("1s");
    expect((await node.job(other.id)).state).toBe("completed");
    expect(await bench.storage.getJob({ id })).toMatchObject({ state: "failed", claims: 2 });
    expect(failed).toMatchObject([{ id, error: { code: "CLAIM_LOST", cause: { message: "no JSON" } } }]);
    await node.stop();
  });
});

describe("saving", () => {
  test("50 jobs of 10 steps take at most 12 saves by group commit", async () => {
    const saves: JobWrite[][] = [];
    const bench = new Bench(
      spoiled((method, request) => {
        if (method === "save") saves.push((request as SaveRequest).writes);
        return "pass";
      }),
    );
    bench.tasks.define("job", async (ctx) => {
      let sum = 0;
      for (let i = 0; i < 10; i++) sum += await ctx.step(`s${i}`, () => i);
      return sum;
    });
    const node = bench.node({ concurrency: 50 });
    for (let i = 0; i < 50; i++) await node.enqueue("job");
    node.start();
    await bench.clock.settle();
    expect(await node.engine.storage.listJobs({ states: ["completed"], limit: 100 })).toHaveLength(50);
    expect(saves.length).toBeLessThanOrEqual(12);
    await node.stop();
  });

  test("the last step is saved with the end of its job, so n steps take n saves", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      for (let i = 0; i < 10; i++) await ctx.step(`s${i}`, () => i);
    });
    const node = bench.start();
    await node.enqueue("job");
    await bench.clock.settle();
    expect(node.calls["save"]).toBe(10);
    expect(node.calls["claim"]).toBeLessThanOrEqual(3);
    await node.stop();
  });

  test("a finished step is saved while the handler awaits something that is not durable", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("done", () => "saved");
      await hang();
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).steps).toMatchObject([{ name: "done", state: "done", output: "saved" }]);
    node.crash();
  });

  test("a step begins only after everything before it is saved", async () => {
    const log: string[] = [];
    const bench = new Bench(
      spoiled((method, request) => {
        if (method === "save")
          for (const write of (request as SaveRequest).writes)
            for (const step of write.steps) log.push(`save ${shownName(step.name)}`);
        return "pass";
      }),
    );
    bench.tasks.define("job", async (ctx) => {
      ctx.random();
      await ctx.step("a", () => void log.push("run a"));
      await Promise.all([ctx.step("b", () => void log.push("run b")), ctx.step("c", () => void log.push("run c"))]);
      await ctx.step("d", () => void log.push("run d"));
    });
    const node = bench.start();
    await node.enqueue("job");
    await bench.clock.settle();
    expect(log).toEqual(["save random()", "run a", "save a", "run b", "run c", "save b", "save c", "run d", "save d"]);
    await node.stop();
  });

  test("a save whose reply is lost is resent with the same op, and written once", async () => {
    const ops: string[] = [];
    let lose = 2;
    const bench = new Bench(
      spoiled((method, request) => {
        if (method !== "save") return "pass";
        ops.push((request as SaveRequest).op);
        return lose-- > 0 ? "lose-reply" : "pass";
      }),
    );
    bench.tasks.define("job", async (ctx) => ctx.step("a", () => 1));
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("5s");
    expect(new Set(ops).size).toBe(1);
    expect(ops).toHaveLength(3);
    expect(await node.job(id)).toMatchObject({ state: "completed", output: 1, claims: 1 });
    await node.stop();
  });

  test("a write that the database refuses delays no other job", async () => {
    let bad = "";
    const bench = new Bench(
      spoiled((method, request) =>
        method === "save" && (request as SaveRequest).writes.some((write) => write.id === bad) ? "lose" : "pass",
      ),
    );
    bench.tasks.define("job", (ctx) => ctx.step("a", () => 1));
    const node = bench.node();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await node.enqueue("job")).id);
    bad = ids[2]!;
    node.start();
    await bench.clock.advance("10s");
    const states = await Promise.all(ids.map(async (id) => (await node.job(id)).state));
    expect(states.filter((state) => state === "completed")).toHaveLength(4);
    await bench.clock.advance("2m");
    node.crash();
  });

  test("jobs go on after an outage of the storage that is shorter than the claim time", async () => {
    let down = false;
    const bench = new Bench(spoiled(() => (down ? "lose" : "pass")));
    let ran = 0;
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("a", () => {
        ran++;
        down = true;
      });
      return ctx.step("b", () => "b");
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("20s");
    expect(ran).toBe(1);
    down = false;
    await bench.clock.advance("10s");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "b", claims: 1 });
    expect(ran).toBe(1);
    await node.stop();
  });
});

describe("shutdown", () => {
  test("a worker that shuts down gives back jobs between steps, waits for running steps, and counts no attempt", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    bench.tasks.define("job", async (ctx) => {
      for (let i = 0; i < 5; i++) {
        await ctx.step(`s${i}`, async () => {
          await new Promise<void>((resolve) => void bench.clock.setTimer(1_000, resolve));
          ran.push(`s${i}`);
        });
      }
      return "done";
    });
    const node = bench.start({ drainMs: 10_000 });
    const { id } = await node.enqueue("job");
    await bench.clock.advance(1_500);
    const released = node.record("job:released");
    const stopping = node.stop();
    await bench.clock.advance(600);
    await stopping;
    expect(released).toHaveLength(1);
    expect(await node.job(id)).toMatchObject({ state: "ready", attempt: 1 });
    const other = bench.start();
    await bench.clock.advance("10s");
    expect(await other.job(id)).toMatchObject({ state: "completed", attempt: 1, claims: 2 });
    expect(ran).toEqual(["s0", "s1", "s2", "s3", "s4"]);
    await other.stop();
  });

  test("a worker that shuts down aborts steps that outlast the time to drain, and gives their jobs back", async () => {
    const bench = new Bench();
    let reason: unknown;
    bench.tasks.define("job", async (ctx) => {
      ctx.signal.addEventListener("abort", () => {
        reason = (ctx.signal.reason as { code: string }).code;
      });
      await ctx.step("done", () => 1);
      await ctx.step("hang", hang);
    });
    const node = bench.start({ drainMs: 5_000 });
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    const stopping = node.stop();
    await bench.clock.advance("5s");
    await stopping;
    expect(reason).toBe("CLOSED");
    expect(await node.job(id)).toMatchObject({ state: "ready", attempt: 1, steps: [{ name: "done" }] });
    expect(bench.clock.timers).toBe(0);
  });
});

describe("runReady()", () => {
  test("runReady() runs what is ready and says when the next job can be claimed", async () => {
    const bench = new Bench();
    bench.tasks.define("job", () => 1);
    bench.tasks.define("nap", (ctx) => ctx.sleep("nap", "1h"));
    const node = bench.node({ concurrency: 3 });
    for (let i = 0; i < 10; i++) await node.enqueue("job");
    await node.enqueue("nap");
    const done = node.worker.runReady();
    await bench.clock.settle();
    expect(await done).toEqual({ ran: 11, more: false, nextAt: bench.clock.now() + 3_600_000 });
  });

  test("runReady() gives back running jobs when its time is over, and says that work is left", async () => {
    const bench = new Bench();
    bench.tasks.define("job", (ctx) => ctx.step("hang", hang));
    const node = bench.node({ drainMs: 1_000 });
    const { id } = await node.enqueue("job");
    const done = node.worker.runReady({ untilMs: bench.clock.monotonic() + 5_000 });
    await bench.clock.advance("7s");
    expect(await done).toMatchObject({ more: true });
    expect((await node.job(id)).state).toBe("ready");
  });
});

describe("unknown tasks", () => {
  test("jobs of an unknown task stay ready for a worker that knows it, and are reported once with the nearest name", async () => {
    const bench = new Bench();
    const knows = new TaskRegistry();
    knows.define("report", () => "done");
    const ignorant = new TaskRegistry();
    ignorant.define("rapport", () => "wrong");
    const node = bench.start({ tasks: ignorant });
    const { id } = await node.enqueue("report");
    await bench.clock.advance("10m");
    await node.enqueue("rapport");
    await bench.clock.advance("10m");
    await node.enqueue("rapport");
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "ready", attempt: 0 });
    expect(node.errors.map(String)).toEqual([expect.stringMatching(/task "report".*did you mean "rapport"/)]);
    const other = bench.start({ tasks: knows });
    await bench.clock.settle();
    expect((await other.job(id)).state).toBe("completed");
    await node.stop();
    await other.stop();
  });
});
