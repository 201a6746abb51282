/** Payloads: what JSON would lose is refused before anything is written; input schemas; limits of size; encryption. */
import * as v from "valibot";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { Context } from "../../src/task/context.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import type { StandardSchema } from "../../src/task/schema.ts";
import type { Task } from "../../src/task/task.ts";
import { Bench } from "../execution/harness.ts";

/** A hand-written schema, as another library might make it: asynchronous, with a path of objects. */
const even: StandardSchema<number, string> = {
  "~standard": {
    version: 1,
    vendor: "by-hand",
    validate: async (value) =>
      typeof value === "number" && value % 2 === 0
        ? { value: `even ${value}` }
        : { issues: [{ message: "must be even", path: [{ key: "n" }, 0] }] },
  },
};

describe("input schema", () => {
  test("gives its types to define(), enqueue() and the handler", () => {
    const tasks = new TaskRegistry();
    const schema = v.object({ userId: v.number(), copies: v.optional(v.number(), 1) });
    const task = tasks.define(
      "report",
      (_ctx, input) => {
        expectTypeOf(input).toEqualTypeOf<{ userId: number; copies: number }>();
        return input.copies;
      },
      { input: schema },
    );
    expectTypeOf(task).toEqualTypeOf<Task<{ userId: number; copies?: number | undefined }, number>>();
    const plain = tasks.define("plain", async (_ctx: Context, input: { a: string }) => input.a.length);
    expectTypeOf(plain).toEqualTypeOf<Task<{ a: string }, number>>();
    const none = tasks.define("none", async () => "x");
    expectTypeOf(none).toEqualTypeOf<Task<undefined, string>>();
  });

  test("is applied when the job is enqueued: enqueue() rejects, and nothing is written", async () => {
    const bench = new Bench();
    const task = bench.tasks.define("report", () => 1, { input: v.object({ userId: v.number() }) });
    const node = bench.node();
    await expect(node.enqueue(task, { userId: "x" })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      message: expect.stringMatching(/task "report": userId: /),
    });
    const odd = bench.tasks.define("odd", () => 1, { input: even });
    await expect(node.enqueue(odd, 3)).rejects.toMatchObject({ message: expect.stringContaining("n.0: must be even") });
    expect(await bench.storage.listJobs({ limit: 1 })).toEqual([]);
  });

  test("is applied again when the job runs, and may change the value; an input that no longer fits fails the job at once", async () => {
    const bench = new Bench();
    const tasks = new TaskRegistry();
    tasks.define("even", (_ctx, input) => input, { input: even });
    const sender = bench.node({ tasks: new TaskRegistry() });
    const good = await sender.enqueue("even", 4);
    const bad = await sender.enqueue("even", 5);
    const node = bench.start({ tasks });
    await bench.clock.settle();
    expect((await node.job(good.id)).output).toBe("even 4");
    expect(await node.job(bad.id)).toMatchObject({ state: "failed", attempt: 1, error: { code: "INPUT_INVALID" } });
    await node.stop();
  });
});

describe("values that JSON would lose", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  test.each<[string, unknown, RegExp]>([
    ["a function", { callback: () => 1 }, /callback is a function/],
    ["a BigInt", { id: 10n }, /id is a BigInt/],
    ["NaN", { rate: Number.NaN }, /rate is NaN/],
    ["a Date", { at: new Date(0) }, /at is an instance of Date/],
    ["a Map", new Map(), /an instance of Map/],
    ["a cycle", cycle, /self is a cycle/],
    ["undefined in an array", [undefined], /\[0\] is undefined/],
  ])("%s is refused in inputs, outputs of steps and results, with its path", async (_what, value, message) => {
    const bench = new Bench();
    let ran = 0;
    bench.tasks.define("input", () => 1);
    bench.tasks.define("step", async (ctx) =>
      ctx.step("s", () => {
        ran++;
        return value;
      }),
    );
    bench.tasks.define("result", () => value);
    const node = bench.start();
    await expect(node.enqueue("input", value)).rejects.toMatchObject({
      code: "PAYLOAD_UNSERIALIZABLE",
      message: expect.stringMatching(message),
    });
    for (const name of ["step", "result"]) {
      const { id } = await node.enqueue(name);
      await bench.clock.advance("1h");
      expect(await node.job(id)).toMatchObject({
        state: "failed",
        attempt: 1,
        error: { code: "PAYLOAD_UNSERIALIZABLE", message: expect.stringMatching(message) },
      });
    }
    expect(ran).toBe(1);
    await node.stop();
  });

  test("a payload over the limit is refused with its size and the remedy", async () => {
    const bench = new Bench();
    const node = bench.node();
    await expect(node.enqueue("job", "x".repeat(1_048_577))).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      message: expect.stringContaining("pass a reference"),
    });
  });

  test("texts that are difficult for JSON and UTF-8 come back unchanged", async () => {
    const bench = new Bench();
    const text = "\u0000\u2028'\"\\$ {} 💥 \ud800 __proto__";
    bench.tasks.define("echo", async (ctx, input: string) => ctx.step("s", () => ({ ["__proto__x"]: input })));
    const node = bench.start();
    const { id } = await node.enqueue("echo", text);
    await bench.clock.settle();
    expect((await node.job(id)).output).toEqual({ ["__proto__x"]: text });
    await node.stop();
  });
});

describe("options of enqueue", () => {
  test.each<[string, Record<string, unknown>, string]>([
    ["a priority that is no whole number", { priority: 1.5 }, "OPTION_INVALID"],
    ["delay and runAt together", { delay: 1, runAt: 5 }, "OPTION_INVALID"],
    ["a negative delay", { delay: -1 }, "DURATION_INVALID"],
    ["an unreadable delay", { delay: "soon" }, "DURATION_INVALID"],
    ["an empty queue name", { queue: "" }, "NAME_INVALID"],
    ["an empty key", { key: "" }, "NAME_INVALID"],
    ["a retry function", { retry: () => 1 }, "OPTION_INVALID"],
    ["a limit that limits nothing", { limit: { key: "k" } }, "OPTION_INVALID"],
    ["a limit of zero", { limit: { key: "k", concurrency: 0 } }, "OPTION_INVALID"],
    ["an invalid date", { runAt: new Date("x") }, "OPTION_INVALID"],
    ["a name with a control character", { queue: "a\nb" }, "NAME_INVALID"],
  ])("%s is refused, and nothing is written", async (_what, options, code) => {
    const bench = new Bench();
    const node = bench.node();
    await expect(node.enqueue("job", 1, options)).rejects.toMatchObject({ code });
    expect(await bench.storage.listJobs({ limit: 1 })).toEqual([]);
  });
});
