/** Registering, updating and removing: what is written, what stays, and what happens to what was missed. */

import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import type { Codec } from "../../src/base/codec.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { removeSchedule, updateSchedule } from "../../src/schedule/register.ts";
import { bench, HOUR, MINUTE, START } from "./kit.ts";

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

  test("registering while others register and tick loses no occurrence; the last definition stays", async () => {
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

  test("a schedule can be registered as paused; registering again changes its state only where `paused` changed", async () => {
    const b = bench();
    expect((await b.add("s", "* * * * *", { paused: true })).schedule.state).toBe("paused");
    await resumeSchedule(b.engine, "s");
    expect((await b.add("s", "* * * * *", { paused: true })).schedule.state).toBe("active");
    expect((await b.add("s", "* * * * *", { paused: false })).schedule.state).toBe("active");
    await pauseSchedule(b.engine, "s");
    expect((await b.add("s", "* * * * *", { priority: 1 })).schedule.state).toBe("paused");
  });

  test("the same definition at every restart keeps the next occurrence: what was missed is caught up, and @every 1h fires", async () => {
    const b = bench();
    for (let restart = 0; restart < 10; restart++) {
      expect(await b.add("hourly", "@every 1h")).toMatchObject({ status: restart === 0 ? "created" : "unchanged" });
      await b.add("daily", "30 0 * * *");
      await b.clock.advance(25 * MINUTE);
    }
    await b.scheduler.tick({ oneShot: true });
    expect(await b.log("hourly")).toEqual(["01:00 fired", "02:00 fired", "03:00 fired", "04:00 fired"]);
    expect(await b.log("daily")).toEqual(["00:30 fired"]);
  });
});

describe("updating and removing", () => {
  test("update changes what the patch names and keeps the rest", async () => {
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

  test("remove removes a schedule once and leaves its jobs", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await b.clock.advance(MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await removeSchedule(b.engine, "s")).toBe(true);
    expect(await removeSchedule(b.engine, "s")).toBe(false);
    expect(await b.finish("s")).toBe(1);
  });
});
