/** Steps: each runs once, gives its output to the code, and does not run again once it is saved. */
import { describe, expect, test } from "vitest";
import { Bench } from "./harness.ts";

describe("step()", () => {
  test("runs each function once and gives its output to the next", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    const add = bench.tasks.define("add", async (ctx, input: { a: number; b: number }) => {
      const a = await ctx.step("a", () => {
        ran.push("a");
        return input.a;
      });
      const b = await ctx.step("b", async () => {
        ran.push("b");
        return { value: input.b };
      });
      return a + b.value;
    });
    const node = bench.start();
    const handle = await node.enqueue<number>(add, { a: 1, b: 2 });
    await bench.clock.settle();
    expect(await handle.result()).toBe(3);
    expect(ran).toEqual(["a", "b"]);
    const job = await node.job(handle.id);
    expect(job).toMatchObject({ state: "completed", attempt: 1, output: 3, input: { a: 1, b: 2 } });
    expect(job.steps.map((step) => [step.name, step.state, step.output])).toEqual([
      ["a", "done", 1],
      ["b", "done", { value: 2 }],
    ]);
    await node.stop();
  });

  test("does not run a saved step again in the worker that takes over after a crash", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    let first: ReturnType<Bench["start"]> | undefined;
    bench.tasks.define("report", async (ctx) => {
      await ctx.step("load", () => void ran.push("load"));
      await ctx.step("count", () => void ran.push("count"));
      await ctx.step("crash", () => {
        ran.push("crash");
        if (first) {
          first.crash();
          first = undefined;
          return new Promise<void>(() => {});
        }
        return undefined;
      });
      await ctx.step("write", () => void ran.push("write"));
      return ran.length;
    });
    first = bench.start();
    const dead = first;
    const { id } = await dead.enqueue("report");
    await bench.clock.settle();
    expect(ran).toEqual(["load", "count", "crash"]);
    const second = bench.start();
    await bench.clock.advance("31s");
    expect(ran).toEqual(["load", "count", "crash", "crash", "write"]);
    expect(await second.job(id)).toMatchObject({ state: "completed", attempt: 2, claims: 2 });
    await second.stop();
  });
});
