/** Which definitions of a task does the registry refuse, and with which code? */
import { describe, expect, test } from "vitest";
import { TaskRegistry } from "../../src/task/registry.ts";

describe("TaskRegistry.define()", () => {
  test.each<[string, () => unknown, string]>([
    [
      "a name that is taken",
      () => {
        const tasks = new TaskRegistry();
        tasks.define("a", () => 1);
        tasks.define("a", () => 2);
      },
      "TASK_DUPLICATE",
    ],
    ["an empty name", () => new TaskRegistry().define("", () => 1), "NAME_INVALID"],
    ["no handler", () => new TaskRegistry().define("a", undefined as never), "OPTION_INVALID"],
    ["concurrency 0", () => new TaskRegistry().define("a", () => 1, { concurrency: 0 }), "OPTION_INVALID"],
    ["a schema that is none", () => new TaskRegistry().define("a", () => 1, { input: {} as never }), "OPTION_INVALID"],
    ["a bad timeout", () => new TaskRegistry().define("a", () => 1, { timeout: "x" }), "DURATION_INVALID"],
    [
      "a rate of nothing",
      () => new TaskRegistry().define("a", () => 1, { rate: { count: 0, per: 1 } }),
      "OPTION_INVALID",
    ],
  ])("refuses %s", (_what, act, code) => {
    expect(act).toThrow(expect.objectContaining({ code }));
  });
});
