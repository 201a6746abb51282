/** Reading schedules page by page, their next occurrences, and how the past ones ended. */

import { describe, expect, test } from "vitest";
import { pauseSchedule } from "../../src/schedule/control.ts";
import { listOccurrences, listSchedules, previewSchedule } from "../../src/schedule/list.ts";
import { registerSchedule } from "../../src/schedule/register.ts";
import { bench, DAY, HOUR, MINUTE, START } from "./kit.ts";

describe("listSchedules()", () => {
  test("pages in order of name, and filters", async () => {
    const b = bench();
    for (let i = 0; i < 25; i++)
      await b.add(`s${String(i).padStart(2, "0")}`, "0 * * * *", { tags: i % 5 === 0 ? ["five"] : [] });
    await b.add("s1", "0 * * * *");
    await b.add("t", "0 * * * *");
    await pauseSchedule(b.engine, "s03");
    const names = async (options: Parameters<typeof listSchedules>[1]): Promise<string[]> => {
      const found: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await listSchedules(b.engine, { ...options, ...(after === undefined ? {} : { after }) });
        found.push(...page.schedules.map(({ name }) => name));
        if (page.next === null) return found;
        after = page.next;
      }
    };
    expect((await names({ limit: 4 })).length).toBe(27);
    expect(await names({ tag: "five", limit: 2 })).toEqual(["s00", "s05", "s10", "s15", "s20"]);
    expect(await names({ state: "paused" })).toEqual(["s03"]);
    expect((await names({ prefix: "s1", limit: 3 })).length).toBe(11);
    expect(await names({ prefix: "s1", limit: 3 })).toContain("s1");
    expect(await names({ task: "nothing" })).toEqual([]);
  });

  test("occurrences() lists the log, newest first, of local times too", async () => {
    const b = bench({ timeZone: "Asia/Tokyo" });
    await b.add("s", "0 * * * *");
    await b.clock.advance(5 * HOUR);
    await b.scheduler.tick({ oneShot: true });
    expect((await listOccurrences(b.engine, "s", { limit: 2 })).map((row) => row.at)).toEqual([
      START + 5 * HOUR,
      START + 4 * HOUR,
    ]);
    expect(
      (
        await listOccurrences(b.engine, "s", { from: "2026-01-01 10:00", to: "2026-01-01 11:00", newestFirst: false })
      ).map((row) => row.at),
    ).toEqual([START + HOUR, START + 2 * HOUR]);
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
