/** Claims of jobs that run: renewed while the worker lives, taken over when it dies, refused when they are old. */
import { describe, expect, test } from "vitest";
import { signalJob } from "../../src/job/control.ts";
import { Bench } from "./harness.ts";

const later = (bench: Bench, ms: number): Promise<void> =>
  new Promise((resolve) => void bench.clock.setTimer(ms, resolve));

describe("a claim is renewed", () => {
  test("for a step that takes longer than the claim: it runs once, while another worker looks for jobs", async () => {
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

  test("for a job that another job invoked", async () => {
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

  test("without the handler's help: a job of an hour runs once with a claim time of 30 s", async () => {
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
});

describe("a claim of a dead or slow worker", () => {
  test("ends after the claim time: another worker has the job within a second more", async () => {
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

  test("saves nothing once another worker has the job, whose result stays", async () => {
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
});

describe("a job that has begun", () => {
  test("does not expire: it runs on, resumes and completes", async () => {
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

  test("and is over never changes: a late write and a late signal are refused", async () => {
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
});
