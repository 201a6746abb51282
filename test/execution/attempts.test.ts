/** Attempts of a job: which of them count, when they are used up, what a failed job keeps, and the job's timeout. */
import { describe, expect, test } from "vitest";
import { retryJobs } from "../../src/job/many.ts";
import { retryJob } from "../../src/job/retry.ts";
import { FatalError, type RetryOptions } from "../../src/task/retry.ts";
import { Bench } from "./harness.ts";

const later = (bench: Bench, ms: number): Promise<void> =>
  new Promise((resolve) => void bench.clock.setTimer(ms, resolve));
const EXACT: RetryOptions = { maxAttempts: 3, initial: "1m", backoff: "constant", jitter: "none" };

describe("attempts", () => {
  test("end the job when maxAttempts of them threw, whatever steps they finished", async () => {
    const bench = new Bench();
    const seen: number[] = [];
    const ran: string[] = [];
    bench.tasks.define(
      "job",
      async (ctx) => {
        seen.push(ctx.job.attempt);
        await ctx.step(`s${ctx.job.attempt > 0 ? 1 : 0}`, () => void ran.push("s1"));
        await ctx.step("bad", () => Promise.reject(new Error(`attempt ${ctx.job.attempt}`)));
      },
      { retry: EXACT },
    );
    const node = bench.start();
    const retried = node.record("job:retried");
    const failed = node.record("job:failed");
    const { id } = await node.enqueue("job");
    await bench.clock.advance("10m");
    expect(seen).toEqual([1, 2, 3]);
    expect(ran).toEqual(["s1"]);
    expect(await node.job(id)).toMatchObject({ state: "failed", attempt: 3, error: { message: "attempt 3" } });
    expect(retried.map((event) => event.availableAt - Date.parse("2026-01-01T00:00:00Z"))).toEqual([60_000, 120_000]);
    expect(failed).toHaveLength(1);
    await node.stop();
  });

  test("are counted over workers: a failure on one and crashes of others add up", async () => {
    const bench = new Bench();
    const attempts: number[] = [];
    bench.tasks.define(
      "job",
      async (ctx) => {
        attempts.push(ctx.job.attempt);
        if (ctx.job.attempt === 1) throw new Error("first");
        await ctx.step("hang", () => new Promise(() => {}));
      },
      { retry: EXACT },
    );
    for (let i = 0; i < 3; i++) {
      const node = bench.start();
      if (i === 0) await node.enqueue("job");
      await bench.clock.advance("2m");
      node.crash();
    }
    const last = bench.start();
    await bench.clock.advance("2m");
    expect(attempts).toEqual([1, 2, 3]);
    const [job] = await last.engine.storage.listJobs({ limit: 1 });
    expect(job).toMatchObject({ state: "failed" });
    expect(JSON.parse(job!.error!)).toMatchObject({ code: "CLAIM_LOST", cause: { message: "first" } });
    await last.stop();
  });

  test("a job that kills its worker in the same place each time fails after its attempts", async () => {
    const bench = new Bench();
    let killed = 0;
    let victim: { crash: () => void };
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("fine", () => 1);
        await ctx.step("poison", () => {
          killed++;
          victim.crash();
          return new Promise(() => {});
        });
      },
      { retry: EXACT },
    );
    const enqueuer = bench.node();
    const { id } = await enqueuer.enqueue("job");
    for (let i = 0; i < 6; i++) {
      victim = bench.start();
      await bench.clock.advance("31s");
    }
    // The first crash came after a new step ("fine") and does not count; the three after it do.
    expect(killed).toBe(4);
    const job = await enqueuer.job(id);
    expect(job).toMatchObject({ state: "failed", error: { code: "CLAIM_LOST" } });
    expect(job.error!.message).toContain("3 attempts");
  });

  test("a crash does not count when its attempt had finished a new step", async () => {
    const bench = new Bench();
    let victim: { crash: () => void } | undefined;
    bench.tasks.define(
      "job",
      async (ctx) => {
        for (let i = 0; i < 20; i++) {
          await ctx.step(`s${i}`, () => i);
          const now = victim;
          await ctx.step(`crash${i}`, ({ tries }) => {
            if (ctx.job.attempt === i + 1 && tries === 1) {
              now?.crash();
              return new Promise<number>(() => {});
            }
            return i;
          });
        }
        return "through";
      },
      { retry: 2 },
    );
    const enqueuer = bench.node();
    const { id } = await enqueuer.enqueue("job");
    for (let i = 0; i < 22; i++) {
      victim = bench.start();
      await bench.clock.advance("31s");
    }
    expect(await enqueuer.job(id)).toMatchObject({ state: "completed", output: "through", attempt: 21 });
  });

  test("a job put back by another engine gives its new result to the engine in which it had failed", async () => {
    const bench = new Bench();
    let broken = true;
    bench.tasks.define(
      "mend",
      () => {
        if (broken) throw new Error("broken");
        return "whole";
      },
      { retry: false },
    );
    const [here, there] = [bench.start(), bench.node()];
    const handle = await here.enqueue("mend");
    await bench.clock.settle();
    expect((await here.job(handle.id)).state).toBe("failed");
    await here.stop();
    broken = false;
    await retryJob(there.engine, handle.id);
    await there.worker.runReady();
    expect(await handle.result()).toBe("whole");
  });

  test("are counted anew after retry(), which keeps the saved steps", async () => {
    const bench = new Bench();
    let broken = true;
    const ran: string[] = [];
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("load", () => void ran.push("load"));
        await ctx.step("write", () => {
          ran.push("write");
          if (broken) throw new Error("disk full");
        });
      },
      { retry: { ...EXACT, maxAttempts: 2 } },
    );
    const node = bench.start();
    const handle = await node.enqueue("job");
    await bench.clock.advance("1m");
    expect((await node.job(handle.id)).state).toBe("failed");
    broken = false;
    expect(await retryJob(node.engine, handle.id)).toEqual([handle.id]);
    await bench.clock.settle();
    expect(await node.job(handle.id)).toMatchObject({ state: "completed", attempt: 1 });
    expect(await handle.result()).toBeUndefined();
    expect(ran).toEqual(["load", "write", "write", "write"]);
    await expect(retryJob(node.engine, handle.id)).rejects.toMatchObject({ code: "JOB_STATE" });
    await node.stop();
  });

  test("after retry() every crash counts that finished no step since", async () => {
    const bench = new Bench();
    let victim: { crash: () => void } | undefined;
    let crashes = 0;
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("saved before", () => 1);
        await ctx.step("fails, then crashes", () => {
          if (!victim) throw new Error("down");
          crashes++;
          victim.crash();
          return new Promise(() => {});
        });
      },
      { retry: { ...EXACT, maxAttempts: 2 } },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1m");
    expect((await node.job(id)).state).toBe("failed");
    await node.stop();
    await retryJob(node.engine, id);
    for (let i = 0; i < 4; i++) {
      victim = bench.start();
      await bench.clock.advance("31s");
    }
    expect(crashes).toBe(2);
    expect(await node.job(id)).toMatchObject({ state: "failed", error: { code: "CLAIM_LOST" } });
  });

  test("retryMany() puts back many, and a dry run tells which", async () => {
    const bench = new Bench();
    let broken = true;
    bench.tasks.define("job", () => {
      if (broken) throw new FatalError("down");
    });
    const node = bench.start();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await node.enqueue("job")).id);
    await bench.clock.settle();
    broken = false;
    const newest = ids.toReversed();
    expect(await retryJobs(node.engine, {}, { dryRun: true })).toEqual(newest);
    expect(await retryJobs(node.engine, { limit: 2 })).toEqual(newest.slice(0, 2));
    expect(await retryJobs(node.engine, { task: "job" })).toHaveLength(3);
    await bench.clock.settle();
    expect((await node.engine.storage.listJobs({ states: ["completed"], limit: 10 })).length).toBe(5);
    await expect(retryJobs(node.engine, { states: ["running"] })).rejects.toMatchObject({ code: "JOB_STATE" });
    await node.stop();
  });

  test("a failed job keeps name, message, code, stack, cause and details of its error", async () => {
    const bench = new Bench();
    class HttpError extends Error {
      override name = "HttpError";
      status = 503;
      code = "E_HTTP";
    }
    bench.tasks.define(
      "job",
      () => {
        throw new HttpError("bad gateway", { cause: new Error("socket closed") });
      },
      { retry: false },
    );
    const node = bench.start();
    const handle = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(handle.id)).error).toMatchObject({
      name: "HttpError",
      message: "bad gateway",
      code: "E_HTTP",
      details: { status: 503 },
      stack: expect.stringContaining("attempts.test.ts"),
      cause: { message: "socket closed" },
    });
    await expect(handle.result()).rejects.toMatchObject({
      code: "JOB_FAILED",
      cause: { name: "HttpError", status: 503, code: "E_HTTP" },
    });
    await node.stop();
  });

  test("a thrown value that is no error fails the attempt, too", async () => {
    const bench = new Bench();
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    for (const [i, thrown] of [undefined, null, "text", 5n, cyclic, Symbol("s")].entries()) {
      bench.tasks.define(`job${i}`, () => Promise.reject(thrown), { retry: false });
      const node = bench.start();
      const { id } = await node.enqueue(`job${i}`);
      await bench.clock.settle();
      expect(await node.job(id)).toMatchObject({
        state: "failed",
        error: { message: expect.stringContaining("non-error") },
      });
      await node.stop();
    }
  });

  test("a retry policy given to enqueue() holds on every worker, over the task's own", async () => {
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

  test("crashes alone use attempts up, too: a job that hangs in each of three workers is not run a fourth time", async () => {
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
});

describe("job timeout", () => {
  test("limits one run, aborts ctx.signal and is JOB_TIMEOUT, even if the handler ignores it; waiting does not count", async () => {
    const bench = new Bench();
    const reasons: unknown[] = [];
    bench.tasks.define(
      "job",
      async (ctx) => {
        await ctx.step("quick", () => 1);
        await ctx.sleep("long", "1h");
        ctx.signal.addEventListener("abort", () => reasons.push((ctx.signal.reason as { code: string }).code));
        await new Promise(() => {});
      },
      { timeout: "10s", retry: { ...EXACT, maxAttempts: 2 } },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    await bench.clock.advance("9s");
    expect((await node.job(id)).state).toBe("running");
    await bench.clock.advance("1s");
    expect(await node.job(id)).toMatchObject({ state: "ready", error: { code: "JOB_TIMEOUT" } });
    await bench.clock.advance("2m");
    expect(await node.job(id)).toMatchObject({ state: "failed", attempt: 2, error: { code: "JOB_TIMEOUT" } });
    expect(reasons).toEqual(["JOB_TIMEOUT", "JOB_TIMEOUT"]);
    await node.stop();
  });

  test("is counted anew in the run after a sleep, and ends a step that hangs there", async () => {
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
