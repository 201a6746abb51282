/** Waits: sleeps, signals and timeouts; the suspension of a run is invisible to user code. */
import { describe, expect, test } from "vitest";
import { signalJob } from "../../src/job/control.ts";
import { getJob } from "../../src/job/view.ts";
import { Bench } from "./harness.ts";

const START = Date.parse("2026-01-01T00:00:00Z");

describe("suspension", () => {
  test("is invisible to try/catch/finally around any durable call", async () => {
    const bench = new Bench();
    const seen: string[] = [];
    bench.tasks.define("child", async (ctx) => {
      await ctx.sleep("work", "1h");
      return "child";
    });
    bench.tasks.define("job", async (ctx) => {
      const guarded = async <T>(name: string, call: () => Promise<T>): Promise<T | undefined> => {
        try {
          return await call();
        } catch (error) {
          seen.push(`catch ${name}: ${error}`);
          throw error;
        } finally {
          seen.push(`finally ${name}`);
        }
      };
      await guarded("step", () => ctx.step("step", () => 1));
      await guarded("sleep", () => ctx.sleep("sleep", "1h"));
      await guarded("until", () => ctx.sleepUntil("until", START + 3 * 3_600_000));
      await guarded("signal", () => ctx.waitFor("signal", { timeout: "1h" }));
      await guarded("child", () => ctx.invoke("child", "child"));
      await guarded("all", () =>
        Promise.all([ctx.sleep("x", "1h"), ctx.invoke("y", "child"), ctx.waitFor("z", { timeout: "2h" })]),
      );
      await guarded("retried", () => {
        let tries = 0;
        return ctx.step(
          "retried",
          (step) => {
            tries++;
            if (step.tries < 3) throw new Error(`try ${tries}`);
            return step.tries;
          },
          { retry: { maxAttempts: 3, initial: "1h", backoff: "constant", jitter: "none" } },
        );
      });
      return "done";
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    const names = ["step", "sleep", "until", "signal", "child", "all", "retried"];
    // Each run replays the calls that are over; none of them catches anything or reaches "finally" too early.
    let longest = 0;
    for (let hour = 0; hour < 14; hour++) {
      seen.length = 0;
      await bench.clock.advance("1h");
      expect(seen.filter((line) => line.startsWith("catch"))).toEqual([]);
      longest = Math.max(longest, new Set(seen).size);
    }
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "done", attempt: 1 });
    expect(longest).toBe(names.length);
    await node.stop();
  });

  test("holds no claim, no run and no timer of its own", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => ctx.waitFor("go"));
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("10m");
    const stored = await bench.storage.getJob({ id });
    expect(stored).toMatchObject({ state: "waiting", claimToken: null, claims: 1 });
    expect(node.worker.running).toBe(0);
    expect(bench.clock.timers).toBeLessThanOrEqual(1);
    await node.stop();
  });

  test("of a sleep lasts until its instant, and finally blocks run after it", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    bench.tasks.define("nap", async (ctx) => {
      try {
        await ctx.step("before", () => void ran.push("before"));
        await ctx.sleep("year", "365d");
        ran.push("awake");
      } finally {
        ran.push("finally");
      }
    });
    const node = bench.start();
    const { id } = await node.enqueue("nap");
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "ready", availableAt: bench.clock.now() + 365 * 86_400_000 });
    expect(node.worker.running).toBe(0);
    await bench.clock.advance("364d");
    expect(ran).toEqual(["before"]);
    await bench.clock.advance("1d");
    expect(ran).toEqual(["before", "awake", "finally"]);
    expect(await node.job(id)).toMatchObject({ state: "completed", attempt: 1 });
    await node.stop();
  });
});

describe("sleep()", () => {
  test.each([1, 100, 199, 201, 1_000])("of %i ms in a running worker is late by less than 50 ms", async (ms) => {
    const bench = new Bench();
    let woke = 0;
    bench.tasks.define("job", async (ctx) => {
      await ctx.sleep("nap", ms);
      woke = bench.clock.now();
    });
    const node = bench.start();
    await node.enqueue("job");
    const start = bench.clock.now();
    await bench.clock.advance("2s");
    expect(woke - start).toBeGreaterThanOrEqual(ms);
    expect(woke - start).toBeLessThan(ms + 50);
    await node.stop();
  });

  test.each([100, 1_000])(
    "of %i ms beside a running step ends in its time, however long the step takes",
    async (ms) => {
      const bench = new Bench();
      bench.tasks.define("job", async (ctx) => {
        const slow = ctx.step(
          "slow",
          () => new Promise((resolve) => void bench.clock.setTimer(5_000, () => resolve(1))),
        );
        await Promise.race([slow, ctx.sleep("limit", ms)]);
        return bench.clock.now() - START;
      });
      const node = bench.start();
      const { id } = await node.enqueue("job");
      await bench.clock.advance("10s");
      const { output } = await node.job(id);
      expect(output).toBeGreaterThanOrEqual(ms);
      expect(output).toBeLessThan(ms + 50);
      await node.stop();
    },
  );

  test("of a year ends, though timers cannot be longer than 24.8 days", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.sleep("year", "365d");
      return bench.clock.now();
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("366d");
    expect((await node.job(id)).output).toBe(START + 365 * 86_400_000);
    await node.stop();
  });

  test("keeps its instant when it is resumed early, late or by another worker", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      const signal = ctx.waitFor("poke");
      const nap = ctx.sleep("nap", "1h").then(() => "slept");
      await Promise.race([signal, nap]);
      await nap;
      return bench.clock.now() - START;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("30m");
    await signalJob(node.engine, id, "poke");
    await bench.clock.settle();
    await node.stop();
    await bench.clock.advance("10m");
    const other = bench.start();
    await bench.clock.advance("20m");
    expect((await other.job(id)).output).toBe(3_600_000);
    await other.stop();
  });

  test("sleepUntil() an instant in the past ends at once", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.sleepUntil("past", new Date(0));
      await ctx.sleepUntil("instant", { epochMilliseconds: 5 });
      return "on";
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).output).toBe("on");
    await node.stop();
  });

  test("of 48 hours ends: no default time limit cuts it short", async () => {
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

  test("of 100 ms takes 100 ms also where a hundred jobs sleep side by side", async () => {
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
});

describe("waitFor()", () => {
  test("takes a signal that was sent before the wait began", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.sleep("first", "1h");
      return ctx.waitFor("approval");
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect(await signalJob(node.engine, id, "approval", { by: "ada" })).toBe("accepted");
    await bench.clock.advance("1h");
    expect((await node.job(id)).output).toEqual({ by: "ada" });
    await node.stop();
  });

  test("takes each signal once, in order of arrival, and signals of one key once", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => [
      await ctx.waitFor("item"),
      await ctx.waitFor("item"),
      (await ctx.waitFor("item", { timeout: "1h" })) ?? "none",
    ]);
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect(await signalJob(node.engine, id, "item", 1, { key: "k1" })).toBe("accepted");
    expect(await signalJob(node.engine, id, "item", 1, { key: "k1" })).toBe("duplicate");
    await bench.clock.settle();
    expect(await signalJob(node.engine, id, "item", 9, { key: "k1" })).toBe("duplicate");
    await signalJob(node.engine, id, "item", 2, { key: "k2" });
    await bench.clock.advance("2h");
    expect((await node.job(id)).output).toEqual([1, 2, "none"]);
    await node.stop();
  });

  test('gives undefined at its timeout, or throws SIGNAL_TIMEOUT with onTimeout: "throw"', async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      const silent = await ctx.waitFor("a", { timeout: "1h" });
      const code = await ctx.waitFor("b", { timeout: "1h", onTimeout: "throw" }).catch((error) => error.code);
      await ctx.sleep("more", "1h");
      return [silent === undefined, code];
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("3h");
    expect((await node.job(id)).output).toEqual([true, "SIGNAL_TIMEOUT"]);
    await node.stop();
  });

  test("gives undefined when the signal came after the timeout, though no worker ran in between", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => [
      (await ctx.waitFor("go", { timeout: "1h" })) ?? "none",
      await ctx.waitFor("go", { timeout: "1h" }),
    ]);
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    await node.stop();
    await bench.clock.advance("90m");
    await signalJob(node.engine, id, "go", "late");
    const other = bench.start();
    await bench.clock.advance("2h");
    expect((await other.job(id)).output).toEqual(["none", "late"]);
    await other.stop();
  });

  test("takes a signal that arrives while a long step of the same job runs", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      const work = ctx.step(
        "work",
        () => new Promise<string>((resolve) => void bench.clock.setTimer(3_600_000, () => resolve("worked"))),
      );
      return Promise.race([work, ctx.waitFor<string>("stop")]);
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1m");
    await signalJob(node.engine, id, "stop", "stopped");
    await bench.clock.advance("30s");
    expect((await node.job(id)).output).toBe("stopped");
    await node.stop();
  });

  test("takes a signal that arrives between the last read of signals and the suspension", async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      await ctx.step("tell", async () => {
        await signalJob(node.engine, ctx.job.id, "echo", "heard");
      });
      return ctx.waitFor("echo");
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    expect((await node.job(id)).output).toBe("heard");
    await node.stop();
  });

  test("signals to a finished or unknown job are refused", async () => {
    const bench = new Bench();
    bench.tasks.define("job", () => 1);
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.settle();
    await expect(signalJob(node.engine, id, "x")).rejects.toMatchObject({ code: "JOB_STATE" });
    await expect(signalJob(node.engine, "nobody", "x")).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
    expect(await getJob(node.engine, "nobody")).toBeNull();
    await node.stop();
  });
});
