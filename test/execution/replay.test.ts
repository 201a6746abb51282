/** Replay: the order of results, names, values, patches, versions, and history that does not fit the code. */
import { describe, expect, test } from "vitest";
import { retryJob } from "../../src/job/retry.ts";
import type { Context } from "../../src/task/context.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import { Bench } from "./harness.ts";

/** Makes a registry with one task "job" that has the given handler. */
function tasksOf(handler: (ctx: Context) => unknown): TaskRegistry {
  const tasks = new TaskRegistry();
  tasks.define("job", (ctx) => handler(ctx));
  return tasks;
}

/** Runs a job with the code `before` until it waits, then continues it with the code `after`. */
async function change(before: (ctx: Context) => unknown, after: (ctx: Context) => unknown) {
  const bench = new Bench();
  const old = bench.start({ tasks: tasksOf(before) });
  const { id } = await old.enqueue("job");
  await bench.clock.settle();
  await old.stop();
  const node = bench.start({ tasks: tasksOf(after) });
  await bench.clock.advance("1d");
  return { bench, node, id, job: await node.job(id) };
}

describe("replay", () => {
  test("Promise.race gives the winner of the first run, though the loser is recorded too", async () => {
    const bench = new Bench();
    const winners: string[] = [];
    bench.tasks.define("job", async (ctx) => {
      const slow = ctx.step(
        "slow",
        () => new Promise((resolve) => void bench.clock.setTimer(50, () => resolve("slow"))),
      );
      const fast = ctx.step(
        "fast",
        () => new Promise((resolve) => void bench.clock.setTimer(10, () => resolve("fast"))),
      );
      const winner = await Promise.race([slow, fast]);
      winners.push(String(winner));
      await slow;
      await ctx.sleep("later", "1h");
      return winner;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect(winners).toEqual(["fast", "fast"]);
    expect((await node.job(id)).output).toBe("fast");
    await node.stop();
  });

  test("a repeated name gets #2, #3 by order, and every call gets its own output", async () => {
    const bench = new Bench();
    let count = 0;
    bench.tasks.define("job", async (ctx) => {
      const outputs: number[] = [];
      for (let i = 0; i < 3; i++) outputs.push(await ctx.step("again", () => ++count));
      await ctx.sleep("again", "1h");
      return outputs;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    const job = await node.job(id);
    expect(job.output).toEqual([1, 2, 3]);
    expect(job.steps.map((step) => step.name)).toEqual(["again", "again#2", "again#3", "again#4"]);
    await node.stop();
  });

  test('a given name like "a#2" does not clash with the second call of "a"', async () => {
    const bench = new Bench();
    bench.tasks.define("job", async (ctx) => {
      const outputs = [
        await ctx.step("a#2", () => "explicit"),
        await ctx.step("a", () => "first"),
        await ctx.step("a", () => "second"),
      ];
      await ctx.sleep("later", "1h");
      return outputs;
    });
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    expect((await node.job(id)).output).toEqual(["explicit", "first", "second"]);
    await node.stop();
  });

  test("now(), random() and uuid() give the same values after a resume, also in concurrent branches", async () => {
    const bench = new Bench();
    const seen: unknown[] = [];
    bench.tasks.define("job", async (ctx) => {
      const values = [ctx.now(), ctx.random(), ctx.uuid(), ctx.now()];
      await Promise.all([ctx.sleep("later", "1h"), ctx.step("s", () => 1).then(() => values.push(ctx.random()))]);
      values.push(ctx.now());
      seen.push(values);
    });
    const node = bench.start();
    await node.enqueue("job");
    await bench.clock.advance("1h");
    const start = Date.parse("2026-01-01T00:00:00Z");
    expect(seen).toHaveLength(1);
    const [now, random, uuid, again, inBranch, after] = seen[0] as unknown[];
    expect([now, again, after]).toEqual([start, start, start + 3_600_000]);
    expect(random).not.toBe(inBranch);
    expect(uuid).toMatch(/job/);
    await node.stop();
  });

  test("outputs undefined and null are replayed as undefined and null", async () => {
    const bench = new Bench();
    const seen: unknown[] = [];
    bench.tasks.define("job", async (ctx) => {
      seen.push(await ctx.step("nothing", () => undefined), await ctx.step("null", () => null));
      await ctx.sleep("later", "1h");
    });
    const node = bench.start();
    const handle = await node.enqueue("job");
    await bench.clock.advance("1h");
    expect(seen).toEqual([undefined, null, undefined, null]);
    expect(await handle.result()).toBeUndefined();
    await node.stop();
  });

  test("an output is delivered the first time in the form in which replay reads it", async () => {
    const bench = new Bench();
    const seen: unknown[] = [];
    bench.tasks.define("job", async (ctx) => {
      const made = { list: [1], absent: undefined, zero: -0 };
      const delivered = await ctx.step("object", () => made);
      made.list.push(2);
      seen.push([delivered, "absent" in delivered, Object.is(delivered.zero, -0)]);
      await ctx.sleep("later", "1h");
    });
    const node = bench.start();
    await node.enqueue("job");
    await bench.clock.advance("1h");
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toEqual([{ list: [1], zero: 0 }, false, false]);
    await node.stop();
  });
});

describe("REPLAY_MISMATCH", () => {
  const base = async (ctx: Context): Promise<void> => {
    await ctx.step("load", () => 1);
    await ctx.step("count", () => 2);
    await ctx.sleep("pause", "1h");
    await ctx.step("write", () => 3);
  };

  test.each<[string, (ctx: Context) => unknown, RegExp]>([
    [
      "a step was removed",
      async (ctx) => {
        await ctx.step("count", () => 2);
        await ctx.sleep("pause", "1h");
      },
      /goes on with "load" \(step\), but the code calls "count" \(step\)/,
    ],
    [
      "two steps were swapped",
      async (ctx) => {
        await ctx.step("count", () => 2);
        await ctx.step("load", () => 1);
        await ctx.sleep("pause", "1h");
      },
      /goes on with "load" \(step\), but the code calls "count"/,
    ],
    [
      "a step was renamed",
      async (ctx) => {
        await ctx.step("fetch", () => 1);
        await ctx.step("count", () => 2);
      },
      /goes on with "load" \(step\), but the code calls "fetch" \(step\)/,
    ],
    [
      "a name now stands for another kind",
      async (ctx) => {
        await ctx.step("load", () => 1);
        await ctx.sleep("count", "1s");
      },
      /has "count" \(step\) where the code calls "count" \(sleep\)/,
    ],
    [
      "the code returns early",
      async (ctx) => {
        await ctx.step("load", () => 1);
      },
      /has "count" \(step\), but the code returned without calling it/,
    ],
    [
      "a wait in flight was removed",
      async (ctx) => {
        await ctx.step("load", () => 1);
        await ctx.step("count", () => 2);
      },
      /has "pause" \(sleep\), but the code returned without calling it/,
    ],
  ])("names both calls when %s; nothing runs, and mended code goes on", async (_what, after, message) => {
    const { bench, node, id, job } = await change(base, after);
    expect(job.error).toMatchObject({ code: "REPLAY_MISMATCH", message: expect.stringMatching(message) });
    expect(job).toMatchObject({ state: "failed", attempt: 1 });
    await node.stop();
    const mended = bench.start({ tasks: tasksOf(base) });
    await retryJob(mended.engine, id);
    await bench.clock.advance("1h");
    expect(await mended.job(id)).toMatchObject({ state: "completed" });
    await mended.stop();
  });

  test("is not raised for code that awaits something of its own between two recorded steps", async () => {
    const bench = new Bench();
    const handler = async (ctx: Context): Promise<number> => {
      const side = ctx.step("side", () => 1);
      await new Promise<void>((resolve) => void bench.clock.setTimer(1_500, resolve));
      const main = await ctx.step("main", () => 2);
      await ctx.sleep("later", "1h");
      return main + (await side);
    };
    bench.tasks.define("job", handler);
    const node = bench.start();
    const { id } = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: 3 });
    await node.stop();
  });

  test("is not raised for an error thrown before the calls of recorded steps: the next attempt replays them", async () => {
    let down = true;
    const { bench, node, id, job } = await change(base, async (ctx) => {
      await ctx.step("load", () => 1);
      if (down) throw new Error("no network");
      await ctx.step("count", () => 2);
      await ctx.sleep("pause", "1h");
      return "through";
    });
    expect(job).toMatchObject({ state: "failed", error: { message: "no network" }, attempt: 5 });
    down = false;
    await retryJob(node.engine, id);
    await bench.clock.advance("1h");
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "through" });
    await node.stop();
  });

  test("is not raised for a step inserted before a wait in flight: it runs", async () => {
    const ran: string[] = [];
    const { node, job } = await change(base, async (ctx) => {
      await ctx.step("load", () => 1);
      await ctx.step("count", () => 2);
      await ctx.step("inserted", () => void ran.push("inserted"));
      await ctx.sleep("pause", "1h");
      await ctx.step("write", () => 3);
    });
    expect(job.state).toBe("completed");
    expect(ran).toEqual(["inserted"]);
    await node.stop();
  });

  test("two steps that were swapped never get each other's values; the code put back, retry() goes on", async () => {
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
});

describe("patched()", () => {
  const before = async (ctx: Context): Promise<string> => {
    await ctx.step("load", () => 1);
    await ctx.sleep("pause", "1h");
    await ctx.step("write", () => 3);
    return "old";
  };
  const after = async (ctx: Context): Promise<string> => {
    const isNew = ctx.patched("check-first");
    if (isNew) await ctx.step("check", () => 0);
    await ctx.step("load", () => 1);
    await ctx.sleep("pause", "1h");
    if (!ctx.patched("check-first")) await ctx.step("write", () => 3);
    return isNew ? "new" : "old";
  };

  test("is false for a job that had passed the place before the code changed", async () => {
    const { node, job } = await change(before, after);
    expect(job).toMatchObject({ state: "completed", output: "old" });
    await node.stop();
  });

  test("is true for a new job, and stays true when it resumes", async () => {
    const bench = new Bench();
    const node = bench.start({ tasks: tasksOf(after) });
    const { id } = await node.enqueue("job");
    await bench.clock.advance("1h");
    const job = await node.job(id);
    expect(job).toMatchObject({ state: "completed", output: "new" });
    expect(job.steps.map((step) => step.name)).toContain("check");
    await node.stop();
  });
});

describe("versions of a task", () => {
  test("a job keeps the version it began with; new jobs get the newest", async () => {
    const bench = new Bench();
    const both = new TaskRegistry();
    const make = (version: number) => async (ctx: Context) => {
      await ctx.sleep(`pause-${version}`, "1h");
      return version;
    };
    both.define("job", make(1), { version: 1 });
    const old = bench.start({ tasks: both });
    const first = await old.enqueue("job");
    await bench.clock.settle();
    await old.stop();
    both.define("job", make(2), { version: 2 });
    const node = bench.start({ tasks: both });
    const second = await node.enqueue("job");
    await bench.clock.advance("2h");
    expect([(await node.job(first.id)).output, (await node.job(second.id)).output]).toEqual([1, 2]);
    await node.stop();
  });

  test("a job enqueued by the task's name keeps the version with which it began", async () => {
    const bench = new Bench();
    const one = new TaskRegistry();
    one.define("job", async (ctx) => ctx.sleep("pause", "1h").then(() => 1), { version: "one" });
    const stranger = bench.node({ tasks: new TaskRegistry() });
    const { id } = await stranger.enqueue("job");
    const old = bench.start({ tasks: one });
    await bench.clock.settle();
    await old.stop();
    one.define("job", async (ctx) => ctx.step("other", () => 2), { version: "two" });
    const node = bench.start({ tasks: one });
    await bench.clock.advance("2h");
    expect((await node.job(id)).output).toBe(1);
    await node.stop();
  });

  test("a job of a version that a worker lacks is left to one that has it, and reported once", async () => {
    const bench = new Bench();
    const one = new TaskRegistry();
    one.define("job", () => 1, { version: 1 });
    const two = new TaskRegistry();
    two.define("job", () => 2, { version: 2 });
    const enqueuer = bench.node({ tasks: two });
    const { id } = await enqueuer.enqueue("job");
    const old = bench.start({ tasks: one });
    await bench.clock.advance("1m");
    expect(await old.job(id)).toMatchObject({ state: "ready", attempt: 1 });
    expect(old.errors.map(String)).toEqual([expect.stringContaining('version "2" of task "job"')]);
    const fresh = bench.start({ tasks: two });
    await bench.clock.advance("1m");
    expect(await fresh.job(id)).toMatchObject({ state: "completed", attempt: 1, output: 2 });
    await old.stop();
    await fresh.stop();
  });
});
