/** Attempts: policies, their count over failures and crashes, poison, steps with tries of their own, what is forgotten. */
import { describe, expect, test } from "vitest";
import { retryJobs } from "../../src/job/many.ts";
import { retryJob } from "../../src/job/retry.ts";
import {
  DEFAULT_RETRY,
  FatalError,
  parseRetry,
  RetryLater,
  type RetryOptions,
  retryDelayMs,
} from "../../src/task/retry.ts";
import { Bench } from "./harness.ts";

const EXACT: RetryOptions = { maxAttempts: 3, initial: "1m", backoff: "constant", jitter: "none" };

describe("retryDelayMs()", () => {
  const error = new Error("x");
  const delays = (options: RetryOptions, count: number): (number | null)[] =>
    Array.from({ length: count }, (_, i) =>
      retryDelayMs(parseRetry({ jitter: "none", ...options }, "t"), { attempt: i + 1, error }, () => 0.5),
    );

  test("grows as its policy says and ends at its attempts", () => {
    expect(delays({ maxAttempts: 5 }, 5)).toEqual([1_000, 3_000, 9_000, 27_000, null]);
    expect(delays({ maxAttempts: 4, backoff: "linear", initial: "2s" }, 4)).toEqual([2_000, 4_000, 6_000, null]);
    expect(delays({ maxAttempts: 3, backoff: "constant", initial: 70 }, 3)).toEqual([70, 70, null]);
    expect(delays({ maxAttempts: 9, max: "5s" }, 4)).toEqual([1_000, 3_000, 5_000, 5_000]);
  });

  test("full jitter draws evenly from zero to the delay", () => {
    const of = (drawn: number): number | null => retryDelayMs(DEFAULT_RETRY, { attempt: 2, error }, () => drawn);
    expect([of(0), of(0.5), of(0.999)]).toEqual([0, 1_500, 2_997]);
  });

  test("FatalError ends, RetryLater says when, a function decides", () => {
    const random = (): number => 0;
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 1, error: new FatalError("x") }, random)).toBeNull();
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 1, error: new RetryLater("5m") }, random)).toBe(300_000);
    expect(retryDelayMs(DEFAULT_RETRY, { attempt: 5, error: new RetryLater("5m") }, random)).toBeNull();
    expect(retryDelayMs(({ attempt }) => (attempt < 3 ? `${attempt}s` : null), { attempt: 2, error }, random)).toBe(
      2_000,
    );
    expect(
      retryDelayMs(({ attempt }) => (attempt < 3 ? `${attempt}s` : null), { attempt: 3, error }, random),
    ).toBeNull();
  });

  test.each<[string, RetryOptions]>([
    ["maxAttempts", { maxAttempts: 0 }],
    ["maxAttempts", { maxAttempts: 1.5 }],
    ["factor", { factor: 0.5 }],
    ["jitter", { jitter: "half" as "full" }],
    ["backoff", { backoff: "wild" as "linear" }],
  ])("refuses a bad %s", (name, options) => {
    expect(() => parseRetry(options, "task")).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) }),
    );
  });
});

describe("attempts", () => {
  test("a thrown error counts always: maxAttempts 3 means three, whatever steps were finished", async () => {
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

  test("survive the worker: a failure here and a crash there add up", async () => {
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

  test("poison: a job that kills each worker in one place ends failed after its attempts", async () => {
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
    // The first crash came after progress ("fine"), so it is forgiven; three in one place are not.
    expect(killed).toBe(4);
    const job = await enqueuer.job(id);
    expect(job).toMatchObject({ state: "failed", error: { code: "CLAIM_LOST" } });
    expect(job.error!.message).toContain("3 attempts");
  });

  test("crashes after progress do not wear a long job down", async () => {
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

  test("and put back by another engine give their new result to who asks the one in which they failed", async () => {
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

  test("are started anew by retry(), which keeps the saved steps", async () => {
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

  test("after retry() steps saved before it forgive no crash: each of the new attempts counts", async () => {
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
      stack: expect.stringContaining("retry.test.ts"),
      cause: { message: "socket closed" },
    });
    await expect(handle.result()).rejects.toMatchObject({
      code: "JOB_FAILED",
      cause: { name: "HttpError", status: 503, code: "E_HTTP" },
    });
    await node.stop();
  });

  test("what is thrown need not be an error", async () => {
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
});

describe("step({ retry })", () => {
  test("tries by itself, and its count survives a crash", async () => {
    const bench = new Bench();
    const tries: number[] = [];
    bench.tasks.define("job", async (ctx) =>
      ctx.step(
        "flaky",
        (step) => {
          tries.push(step.tries);
          if (step.tries < 4) throw new Error(`try ${step.tries}`);
          return "got it";
        },
        { retry: { ...EXACT, maxAttempts: 5 } },
      ),
    );
    const first = bench.start();
    const { id } = await first.enqueue("job");
    await bench.clock.advance("1m");
    expect(tries).toEqual([1, 2]);
    expect((await first.job(id)).steps[0]).toMatchObject({ state: "pending", tries: 2, error: { message: "try 2" } });
    first.crash();
    const second = bench.start();
    await bench.clock.advance("5m");
    expect(tries).toEqual([1, 2, 3, 4]);
    expect(await second.job(id)).toMatchObject({ state: "completed", output: "got it", attempt: 1 });
    await second.stop();
  });

  test("gives the code its last error when its tries are used up; caught, it is history", async () => {
    const bench = new Bench();
    let ran = 0;
    bench.tasks.define("job", async (ctx) => {
      const caught = await ctx
        .step("bad", () => Promise.reject(new Error(`try ${++ran}`)), { retry: { maxAttempts: 2, initial: 0 } })
        .catch((error: Error) => error.message);
      await ctx.sleep("later", "1h");
      return caught;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "try 2" });
    expect(ran).toBe(2);
    await node.stop();
  });

  test("FatalError, also a subclass of it, ends step and job at once, through the storage too", async () => {
    const bench = new Bench();
    class Rejected extends FatalError {
      override name = "Rejected";
    }
    let ran = 0;
    bench.tasks.define("job", async (ctx) => {
      await ctx.step(
        "bad",
        () => {
          ran++;
          throw new Rejected("never");
        },
        { retry: 5 },
      );
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    expect(ran).toBe(1);
    expect(await node.job(id)).toMatchObject({
      state: "failed",
      attempt: 1,
      error: { name: "Rejected", message: "never" },
    });
    await node.stop();
  });

  test("its timeout aborts its signal and is STEP_TIMEOUT, even if the function ignores it", async () => {
    const bench = new Bench();
    let aborted = false;
    bench.tasks.define(
      "job",
      async (ctx) =>
        ctx.step(
          "slow",
          ({ signal }) => {
            signal.addEventListener("abort", () => {
              aborted = true;
            });
            return new Promise(() => {});
          },
          { timeout: "5s" },
        ),
      { retry: false },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("5s");
    expect(aborted).toBe(true);
    expect(await node.job(id)).toMatchObject({
      state: "failed",
      error: { code: "STEP_TIMEOUT", message: expect.stringContaining("5s") },
    });
    await node.stop();
  });
});

describe("what a failed attempt forgets", () => {
  test("a side step that finishes after the failure is saved, and not done again", async () => {
    const bench = new Bench();
    let side = 0;
    bench.tasks.define(
      "job",
      async (ctx) => {
        await Promise.all([
          ctx.step("bad", () => {
            if (ctx.job.attempt === 1) throw new Error("once");
          }),
          ctx.step("side", async () => {
            side++;
            await new Promise<void>((resolve) => void bench.clock.setTimer(3_000, resolve));
          }),
        ]);
      },
      { retry: EXACT },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("5m");
    expect(await node.job(id)).toMatchObject({ state: "completed", attempt: 2 });
    expect(side).toBe(1);
    await node.stop();
  });

  test("a side step that hangs holds the next attempt up for five seconds, no longer", async () => {
    const bench = new Bench();
    let told = 0;
    bench.tasks.define(
      "job",
      async (ctx) => {
        if (ctx.job.attempt > 1) return;
        ctx.signal.addEventListener("abort", () => told++);
        await Promise.all([
          ctx.step("bad", () => Promise.reject(new Error("x"))),
          ctx.step("hang", () => new Promise(() => {})),
        ]);
      },
      { retry: { ...EXACT, initial: 0 } },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("4s");
    expect((await node.job(id)).state).toBe("running");
    await bench.clock.advance("2s");
    expect(told).toBe(1);
    expect((await node.job(id)).state).toBe("completed");
    await node.stop();
  });

  test("saga: what was undone because of a failure is not undone again; retry() goes back to the failure", async () => {
    const bench = new Bench();
    let funds = false;
    const ran: string[] = [];
    bench.tasks.define(
      "saga",
      async (ctx) => {
        await ctx.step("reserve", () => void ran.push("reserve"));
        try {
          await ctx.step("charge", () => {
            ran.push("charge");
            if (!funds) throw new Error("no funds");
          });
        } catch (error) {
          await ctx.step("release", () => void ran.push("release"));
          throw error;
        }
        return "sold";
      },
      { retry: EXACT },
    );
    const node = bench.start();
    const { id } = await node.enqueue("saga");
    await bench.clock.advance("1h");
    expect(ran).toEqual(["reserve", "charge", "release"]);
    expect(await node.job(id)).toMatchObject({
      state: "failed",
      attempt: 1,
      error: { message: "no funds", step: "charge" },
    });
    funds = true;
    await retryJob(node.engine, id);
    await bench.clock.advance("1h");
    expect(ran).toEqual(["reserve", "charge", "release", "charge"]);
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "sold" });
    await node.stop();
  });

  test("one failure among many side by side: the others' outputs stay", async () => {
    const bench = new Bench();
    const ran: Record<string, number> = {};
    bench.tasks.define(
      "job",
      async (ctx) => {
        const results = await Promise.allSettled(
          ["a", "b", "c", "d"].map((name) =>
            ctx
              .step(name, () => {
                ran[name] = (ran[name] ?? 0) + 1;
                if (name === "b" && ctx.job.attempt === 1) throw new Error("b");
                return name;
              })
              .then((first) => ctx.step(`${first}2`, () => `${first}2`)),
          ),
        );
        const bad = results.find((result) => result.status === "rejected");
        if (bad) throw bad.reason;
        return results.map((result) => (result as PromiseFulfilledResult<string>).value);
      },
      { retry: EXACT },
    );
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("10m");
    expect(await node.job(id)).toMatchObject({ state: "completed", attempt: 2, output: ["a2", "b2", "c2", "d2"] });
    expect(ran).toEqual({ a: 1, b: 2, c: 1, d: 1 });
    await node.stop();
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
});
