/** How options objects are checked, and what the errors say. That every options object is checked: test/belfry/node/options.test.ts. */
import { describe, expect, it } from "vitest";
import { BelfryError } from "../../src/base/error.ts";
import {
  abortSignal,
  aClock,
  anything,
  type Check,
  callback,
  checkOptions,
  duration,
  flag,
  having,
  listOf,
  nameOf,
  oneOf,
  optionsOf,
  orNull,
  text,
  whole,
} from "../../src/base/options.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";

function messageOf(check: () => void): string {
  try {
    check();
  } catch (error) {
    expect(error).toBeInstanceOf(BelfryError);
    return (error as Error).message;
  }
  return "taken";
}

const checks = { dryRun: flag, limit: whole(1, 100_000), nested: optionsOf({ count: whole(1, 9) }) };

describe("checkOptions()", () => {
  const check = (options: unknown): string =>
    messageOf(() => checkOptions(options as object, "jobs.list", checks as never));

  it.each([
    [{}, "taken"],
    [{ dryRun: undefined, limit: 5, nested: {} }, "taken"],
    [{ dryrun: true }, "Cannot use dryrun of jobs.list: there is no such option; did you mean dryRun?"],
    [{ colour: 1 }, "Cannot use colour of jobs.list: there is no such option; its options are dryRun, limit, nested"],
    [{ constructor: 1 }, /Cannot use constructor of jobs.list: there is no such option/],
    [{ dryRun: 1 }, "Cannot use dryRun of jobs.list: it is 1, but must be true or false"],
    [{ limit: 0 }, "Cannot use limit of jobs.list: it is 0, but must be a whole number from 1 to 100,000"],
    [
      { nested: { count: 10 } },
      "Cannot use nested.count of jobs.list: it is 10, but must be a whole number from 1 to 9",
    ],
    [{ nested: { cuont: 1 } }, "Cannot use nested.cuont of jobs.list: there is no such option; did you mean count?"],
    [{ nested: null }, "Cannot use nested of jobs.list: it is null, but must be an object"],
    [null, "Cannot use the options of jobs.list: it is null, but must be an object"],
    [[], "Cannot use the options of jobs.list: it is a list, but must be an object"],
    ["fast", 'Cannot use the options of jobs.list: it is "fast", but must be an object'],
    [Object.create({ dryrun: true }), /did you mean dryRun\?/],
  ])("%j: %s", (options, message) => {
    expect(check(options)).toMatch(message);
    if (typeof message === "string") expect(check(options)).toBe(message);
  });
});

describe("checks", () => {
  it.each<[string, Check, unknown[], unknown[]]>([
    ["anything", anything, [null, 1, {}], []],
    ["flag", flag, [true, false], ["true", 1, null]],
    ["text", text, ["a"], ["", 1, null]],
    ["callback", callback, [() => {}], ["f", {}]],
    ["abortSignal", abortSignal, [AbortSignal.abort()], [null, {}, new AbortController()]],
    ["whole", whole(1, 3), [1, 3], [0, 4, 1.5, Number.NaN, "1"]],
    ["whole without end", whole(1, Number.MAX_SAFE_INTEGER), [1, 1e9], [0, Number.POSITIVE_INFINITY]],
    ["duration", duration({ minMs: 1 }), ["1h30m", 5], ["soon", 0, null, true]],
    ["nameOf", nameOf("queue"), ["mail"], ["", 1, null, "a\nb"]],
    ["oneOf", oneOf(["a", "b"]), ["a"], ["c", null, 1]],
    ["listOf", listOf(flag, 2), [[], [true, false]], [[1], [true, true, true], "ab", null]],
    ["orNull", orNull(flag), [null, true], [1]],
    ["having", having(["encode"], "a codec"), [{ encode() {} }], [{}, null, "codec", { encode: 1 }]],
    ["aClock", aClock, [new FakeClock()], [Date, {}]],
  ])("%s takes what fits and refuses the rest", (_name, check, fits, rest) => {
    for (const value of fits) expect(messageOf(() => check(value, "x", "y"))).toBe("taken");
    for (const value of rest) expect(messageOf(() => check(value, "x", "y"))).not.toBe("taken");
  });

  it("show the value, cut where it is long", () => {
    expect(messageOf(() => oneOf(["a"])("x".repeat(500), "mode", "run"))).toHaveLength(132);
    expect(messageOf(() => callback(Symbol("s"), "f", "run"))).toMatch("Symbol(s)");
  });
});
