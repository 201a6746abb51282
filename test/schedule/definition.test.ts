import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import type { Codec } from "../../src/base/codec.ts";
import { pauseSchedule, resumeSchedule, triggerSchedule } from "../../src/schedule/control.ts";
import { defineSchedule } from "../../src/schedule/define.ts";
import { previewSchedule } from "../../src/schedule/list.ts";
import type { ScheduleOptions } from "../../src/schedule/options.ts";
import { registerSchedule, removeSchedule, updateSchedule } from "../../src/schedule/register.ts";
import { bench, DAY, HOUR, MINUTE, START } from "./kit.ts";

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

describe("registering", () => {
  test("the same definition again writes nothing, at any moment", async () => {
    const b = bench();
    await b.add("s", "@every 7m", { input: { b: 1, a: 2 } });
    for (let i = 0; i < 50; i++) {
      await b.clock.advance(MINUTE);
      if (i % 3 === 0) await b.scheduler.tick({ oneShot: true });
      const [before] = await b.storage.listSchedules({ limit: 9 });
      expect(await b.add("s", "@every 7m", { input: { a: 2, b: 1 } })).toMatchObject({ status: "unchanged" });
      expect(await b.storage.listSchedules({ limit: 9 })).toEqual([before]);
    }
    expect((await b.log("s")).length).toBe(7);
  });

  test("the same input under a codec that never writes the same text twice writes nothing", async () => {
    let salt = 0;
    const codec: Codec = {
      encode: (json) => `${salt++}:${json}`,
      decode: (stored) => stored.slice(stored.indexOf(":") + 1),
    };
    const b = bench();
    Object.assign(b.engine, { codec });
    await b.add("s", "* * * * *", { input: { a: 1 } });
    expect(await b.add("s", "* * * * *", { input: { a: 1 } })).toMatchObject({ status: "unchanged" });
    expect(await b.add("s", "* * * * *", { input: { a: 2 } })).toMatchObject({ status: "updated" });
    expect(await updateSchedule(b.engine, "s", { priority: 0 })).toMatchObject({ status: "unchanged" });
    expect(await updateSchedule(b.engine, "s", { priority: 7 })).toMatchObject({ status: "updated" });
  });

  test("another name of the same zone, in any case, writes nothing, so that two hosts do not overwrite each other", async () => {
    const b = bench();
    const options = { timeZone: "us/eastern", input: { a: 1 } };
    expect((await b.add("s", "0 9 * * *", options)).schedule.definition?.timeZone).toBe("US/Eastern");
    const [stored] = await b.storage.listSchedules({ limit: 9 });
    for (const timeZone of ["US/EASTERN", "America/New_York", "america/new_york", "US/Eastern"]) {
      expect(await b.add("s", "0 9 * * *", { ...options, timeZone })).toMatchObject({ status: "unchanged" });
      expect(await b.storage.listSchedules({ limit: 9 })).toEqual([stored]);
    }
    // The zone stays as it is stored where something else is new.
    const changed = await b.add("s", "0 9 * * *", { ...options, timeZone: "America/New_York", priority: 1 });
    expect(changed).toMatchObject({
      status: "updated",
      schedule: { definition: { timeZone: "US/Eastern", priority: 1 } },
    });
    const moved = await b.add("s", "0 9 * * *", { ...options, timeZone: "America/Toronto", priority: 1 });
    expect(moved).toMatchObject({ status: "updated", schedule: { definition: { timeZone: "America/Toronto" } } });
  });

  test.each([
    ["0 9 1-7 * MON", {}, ["A day that fits one of the day fields is enough; probably meant is MON#1"]],
    ["0 0 12 ? * 2-6", {}, ["Weekday 1 is Monday here and Sunday in Quartz"]],
    ["@every 1w", { timeZone: "Europe/Berlin" }, ["@every 1w counts elapsed time, not days of Europe/Berlin"]],
    ["@every 1w", {}, []],
    ["0 9 * * MON#1", {}, []],
  ] as const)("%s with %j warns of what may be meant in another way", async (expression, options, messages) => {
    const { warnings } = await bench().add("s", expression, options);
    expect(warnings).toEqual(messages.map((message) => expect.stringContaining(message)));
  });

  test("another option keeps the next occurrence; @every keeps its anchor", async () => {
    const b = bench();
    await b.add("s", "@every 1h");
    await b.clock.advance(40 * MINUTE);
    expect(await b.add("s", "@every 1h", { priority: 5 })).toMatchObject({ status: "updated", nextAt: START + HOUR });
    expect(await b.add("s", "@every 30m", { priority: 5 })).toMatchObject({ status: "updated", nextAt: START + HOUR });
    expect(await b.add("s", "@every 25m", { priority: 5 })).toMatchObject({
      status: "updated",
      nextAt: START + 50 * MINUTE,
    });
  });

  test("races with others and loses nothing: the last definition wins, the outcomes stay", async () => {
    const storage = memory();
    const a = bench({ storage, holder: "a" });
    const others = ["b", "c", "d"].map((holder) => bench({ storage, holder, clock: a.clock }));
    await a.add("s", "* * * * *");
    for (let round = 0; round < 30; round++) {
      await a.clock.advance(MINUTE);
      await Promise.all([
        ...others.map((b, i) => b.add("s", "* * * * *", { priority: (round + i) % 3 })),
        a.scheduler.tick({ oneShot: true }),
      ]);
    }
    while ((await a.scheduler.tick({ oneShot: true })).more);
    expect((await a.jobs("s")).map((job) => job.scheduledAt).reverse()).toEqual(
      Array.from({ length: 30 }, (_, i) => START + (i + 1) * MINUTE),
    );
  });

  test("an edit of the timing closes out a large backlog by the old policy, then plans from now", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(10 * HOUR + 30_000);
    expect(await b.add("s", "15 * * * *")).toMatchObject({
      status: "updated",
      nextAt: START + 10 * HOUR + 15 * MINUTE,
    });
    expect((await b.log("s")).length).toBe(600);
    expect((await b.jobs("s")).length).toBe(600);
    const [record] = await b.storage.listSchedules({ limit: 1 });
    expect(record).toMatchObject({ fired: 600, lastAt: START + 10 * HOUR });
  });

  test("a schedule can be registered as paused, and only a changed word changes that", async () => {
    const b = bench();
    expect((await b.add("s", "* * * * *", { paused: true })).schedule.state).toBe("paused");
    await resumeSchedule(b.engine, "s");
    expect((await b.add("s", "* * * * *", { paused: true })).schedule.state).toBe("active");
    expect((await b.add("s", "* * * * *", { paused: false })).schedule.state).toBe("active");
    await pauseSchedule(b.engine, "s");
    expect((await b.add("s", "* * * * *", { priority: 1 })).schedule.state).toBe("paused");
  });
});

describe("updating and removing", () => {
  test("changes what the patch names and keeps the rest", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *", {
      input: { a: 1 },
      catchUp: { within: "6h", max: 2 },
      retry: { maxAttempts: 2 },
      exclude: ["2026-05-01"],
    });
    const before = (await b.storage.listSchedules({ limit: 1 }))[0]!.definition;
    await updateSchedule(b.engine, "s", { priority: 3, timeZone: "Asia/Tokyo" });
    const after = (await b.storage.listSchedules({ limit: 1 }))[0]!.definition;
    expect(JSON.parse(after)).toEqual({ ...JSON.parse(before), priority: 3, timeZone: "Asia/Tokyo" });
    await updateSchedule(b.engine, "s", { priority: null, timeZone: null });
    expect((await b.storage.listSchedules({ limit: 1 }))[0]!.definition).toBe(before);
    await expect(updateSchedule(b.engine, "t", { priority: 3 })).rejects.toMatchObject({ code: "SCHEDULE_UNKNOWN" });
  });

  test("removes, once", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await removeSchedule(b.engine, "s")).toBe(true);
    expect(await removeSchedule(b.engine, "s")).toBe(false);
    expect(await b.finish("s")).toBe(1);
  });
});

describe("pausing", () => {
  test("happens by itself after failures in a row", async () => {
    const b = bench();
    await b.add("s", "* * * * *", { pauseAfterFailures: 3 });
    for (let i = 0; i < 6; i++) {
      await b.clock.advance(MINUTE);
      await b.scheduler.tick({ oneShot: true });
      await b.finish("s", "failed");
    }
    const [record] = await b.storage.listSchedules({ limit: 1 });
    expect(record).toMatchObject({ state: "paused", failures: 3, fired: 3 });
    expect(record!.note).toContain("3");
    const resumed = await resumeSchedule(b.engine, "s");
    expect(resumed).toMatchObject({ state: "active", failures: 0, note: null });
    expect(await b.log("s")).toEqual(["00:01 fired", "00:02 fired", "00:03 fired", "00:04..00:06 3 paused"]);
  });

  test("of a year of @every 1s resumes at once", async () => {
    const b = bench();
    await b.add("s", "@every 1s");
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(365 * DAY);
    await resumeSchedule(b.engine, "s");
    expect(await b.storage.listOccurrences({ schedule: "s", limit: 9 })).toMatchObject([
      { count: 365 * 86_400, reason: "paused" },
    ]);
  });
});

describe("triggering", () => {
  test("makes a job now, whatever the state, and moves nothing", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { maxFires: 1, input: 1 });
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(5);
    const { jobId, at } = await triggerSchedule(b.engine, "s", { input: 2 });
    expect(await b.jobs("s")).toMatchObject([{ id: jobId, input: "2", scheduledAt: at, state: "ready" }]);
    expect(await b.log("s")).toEqual([]);
    await resumeSchedule(b.engine, "s");
    await b.clock.advance(HOUR);
    expect(await b.scheduler.tick({ oneShot: true })).toMatchObject({ fired: 1 });
  });

  test("honours overlap, and an override", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { overlap: "skip" });
    const { jobId } = await triggerSchedule(b.engine, "s");
    expect(await triggerSchedule(b.engine, "s")).toMatchObject({ jobId: null });
    expect((await triggerSchedule(b.engine, "s", { overlap: "allow" })).jobId).not.toBeNull();
    await triggerSchedule(b.engine, "s", { overlap: "cancel" });
    expect((await b.jobs("s")).map((job) => job.state).reverse()).toEqual(["cancelled", "cancelled", "ready"]);
    expect(jobId).not.toBeNull();
  });
});

describe("preview()", () => {
  test("lists what lies ahead, with delays and exclusions, registered or not", async () => {
    const b = bench();
    const spec = {
      name: "s",
      expression: "0 9 * * *",
      task: "work",
      options: { timeZone: "Europe/Berlin", jitter: "10m", exclude: ["2026-01-02"] },
    };
    const list = await previewSchedule(b.engine, spec, { count: 3, withExcluded: true });
    expect(list.map(({ local, excluded }) => [local, excluded])).toEqual([
      ["2026-01-01 09:00:00 +01:00", false],
      ["2026-01-02 09:00:00 +01:00", true],
      ["2026-01-03 09:00:00 +01:00", false],
    ]);
    const delays = list.map(({ at, availableAt }) => availableAt - at);
    expect(new Set(delays).size).toBe(3);
    expect(Math.max(...delays)).toBeLessThan(10 * MINUTE);
    await registerSchedule(b.engine, spec);
    expect(await previewSchedule(b.engine, "s", { count: 3, withExcluded: true })).toEqual(list);
    expect(await previewSchedule(b.engine, "s", { count: 2 })).toEqual([list[0], list[2]]);
    await b.clock.advance(DAY);
    while ((await b.scheduler.tick({ oneShot: true })).more);
    expect((await b.jobs("s"))[0]!.availableAt).toBe(list[0]!.availableAt);
  });

  test("jitter is another for each occurrence, and the same on every host", async () => {
    const spec = { name: "s", expression: "* * * * *", task: "work", options: { jitter: "1m" } };
    const [a, b] = [
      await previewSchedule(bench().engine, spec, { count: 200 }),
      await previewSchedule(bench().engine, spec, { count: 200 }),
    ];
    expect(a).toEqual(b);
    const delays = a.map(({ at, availableAt }) => availableAt - at);
    expect(Math.min(...delays)).toBeLessThan(3_000);
    expect(Math.max(...delays)).toBeGreaterThan(57_000);
    expect(Math.max(...delays)).toBeLessThan(60_000);
  });
});
