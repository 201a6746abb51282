/** Child jobs: invoked, side by side, failing, cancelled, spawned; and exactly one for each call, whatever crashes. */
import { describe, expect, test } from "vitest";
import { childId } from "../../src/execution/child_id.ts";
import { cancelJob } from "../../src/job/control.ts";
import { retryJob } from "../../src/job/retry.ts";
import { listJobs } from "../../src/job/view.ts";
import { FatalError } from "../../src/task/retry.ts";
import { Bench } from "./harness.ts";

describe("invoke()", () => {
  test("gives the child's output, typed by its task", async () => {
    const bench = new Bench();
    const square = bench.tasks.define("square", (_ctx, input: { n: number }) => input.n ** 2);
    bench.tasks.define("job", async (ctx) => {
      const first: number = await ctx.invoke("first", square, { n: 3 });
      const second: number = await ctx.invoke("second", "square", { n: first });
      return second;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).output).toBe(81);
    await node.stop();
  });

  test("runs children side by side with Promise.all, across any number of workers", async () => {
    const bench = new Bench();
    const square = bench.tasks.define("square", async (ctx, input: { n: number }) => {
      await ctx.sleep("work", "1h");
      return input.n ** 2;
    });
    bench.tasks.define("job", async (ctx) => {
      const all = await Promise.all(Array.from({ length: 20 }, (_, n) => ctx.invoke(`n${n}`, square, { n })));
      return all.reduce((sum, n) => sum + n, 0);
    });
    const nodes = [bench.start(), bench.start(), bench.start()];
    const { id } = await nodes[0]!.enqueue("job");
    await bench.clock.advance("1h");
    await bench.clock.settle();
    expect((await nodes[0]!.job(id)).output).toBe(2_470);
    expect(await listJobs(nodes[0]!.engine, { parentId: id, limit: 100 })).toHaveLength(20);
    for (const node of nodes) await node.stop();
  });

  test("throws JOB_FAILED with the child's error as its cause, and the parent fails without further attempts", async () => {
    const bench = new Bench();
    let tries = 0;
    bench.tasks.define(
      "bad",
      () => {
        tries++;
        throw Object.assign(new Error("no funds"), { code: "E_FUNDS" });
      },
      { retry: { maxAttempts: 2, initial: 0 } },
    );
    bench.tasks.define("job", async (ctx) => ctx.invoke("pay", "bad"));
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1m");
    const job = await node.job(id);
    expect(job).toMatchObject({
      state: "failed",
      attempt: 1,
      error: { code: "JOB_FAILED", step: "pay", cause: { message: "no funds", code: "E_FUNDS" } },
    });
    expect(tries).toBe(2);
    await node.stop();
  });

  test("rejects for a failed child; a parent that catches it goes on", async () => {
    const bench = new Bench();
    bench.tasks.define("bad", () => Promise.reject(new Error("no")), { retry: false });
    bench.tasks.define("job", async (ctx) => {
      const results = await Promise.allSettled([ctx.invoke("a", "bad"), ctx.step("b", () => 1)]);
      await ctx.sleep("later", "1h");
      return results.map((result) => result.status);
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect((await node.job(id)).output).toEqual(["rejected", "fulfilled"]);
    await node.stop();
  });

  test("retry() of the parent puts the failed child back as well; both go on from their saved steps", async () => {
    const bench = new Bench();
    let mended = false;
    const ran: string[] = [];
    bench.tasks.define(
      "child",
      async (ctx) => {
        await ctx.step("prepare", () => void ran.push("prepare"));
        return ctx.step("pay", () => {
          if (!mended) throw new Error("no");
          return "paid";
        });
      },
      { retry: false },
    );
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("first", () => void ran.push("first"));
      return ctx.invoke("child", "child");
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).state).toBe("failed");
    mended = true;
    expect(await retryJob(node.engine, id)).toHaveLength(2);
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "paid" });
    expect(ran).toEqual(["first", "prepare"]);
    await node.stop();
  });

  test("retry() of a job that was cancelled, or failed beside a running child, puts its cancelled children back", async () => {
    const bench = new Bench();
    let broken = true;
    bench.tasks.define("slow", async (ctx) => {
      await ctx.sleep("work", "1h");
      return "worked";
    });
    bench.tasks.define("job", async (ctx) => {
      const work = ctx.invoke<string>("slow", "slow");
      await ctx.step("check", () => {
        if (broken) throw new FatalError("broken");
      });
      return work;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).state).toBe("failed");
    broken = false;
    expect(await retryJob(node.engine, id)).toHaveLength(2);
    await bench.clock.settle();
    expect(await cancelJob(node.engine, id)).toHaveLength(2);
    expect(await retryJob(node.engine, id)).toHaveLength(2);
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "worked" });
    await node.stop();
  });

  test("makes one child for each call, wherever the worker dies", async () => {
    for (let calls = 0; calls < 6; calls++) {
      for (const arrives of [false, true]) {
        const bench = new Bench();
        let ran = 0;
        bench.tasks.define("child", () => ++ran);
        bench.tasks.define("job", async (ctx) => {
          await ctx.step("before", () => 1);
          await ctx.invoke("child", "child");
          return ctx.step("after", () => "after");
        });
        const dead = bench.node();
        const { id } = await bench.node().enqueue("job");
        dead.crashAfter(calls, arrives);
        dead.start();
        await bench.clock.settle();
        dead.crash();
        const node = bench.start();
        await bench.clock.advance("2m");
        const job = await node.job(id);
        expect(job, `crash at ${calls}, ${arrives}`).toMatchObject({ state: "completed", output: "after" });
        expect(await listJobs(node.engine, { parentId: id, limit: 10 })).toHaveLength(1);
        await node.stop();
      }
    }
  });

  test("rejects for an input that does not fit the child's task, and enqueues nothing", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => ctx.invoke("child", "child", { big: 1n }));
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({
      state: "failed",
      attempt: 1,
      error: { code: "PAYLOAD_UNSERIALIZABLE" },
    });
    expect(await listJobs(node.engine, { task: "child", limit: 10 })).toEqual([]);
    await node.stop();
  });
});

describe("cancelling", () => {
  test("of a job cancels its children and grandchildren, and their signals abort", async () => {
    const bench = new Bench();
    const aborted: string[] = [];
    for (const [name, below] of [
      ["a", "b"],
      ["b", "c"],
    ] as const) {
      bench.tasks.define(name, async (ctx) => ctx.invoke("below", below));
    }
    bench.tasks.define("c", async (ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.push(String((ctx.signal.reason as { code?: string }).code)));
      await ctx.step("long", () => new Promise(() => {}));
    });
    const node = bench.start();
    const handle = await node.enqueue("a");
    await bench.clock.settle();
    expect(await cancelJob(node.engine, handle.id)).toHaveLength(3);
    await expect(handle.result()).rejects.toMatchObject({ code: "JOB_CANCELLED" });
    await bench.clock.settle();
    expect(aborted).toEqual(["JOB_CANCELLED"]);
    expect(node.worker.running).toBe(0);
    await expect(cancelJob(node.engine, "nobody")).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    expect(await cancelJob(node.engine, handle.id)).toEqual([]);
    await node.stop();
  });

  test("aborts a job that another process runs at its next heartbeat", async () => {
    const bench = new Bench();
    let reason: { code?: string } = {};
    bench.tasks.define("job", async (ctx) => {
      ctx.signal.addEventListener("abort", () => {
        reason = ctx.signal.reason as { code: string };
      });
      await ctx.step("long", () => new Promise(() => {}));
    });
    const node = bench.start();
    const other = bench.node();
    const { id } = await other.enqueue("job");
    await bench.clock.settle();
    await cancelJob(other.engine, id);
    await bench.clock.advance("10s");
    expect(reason.code).toBe("CLAIM_LOST");
    expect(node.worker.running).toBe(0);
    await node.stop();
  });

  test("a parent that fails has its unfinished children cancelled", async () => {
    const bench = new Bench();
    bench.tasks.define("slow", async (ctx) => ctx.sleep("long", "1d"));
    bench.tasks.define(
      "job",
      async (ctx) => {
        await Promise.all([
          ctx.invoke("slow", "slow"),
          ctx.sleep("a while", "1h").then(() => Promise.reject(new Error("enough"))),
        ]);
      },
      { retry: false },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    expect((await node.job(id)).state).toBe("failed");
    const [child] = await listJobs(node.engine, { parentId: id, limit: 10 });
    expect(child!.state).toBe("cancelled");
    await node.stop();
  });
});

describe("spawn()", () => {
  test("enqueues one job, which goes on when the job that spawned it is over", async () => {
    const bench = new Bench();
    bench.tasks.define("detached", async (ctx, input: { n: number }) => {
      await ctx.sleep("long", "1d");
      return input.n;
    });
    bench.tasks.define("job", async (ctx) => {
      const id = await ctx.spawn("start", "detached", { n: 7 });
      await ctx.sleep("pause", "1h");
      return id;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2d");
    const spawned = (await node.job(id)).output as string;
    expect(await node.job(spawned)).toMatchObject({ state: "completed", output: 7, parentId: null });
    expect(await listJobs(node.engine, { task: "detached", limit: 10 })).toHaveLength(1);
    await node.stop();
  });
});

describe("ids of children", () => {
  test("depend on parent and step, and sort with the parent", () => {
    const parent = "01890000-aaaa-7abc-8def-0123456789ab";
    expect(childId(parent, "a")).toMatch(/^01890000-aaaa-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set([childId(parent, "a"), childId(parent, "b"), childId(`${parent}x`, "a")]).size).toBe(3);
    expect(childId(parent, "a")).toBe(childId(parent, "a"));
  });
});
