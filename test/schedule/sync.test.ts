import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { pauseSchedule } from "../../src/schedule/control.ts";
import type { ScheduleSpec } from "../../src/schedule/define.ts";
import { syncSchedules } from "../../src/schedule/sync.ts";
import { seededRandom } from "../../src/testing/random.ts";
import { bench, HOUR, MINUTE, START } from "./kit.ts";

const list = (...names: string[]): ScheduleSpec[] =>
  names.map((text) => {
    const [name, minute = "0"] = text.split("@");
    return { name: name!, expression: `${minute} * * * *`, task: "work" };
  });

describe("sync()", () => {
  test("makes the owner's schedules equal to the list, and nothing the second time", async () => {
    const b = bench();
    expect(await syncSchedules(b.engine, list("a", "b", "c"), { owner: "app" })).toMatchObject({
      current: true,
      created: ["a", "b", "c"],
      unchanged: 0,
    });
    const before = await b.storage.listSchedules({ limit: 9 });
    expect(await syncSchedules(b.engine, list("c", "b", "a"), { owner: "app" })).toMatchObject({
      created: [],
      unchanged: 3,
    });
    expect(await b.storage.listSchedules({ limit: 9 })).toEqual(before);
    expect(await syncSchedules(b.engine, list("a", "b@5", "d"), { owner: "app" })).toMatchObject({
      created: ["d"],
      updated: ["b"],
      removed: ["c"],
      unchanged: 1,
    });
  });

  test("does not touch schedules of other owners, adopts those without owner, and keeps a pause", async () => {
    const b = bench();
    await syncSchedules(b.engine, list("theirs"), { owner: "other" });
    await b.add("free", "0 * * * *");
    await b.add("stranger", "0 * * * *");
    const report = await syncSchedules(b.engine, list("theirs@7", "free", "mine"), { owner: "app" });
    expect(report).toMatchObject({
      created: ["mine"],
      updated: ["free"],
      removed: [],
      conflicts: [{ name: "theirs", owner: "other" }],
    });
    await pauseSchedule(b.engine, "mine", { note: "by hand" });
    await syncSchedules(b.engine, list("mine"), { owner: "app" });
    const stored = await b.storage.listSchedules({ limit: 9 });
    expect(stored.map(({ name, owner, state }) => [name, owner, state])).toEqual([
      ["mine", "app", "paused"],
      ["stranger", null, "active"],
      ["theirs", "other", "active"],
    ]);
  });

  test("writes nothing with dryRun, and keeps what the list has no more with prune: false", async () => {
    const b = bench();
    await syncSchedules(b.engine, list("a", "b"), { owner: "app" });
    const before = await b.storage.listSchedules({ limit: 9 });
    expect(
      await syncSchedules(b.engine, list("a@3", "c"), { owner: "app", generation: 5, dryRun: true }),
    ).toMatchObject({
      created: ["c"],
      updated: ["a"],
      removed: ["b"],
    });
    expect(await b.storage.listSchedules({ limit: 9 })).toEqual(before);
    expect(await syncSchedules(b.engine, list("a"), { owner: "app", prune: false })).toMatchObject({
      removed: [],
      unchanged: 1,
    });
    expect(await b.storage.listSchedules({ limit: 9 })).toEqual(before);
  });

  test("checks the whole list before anything is written", async () => {
    const b = bench();
    const bad = [...list("a", "b"), { name: "c", expression: "nonsense", task: "work" }];
    await expect(syncSchedules(b.engine, bad, { owner: "app" })).rejects.toMatchObject({ code: "CRON_SYNTAX" });
    await expect(syncSchedules(b.engine, list("a", "a"), { owner: "app" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    await expect(syncSchedules(b.engine, list("a"), { owner: "" })).rejects.toMatchObject({ code: "NAME_INVALID" });
    expect(b.calls).toEqual([]);
  });

  test("closes out what an edited schedule had missed", async () => {
    const b = bench();
    await syncSchedules(b.engine, list("a", "b"), { owner: "app" });
    await b.clock.advance(2 * HOUR + MINUTE);
    expect(await syncSchedules(b.engine, list("a@30", "b"), { owner: "app" })).toMatchObject({
      updated: ["a"],
      unchanged: 1,
    });
    expect(await b.log("a")).toEqual(["01:00 fired", "02:00 fired"]);
    expect((await b.storage.listSchedules({ names: ["a"], limit: 1 }))[0]!.nextAt).toBe(START + 2.5 * HOUR);
  });

  test("compares many schedules page by page and writes them in batches", async () => {
    const b = bench({ storage: memory({ maxBatchRows: 50 }) });
    const many = list(...Array.from({ length: 420 }, (_, i) => `s${i}`));
    expect((await syncSchedules(b.engine, many, { owner: "app" })).created.length).toBe(420);
    b.calls.length = 0;
    expect((await syncSchedules(b.engine, many, { owner: "app" })).unchanged).toBe(420);
    expect(b.calls.filter((call) => call === "putSchedules").length).toBe(1);
    expect((await syncSchedules(b.engine, many.slice(200), { owner: "app" })).removed.length).toBe(200);
  });
});

describe("a rolling deploy", () => {
  test("old and new versions sync in any order, again and again, side by side: the newer list wins and nothing flaps", async () => {
    for (let seed = 1; seed <= 25; seed++) {
      const random = seededRandom(seed);
      const storage = memory({ maxBatchRows: 3 });
      const first = bench({ storage });
      await syncSchedules(first.engine, list("other@9"), { owner: "other", generation: 99 });
      const versions = [list("a", "b", "c", "dropped", "d", "e"), list("a@5", "b", "c", "added", "d", "f", "g")];
      const pods = Array.from({ length: 6 }, (_, i) => ({ b: bench({ storage, clock: first.clock }), version: i % 2 }));
      const runs = Array.from({ length: 12 }, () => random.pick(pods));
      runs[random.below(runs.length)] = pods[1]!;
      await Promise.all(
        runs.map(async ({ b, version }) => {
          for (let wait = random.below(30); wait > 0; wait--) await Promise.resolve();
          await syncSchedules(b.engine, versions[version]!, { owner: "app", generation: version });
        }),
      );
      const stored = await storage.listSchedules({ limit: 99 });
      expect(stored.map(({ name, owner }) => `${name} ${owner}`)).toEqual([
        "a app",
        "added app",
        "b app",
        "c app",
        "d app",
        "f app",
        "g app",
        "other other",
      ]);
      expect(JSON.parse(stored[0]!.definition).expression).toBe("5 * * * *");
      // An old pod that starts late changes nothing at all.
      const late = await syncSchedules(pods[0]!.b.engine, versions[0]!, { owner: "app", generation: 0 });
      expect(late).toMatchObject({ current: false, created: [], updated: [], removed: [] });
      expect(await storage.listSchedules({ limit: 99 })).toEqual(stored);
    }
  });
});

describe("an error of sync() names the schedule", () => {
  test.each([
    ["an expression", { expression: "61 * * * *" }, "CRON_SYNTAX", 'Cannot schedule "bad": cannot read the expression'],
    [
      "an option",
      { options: { catchup: "all" } },
      "OPTION_INVALID",
      'Cannot schedule "bad": no option is named "catchup"',
    ],
    ["a zone", { options: { timeZone: "Mars/Base" } }, "ZONE_UNKNOWN", 'Cannot schedule "bad"'],
    ["a task", { task: undefined }, "NAME_INVALID", 'Cannot schedule "bad"'],
    ["a name", { name: "" }, "NAME_INVALID", "entry 1 of the list"],
  ])("%s", async (_, change, code, says) => {
    const b = bench();
    const good = { name: "good", expression: "* * * * *", task: "work" };
    const list = [good, { ...good, name: "bad", ...change }] as Parameters<typeof syncSchedules>[1];
    const error = await syncSchedules(b.engine, list, { owner: "o" }).catch((error: unknown) => error);
    expect(error).toMatchObject({ code, message: expect.stringContaining(says) });
    expect(b.calls).toEqual([]);
  });

  test("an entry that is no schedule", async () => {
    const list = [null] as unknown as Parameters<typeof syncSchedules>[1];
    await expect(syncSchedules(bench().engine, list, { owner: "o" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining("entry 0 of the list"),
    });
  });
});
