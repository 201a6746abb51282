/** Input schemas of three libraries (valibot, zod, arktype): types, defaults and refused inputs. */
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { TaskRegistry } from "../../src/task/registry.ts";
import type { Task } from "../../src/task/task.ts";
import { Bench } from "../execution/harness.ts";

type Output = { userId: number; format: string };

const define = (tasks: TaskRegistry) => ({
  valibot: tasks.define("valibot", (_ctx, input) => input satisfies Output, {
    input: v.object({ userId: v.number(), format: v.optional(v.string(), "pdf") }),
  }),
  zod: tasks.define("zod", (_ctx, input) => input satisfies Output, {
    input: z.object({ userId: z.number(), format: z.string().default("pdf") }),
  }),
  arktype: tasks.define("arktype", (_ctx, input) => input satisfies Output, {
    input: type({ userId: "number", format: "string = 'pdf'" }),
  }),
});

describe("input schemas", () => {
  test("give enqueuers and handlers their types", () => {
    const tasks = define(new TaskRegistry());
    type In = { userId: number; format?: string | undefined };
    expectTypeOf(tasks.valibot).toExtend<Task<In, Output>>();
    expectTypeOf(tasks.zod).toExtend<Task<In, Output>>();
    expectTypeOf<NonNullable<(typeof tasks.arktype)["types"]>["output"]>().toEqualTypeOf<Output>();
  });

  test.each(["valibot", "zod", "arktype"] as const)(
    "%s: the handler gets the defaults, and enqueue() rejects an input that does not fit",
    async (name) => {
      const bench = new Bench();
      const task = define(bench.tasks)[name];
      const node = bench.start();
      const handle = await node.enqueue(task as Task<{ userId: number }, Output>, { userId: 7 });
      await bench.clock.settle();
      expect(await handle.result()).toEqual({ userId: 7, format: "pdf" });
      await expect(node.enqueue(name, { userId: "x" })).rejects.toMatchObject({
        code: "INPUT_INVALID",
        message: expect.stringMatching(new RegExp(`task "${name}": userId`)),
      });
      await node.stop();
    },
  );
});
