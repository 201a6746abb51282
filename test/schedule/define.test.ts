/** From options to a definition: one canonical text, and what is refused before anything is written. */

import { describe, expect, test } from "vitest";
import { defineSchedule } from "../../src/schedule/define.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { registerSchedule } from "../../src/schedule/register.ts";
import { bench } from "./kit.ts";

const text = async (expression: string, options: ScheduleOptions = {}, name = "s"): Promise<string> =>
  (await defineSchedule(bench().engine, { name, expression, task: "work", options })).text;

describe("a definition", () => {
  test("is the same text whatever the order and the spelling of its options", async () => {
    const a = await text("0 9 * * MON-FRI", {
      catchUp: { within: "6h", max: 3 },
      timeZone: "europe/berlin",
      tags: ["b", "a"],
      expiresIn: "1h30m",
      exclude: ["2026-12-26", "2026-12-25"],
    });
    const b = await text(" 0  9 ? * 1-5 ".replace("?", "*"), {
      exclude: ["2026-12-25", "2026-12-26", "2026-12-25"],
      expiresIn: 5_400_000,
      tags: ["a", "b", "a"],
      timeZone: "Europe/Berlin",
      catchUp: { max: 3, within: 21_600_000 },
      overlap: "allow",
      priority: 0,
    });
    expect(a).toBe(b);
    expect(JSON.parse(a)).toEqual({
      expression: "0 9 * * 1-5",
      timeZone: "Europe/Berlin",
      exclude: ["2026-12-25", "2026-12-26"],
      task: "work",
      catchUp: { withinMs: 21_600_000, max: 3 },
      expiresInMs: 5_400_000,
      tags: ["a", "b"],
    });
  });

  test("resolves H by the schedule's name, for ever", async () => {
    expect(await text("H H * * *")).toBe(await text("h h * * *"));
    const texts = await Promise.all(["a", "b", "c", "d", "e"].map((name) => text("H H * * *", {}, name)));
    expect(new Set(texts).size).toBeGreaterThan(3);
    expect(texts[0]).not.toContain("H");
  });

  test.each<[what: string, name: string, expression: unknown, options: object, code: string, says: string]>([
    ["an empty name", "", "* * * * *", {}, "NAME_INVALID", "it is empty"],
    ["a name with a line break", "a\nb", "* * * * *", {}, "NAME_INVALID", "control character"],
    ["a long name", "x".repeat(300), "* * * * *", {}, "NAME_INVALID", "300 characters"],
    ["a bad expression", "s", "61 * * * *", {}, "CRON_SYNTAX", "^"],
    ["no expression", "s", undefined, {}, "OPTION_INVALID", "the expression"],
    ["30 February", "s", "0 0 30 2 *", {}, "CRON_NEVER", "never occurs"],
    ["an unknown zone", "s", "* * * * *", { timeZone: "Europe/Olso" }, "ZONE_UNKNOWN", 'did you mean "Europe/Oslo"?'],
    ["a misspelt option", "s", "* * * * *", { timezone: "UTC" }, "OPTION_INVALID", 'did you mean "timeZone"?'],
    ["a negative duration", "s", "* * * * *", { expiresIn: "-5m" }, "DURATION_INVALID", "negative"],
    ["an absurd duration", "s", "* * * * *", { jitter: "999999d" }, "DURATION_INVALID", "out of range"],
    ["an unknown policy", "s", "* * * * *", { catchUp: "some" }, "OPTION_INVALID", '"all", "latest", "none"'],
    ["an empty catch-up window", "s", "* * * * *", { catchUp: {} }, "OPTION_INVALID", "at least one"],
    [
      "an unknown overlap",
      "s",
      "* * * * *",
      { overlap: "drop" },
      "OPTION_INVALID",
      '"allow", "skip", "queue", "cancel"',
    ],
    ["a fraction of fires", "s", "* * * * *", { maxFires: 1.5 }, "OPTION_INVALID", "a whole number"],
    [
      "an end before its start",
      "s",
      "* * * * *",
      { startAt: "2026-02-01", endAt: "2026-01-01" },
      "OPTION_INVALID",
      "before startAt",
    ],
    ["a start that is no instant", "s", "* * * * *", { startAt: "soon" }, "OPTION_INVALID", "is no date"],
    [
      "a local time that does not exist",
      "s",
      { at: "2026-03-29 02:30" },
      { timeZone: "Europe/Berlin" },
      "OPTION_INVALID",
      "does not exist",
    ],
    [
      "jitter longer than expiry",
      "s",
      "* * * * *",
      { jitter: "5m", expiresIn: "5m" },
      "OPTION_INVALID",
      "longer than jitter",
    ],
    ["an input with a function", "s", "* * * * *", { input: { f: () => 1 } }, "PAYLOAD_UNSERIALIZABLE", "a function"],
    ["an input with a BigInt", "s", "* * * * *", { input: { n: 1n } }, "PAYLOAD_UNSERIALIZABLE", "a BigInt"],
    ["an input with NaN", "s", "* * * * *", { input: { n: Number.NaN } }, "PAYLOAD_UNSERIALIZABLE", "NaN"],
    ["a day that is none in exclude", "s", "* * * * *", { exclude: ["2026-02-30"] }, "OPTION_INVALID", "exclude[0]"],
    [
      "a range the wrong way round",
      "s",
      "* * * * *",
      { exclude: ["2026-03-01/2026-02-01"] },
      "OPTION_INVALID",
      "after its end",
    ],
    [
      "a function in exclude",
      "s",
      "* * * * *",
      { exclude: (() => false) as unknown as string[] },
      "OPTION_INVALID",
      "give its answers as a list",
    ],
    ["tags that are none", "s", "* * * * *", { tags: "red" }, "OPTION_INVALID", "a list"],
  ])("refuses %s, and nothing is written", async (_, name, expression, options, code, says) => {
    const b = bench();
    const spec = { name, expression: expression as string, task: "work", options };
    const error = await registerSchedule(b.engine, spec).catch((error: unknown) => error);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(says);
    expect(b.calls).toEqual([]);
  });

  test("checks the input against the schema of a task that is known", async () => {
    const b = bench();
    const schema = {
      "~standard": {
        version: 1 as const,
        vendor: "test",
        validate: (value: unknown) =>
          typeof value === "number" ? { value } : { issues: [{ message: "a number is wanted" }] },
      },
    };
    b.engine.tasks.define("work", () => 1, { input: schema, queue: "numbers" });
    await expect(b.add("s", "* * * * *", { input: "x" })).rejects.toMatchObject({ code: "INPUT_INVALID" });
    const { schedule } = await b.add("s", "* * * * *", { input: 5 });
    expect(schedule.definition).toMatchObject({ queue: "numbers", input: "5" });
  });

  test("warns of a night without occurrence and of a task that is not defined here", async () => {
    const b = bench();
    b.engine.tasks.define("wort", () => 1);
    const { warnings } = await b.add("s", "30 2 * * *", { timeZone: "Europe/Berlin" });
    expect(warnings.join("\n")).toContain('did you mean "wort"?');
    expect(warnings.join("\n")).toContain("2026-03-29");
  });
});
