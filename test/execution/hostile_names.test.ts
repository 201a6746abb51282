/** Users' names that look like the engine's own, on the memory storage; the databases are in `node/`. */
import { expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { checkName } from "../../src/base/names.ts";
import { engineName } from "../../src/job/step_name.ts";
import type { Context } from "../../src/task/context.ts";
import { TaskRegistry } from "../../src/task/registry.ts";
import { Bench } from "./harness.ts";
import { HOSTILE_NAMES, runHostile } from "./hostile_names.ts";

test.each(HOSTILE_NAMES)("a job may give the name %j to every durable call", async (name) => {
  await runHostile(memory(), [name]);
});

test.each(["now()", "random()", "uuid()", "patched(x)"])("no user can give the name of the engine's %s", (call) => {
  expect(() => checkName(engineName(call), "step")).toThrow(expect.objectContaining({ code: "NAME_INVALID" }));
});

test("patched() may be added before a step whose name is the text of that call", async () => {
  const bench = new Bench();
  const ran: string[] = [];
  const handler = (patched: boolean) => async (ctx: Context) => {
    const isNew = patched && ctx.patched("gate");
    await ctx.step("patched(gate)", () => ran.push("step"));
    await ctx.sleep("pause", "1h");
    return isNew;
  };
  const tasksOf = (patched: boolean): TaskRegistry => {
    const tasks = new TaskRegistry();
    tasks.define("job", handler(patched));
    return tasks;
  };
  const old = bench.start({ tasks: tasksOf(false) });
  const { id } = await old.enqueue("job");
  await bench.clock.settle();
  await old.stop();
  const node = bench.start({ tasks: tasksOf(true) });
  await bench.clock.advance("1h");
  expect(await node.job(id)).toMatchObject({ state: "completed", output: false });
  expect(ran).toEqual(["step"]);
  await node.stop();
});
