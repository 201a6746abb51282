/** Each fault of Resonate and honker in PEERS.md that concerns execution: here it must not happen. */
import { describe, expect, test } from "vitest";
import { signalJob } from "../../src/job/control.ts";
import { retryJob } from "../../src/job/retry.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import { Bench } from "./harness.ts";

const later = (bench: Bench, ms: number): Promise<void> =>
  new Promise((resolve) => void bench.clock.setTimer(ms, resolve));

describe("Resonate", () => {
  test("1: a step longer than the claim completes, entered once", async () => {
    const bench = new Bench();
    let entered = 0;
    bench.tasks.define("job", async (ctx) =>
      ctx.step("long", async () => {
        entered++;
        await later(bench, 10 * 60_000);
        return "done";
      }),
    );
    const nodes = [bench.start({ claimTtlMs: 2_000 }), bench.start({ claimTtlMs: 2_000 })];
    const { id } = await nodes[0]!.enqueue("job");
    await bench.clock.advance("11m");
    expect(entered).toBe(1);
    expect(await nodes[0]!.job(id)).toMatchObject({ state: "completed", output: "done" });
    for (const node of nodes) await node.stop();
  });

  test("2: what runs is kept alive whoever began it: a job invoked by another is renewed as well", async () => {
    const bench = new Bench();
    let entered = 0;
    bench.tasks.define("long", async (ctx) =>
      ctx.step("long", async () => {
        entered++;
        await later(bench, 10 * 60_000);
      }),
    );
    bench.tasks.define("job", async (ctx) => {
      await Promise.all([ctx.invoke("a", "long"), ctx.invoke("b", "long")]);
    });
    const nodes = [bench.start({ claimTtlMs: 2_000 }), bench.start({ claimTtlMs: 2_000 })];
    const { id } = await nodes[0]!.enqueue("job");
    await bench.clock.advance("11m");
    expect(entered).toBe(2);
    expect((await nodes[0]!.job(id)).state).toBe("completed");
    for (const node of nodes) await node.stop();
  });

  test("3: after kill -9 recovery takes the claim time and one second, not a minute", async () => {
    const bench = new Bench();
    let recovered = 0;
    bench.tasks.define("job", async (ctx) => {
      if (ctx.job.attempt === 1) await new Promise(() => {});
      recovered = bench.clock.now();
    });
    const dead = bench.start({ claimTtlMs: 2_000 });
    await dead.enqueue("job");
    await bench.clock.settle();
    dead.crash();
    const start = bench.clock.now();
    const node = bench.start({ claimTtlMs: 2_000 });
    await bench.clock.advance("10s");
    expect(recovered - start).toBeGreaterThan(0);
    expect(recovered - start).toBeLessThanOrEqual(3_000);
    await node.stop();
  });

  test("4: two steps that were swapped are an error with both names, never each other's values", async () => {
    const bench = new Bench();
    const before = new TaskRegistry();
    before.define("job", async (ctx) => {
      const price = await ctx.step("price", () => 100);
      const count = await ctx.step("count", () => 2);
      await ctx.sleep("nap", "1h");
      return { price, count };
    });
    const after = new TaskRegistry();
    after.define("job", async (ctx) => {
      const count = await ctx.step("count", () => 2);
      const price = await ctx.step("price", () => 100);
      await ctx.sleep("nap", "1h");
      return { price, count };
    });
    const old = bench.start({ tasks: before });
    const { id } = await old.enqueue("job");
    await bench.clock.settle();
    await old.stop();
    const node = bench.start({ tasks: after });
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({
      state: "failed",
      error: { code: "REPLAY_MISMATCH", message: expect.stringMatching(/"price".*"count"/) },
    });
    await node.stop();
    const back = bench.start({ tasks: before });
    await retryJob(back.engine, id);
    await bench.clock.settle();
    expect((await back.job(id)).output).toEqual({ price: 100, count: 2 });
    await back.stop();
  });

  test("9: a policy that a job brings with it holds on every worker, over the task's own", async () => {
    const bench = new Bench();
    let tries = 0;
    bench.tasks.define(
      "job",
      () => {
        tries++;
        throw new Error("no");
      },
      { retry: 1 },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job", undefined, { retry: { maxAttempts: 3, initial: "1s", jitter: "none" } });
    await bench.clock.advance("1m");
    expect(tries).toBe(3);
    expect((await node.job(id)).attempt).toBe(3);
    await node.stop();
  });

  test("11: no default time limit clamps a sleep: sleep(48h) finishes", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.sleep("two days", "48h");
      return "awake";
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("48h");
    expect((await node.job(id)).output).toBe("awake");
    await node.stop();
  });

  test("12: sleep(100 ms) takes 100 ms, alone and a hundred side by side", async () => {
    const bench = new Bench();
    const late: number[] = [];
    bench.tasks.define("job", async (ctx) => {
      const start = bench.clock.now();
      await ctx.sleep("nap", 100);
      late.push(bench.clock.now() - start - 100);
    });
    const node = bench.start({ concurrency: 100 });
    for (let i = 0; i < 100; i++) await node.enqueue("job");
    await bench.clock.advance("1s");
    expect(late).toHaveLength(100);
    expect(Math.max(...late)).toBeLessThan(50);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    await node.stop();
  });

  test("13: attempts survive a crash", async () => {
    const bench = new Bench();
    const attempts: number[] = [];
    bench.tasks.define(
      "job",
      async (ctx) => {
        attempts.push(ctx.job.attempt);
        await new Promise(() => {});
      },
      { retry: 3 },
    );
    for (let i = 0; i < 5; i++) {
      const node = bench.start();
      if (i === 0) await node.enqueue("job");
      await bench.clock.advance("31s");
      node.crash();
    }
    expect(attempts).toEqual([1, 2, 3]);
  });

  test("specification: a settled record never changes, whatever comes late", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => ctx.waitFor("go"));
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    await signalJob(node.engine, id, "go", 1);
    await bench.clock.settle();
    const before = await bench.storage.getJob({ id });
    const token = before!.claimToken ?? "token-0";
    await bench.storage.save({
      op: "late",
      now: bench.clock.now(),
      claimMs: 1,
      writes: [{ id, token, steps: [], forget: [], children: [], transition: { to: "failed", error: "{}" } }],
    });
    await expect(signalJob(node.engine, id, "go", 2)).rejects.toMatchObject({ code: "JOB_STATE" });
    expect(await bench.storage.getJob({ id })).toEqual(before);
    await node.stop();
  });

  test("specification: a resume past the job's own time limit ends it", async () => {
    const bench = new Bench();
    let after = 0;
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.sleep("nap", "1h");
        await ctx.step("hang", async ({ signal }) => {
          await later(bench, 60_000);
          if (!signal.aborted) after++;
        });
      },
      { timeout: "10s", retry: false },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({ state: "failed", error: { code: "JOB_TIMEOUT" } });
    expect(after).toBe(0);
    await node.stop();
  });
});

describe("honker", () => {
  test("11a: a stale handle cannot win over the new attempt", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => (ctx.job.attempt === 1 ? new Promise(() => {}) : "second"));
    const dead = bench.start();
    const { id } = await dead.enqueue("job");
    await bench.clock.settle();
    const { claimToken } = (await bench.storage.getJob({ id }))!;
    dead.crash();
    const node = bench.start();
    await bench.clock.advance("31s");
    const transition = { to: "completed", result: '"stale"' } as const;
    const writes = [{ id, token: claimToken!, steps: [], forget: [], children: [], transition }];
    const reply = await bench.storage.save({ op: "stale", now: bench.clock.now(), claimMs: 1, writes });
    expect(reply.saved).toEqual([]);
    expect((await node.job(id)).output).toBe("second");
    await node.stop();
  });

  test("11b: a claimed job whose expiry passes while it runs is not stuck: it completes", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("long", () => later(bench, 120_000));
      await ctx.sleep("nap", "1h");
      return "done";
    });
    const node = bench.start();
    const { id } = await node.enqueue("job", undefined, { expiresIn: "1m" });
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "done" });
    await node.stop();
  });

  test("11c: renewal is automatic: a job of an hour runs once with a claim of 30 s", async () => {
    const bench = new Bench();
    let ran = 0;
    bench.tasks.define("job", async () => {
      ran++;
      await later(bench, 3_600_000);
    });
    const nodes = [bench.start(), bench.start()];
    await nodes[0]!.enqueue("job");
    await bench.clock.advance("2h");
    expect(ran).toBe(1);
    for (const node of nodes) await node.stop();
  });

  test("4: a job knows its occurrence", async () => {
    const bench = new Bench();
    const seen: unknown[] = [];
    bench.tasks.define("job", (ctx) => void seen.push([ctx.job.schedule, ctx.job.scheduledAt]));
    const node = bench.start();
    const at = bench.clock.now() - 3_600_000;
    await bench.storage.enqueue({
      op: "fire",
      now: bench.clock.now(),
      jobs: [
        {
          id: "fired",
          task: "job",
          queue: "default",
          priority: 0,
          availableAt: at,
          expiresAt: null,
          key: null,
          input: "",
          options: "{}",
          schedule: "hourly",
          scheduledAt: at,
          parentId: null,
          limit: null,
        },
      ],
    });
    await bench.clock.settle();
    expect(seen).toEqual([["hourly", at]]);
    await node.stop();
  });
});
