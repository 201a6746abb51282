/** Failed steps: tries of their own, what the next attempt forgets, and what stays as history. */
import { describe, expect, test } from "vitest";
import { retryJob } from "../../src/job/retry.ts";
import { FatalError, type RetryOptions } from "../../src/task/retry.ts";
import { Bench } from "./harness.ts";

const EXACT: RetryOptions = { maxAttempts: 3, initial: "1m", backoff: "constant", jitter: "none" };

describe("step({ retry })", () => {
  test("tries the step again in place, and counts its tries over a crash", async () => {
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

  test("throws the last error when the tries are used up; once caught, the failure is recorded", async () => {
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

  test("ends step and job at once on FatalError or a subclass of it, also when replayed from the storage", async () => {
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

  test("a step past its timeout fails with STEP_TIMEOUT and its signal aborts, even if the function ignores it", async () => {
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
  test("a step beside the failed one that finishes later is saved and not run again", async () => {
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

  test("a step beside the failed one that hangs delays the next attempt by five seconds at most", async () => {
    const bench = new Bench();
    let aborted = 0;
    bench.tasks.define(
      "job",
      async (ctx) => {
        if (ctx.job.attempt > 1) return;
        ctx.signal.addEventListener("abort", () => aborted++);
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
    expect(aborted).toBe(1);
    expect((await node.job(id)).state).toBe("completed");
    await node.stop();
  });

  test("a compensation that followed a caught failure is not run again; retry() goes back to the failure", async () => {
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

  test("one failure among steps side by side leaves the outputs of the others saved", async () => {
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
