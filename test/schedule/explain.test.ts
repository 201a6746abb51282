import { describe, expect, test } from "vitest";
import { backfillSchedule } from "../../src/schedule/backfill.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { explainOccurrence } from "../../src/schedule/explain.ts";
import { checkHealth } from "../../src/schedule/health.ts";
import { listOccurrences, listSchedules } from "../../src/schedule/list.ts";
import { removeSchedule } from "../../src/schedule/register.ts";
import { bench, DAY, HOUR, MINUTE, START } from "./kit.ts";

describe('explain() answers "why did it not run at 09:00?"', () => {
  test("it did, and its job failed", async () => {
    const b = bench();
    await b.add("s", "0 9 * * *");
    await b.clock.advance(9 * HOUR + 5 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await explainOccurrence(b.engine, "s", "2026-01-01 09:00")).toMatchObject({
      outcome: "fired",
      at: START + 9 * HOUR,
      job: { state: "ready" },
      text: expect.stringMatching(
        /fired, 5m late\. Job .* waits in queue "default" for a worker that knows task "work"/,
      ),
    });
    await b.finish("s", "failed");
    expect((await explainOccurrence(b.engine, "s", START + 9 * HOUR)).text).toContain("failed at attempt 1");
  });

  test("another job was unfinished; it was too late; it was dropped; it was paused; it is excluded", async () => {
    const b = bench();
    await b.add("overlap", "0 * * * *", { overlap: "skip" });
    await b.add("expired", "0 * * * *", { expiresIn: "10m" });
    await b.add("latest", "0 * * * *", { catchUp: "latest" });
    await b.add("paused", "0 * * * *");
    await b.add("excluded", "0 * * * *", { exclude: ["2026-01-01"] });
    await pauseSchedule(b.engine, "paused", { note: "deploy" });
    await b.clock.advance(12 * HOUR + 20 * MINUTE);
    while ((await b.scheduler.tick({ oneShot: true })).more);
    expect((await explainOccurrence(b.engine, "paused", "2026-01-01 09:00")).text).toContain(
      "is paused (deploy), so the occurrence",
    );
    await resumeSchedule(b.engine, "paused");
    for (const [name, reason, says] of [
      ["overlap", "overlap", "an earlier job of this schedule was unfinished"],
      ["expired", "expired", "more than expiresIn"],
      ["latest", "catch-up", "the catchUp policy drops it"],
      ["paused", "paused", 'was paused, and resumed with missed: "skip"'],
      ["excluded", "excluded", "it is excluded"],
    ] as const) {
      const answer = await explainOccurrence(b.engine, name, "2026-01-01 09:00");
      expect(answer).toMatchObject({ outcome: "skipped", reason, at: START + 9 * HOUR, job: null });
      expect(answer.text).toContain(says);
      expect(answer.text).toContain("others from 2026-01-01");
    }
  });

  test("nothing ticks; it is no occurrence; it lies ahead; it was before or after its time", async () => {
    const b = bench();
    await b.add("s", "30 9 * * *", { startAt: "2026-01-02", endAt: "2026-01-05" });
    const ask = (at: string) => explainOccurrence(b.engine, "s", at);
    expect(await ask("2026-01-03 09:30")).toMatchObject({ outcome: "upcoming" });
    expect(await ask("2026-01-01 09:30")).toMatchObject({
      outcome: "none",
      text: expect.stringContaining("before startAt"),
    });
    expect(await ask("2026-01-06 09:30")).toMatchObject({
      outcome: "none",
      text: expect.stringContaining("after endAt"),
    });
    expect(await ask("2026-01-03 09:00")).toMatchObject({
      outcome: "none",
      previousAt: START + DAY + 9.5 * HOUR,
      nextAt: START + 2 * DAY + 9.5 * HOUR,
      text: expect.stringContaining("no occurrence"),
    });
    await b.clock.advance(2 * DAY);
    expect(await ask("2026-01-02 09:30")).toMatchObject({
      outcome: "pending",
      text: expect.stringContaining("no process ticks"),
    });
    expect(await explainOccurrence(b.engine, "t", START)).toMatchObject({
      outcome: "unknown",
      text: expect.stringContaining("No schedule is named"),
    });
    await removeSchedule(b.engine, "s");
    expect(await ask("2026-01-02 09:30")).toMatchObject({ outcome: "unknown" });
  });

  test("that local time does not exist", async () => {
    const b = bench();
    await b.add("s", "30 2 * * *", { timeZone: "Europe/Berlin" });
    const answer = await explainOccurrence(b.engine, "s", "2026-03-29 02:30");
    expect(answer.outcome).toBe("none");
    expect(answer.text).toContain("does not exist in Europe/Berlin");
    expect(answer.text).toContain("2026-03-30 02:30:00 +02:00");
  });

  test("it was before the schedule was there, and is backfilled then", async () => {
    const b = bench();
    await b.clock.advance(12 * HOUR);
    await b.add("s", "0 * * * *");
    expect(await explainOccurrence(b.engine, "s", "2026-01-01 09:00")).toMatchObject({
      outcome: "none",
      text: expect.stringContaining("registered only at"),
    });
    await backfillSchedule(b.engine, "s", { from: "2026-01-01 09:00", to: "2026-01-01 10:00" });
    expect(await explainOccurrence(b.engine, "s", "2026-01-01 09:00")).toMatchObject({
      job: { scheduledAt: START + 9 * HOUR },
      text: expect.stringContaining("It was backfilled"),
    });
  });
});

describe("backfill()", () => {
  test("runs what did not fire, once, at its rate, and leaves the rest to the schedule", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { catchUp: "latest", exclude: ["2026-01-01T03:00:00Z"] });
    await b.clock.advance(6 * HOUR);
    await b.scheduler.tick({ oneShot: true });
    await b.clock.advance(2 * HOUR);
    const range = { from: START, to: START + DAY, rate: { count: 1, per: "10s" } } as const;
    expect(await backfillSchedule(b.engine, "s", range)).toEqual({ enqueued: 5, existing: 1, excluded: 1 });
    expect(await backfillSchedule(b.engine, "s", range)).toEqual({ enqueued: 0, existing: 6, excluded: 1 });
    const made = (await b.jobs("s")).filter((job) => job.key !== null).reverse();
    expect(made.map((job) => [job.scheduledAt! - START, job.availableAt! - b.clock.now()])).toEqual([
      [0, 0],
      [1 * HOUR, 10_000],
      [2 * HOUR, 20_000],
      [4 * HOUR, 30_000],
      [5 * HOUR, 40_000],
    ]);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.log("s")).toEqual([
      "01:00..02:00 2 catch-up",
      "03:00 excluded",
      "04:00..05:00 2 catch-up",
      "06:00 fired",
      "07:00 catch-up",
      "08:00 fired",
    ]);
    await expect(backfillSchedule(b.engine, "s", { from: "2020-01-01", to: START })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});

describe("health()", () => {
  test("is ok when all is well", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    expect(await checkHealth(b.engine, { deep: true })).toMatchObject({
      ok: true,
      problems: [],
      nextAt: START + HOUR,
      lagMs: 0,
      schedules: { active: 1 },
    });
  });

  test("names a missing ticker, a lagging one, broken rows, those that paused themselves", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    await b.add("failing", "0 * * * *", { pauseAfterFailures: 1 });
    await b.clock.advance(2 * HOUR);
    expect((await checkHealth(b.engine)).problems).toMatchObject([
      { code: "no-ticker", message: expect.stringContaining("due for 1h and no process ticks") },
    ]);
    await b.scheduler.tick();
    await b.finish("failing", "failed");
    const [record] = await b.storage.listSchedules({ names: ["s"], limit: 1 });
    const put = {
      revision: record!.revision,
      record: { ...record!, definition: '{"newer":1}' },
      jobs: [],
      occurrences: [],
    };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    expect(
      (await checkHealth(b.engine, { deep: true })).problems.map(({ code, schedule }) => [code, schedule]),
    ).toEqual([
      ["failing", "failing"],
      ["broken", "s"],
    ]);
    await b.clock.advance(2 * HOUR);
    await b.scheduler.tick();
    const { problems, ok } = await checkHealth(b.engine);
    expect(ok).toBe(false);
    expect(problems.find(({ code }) => code === "broken")!.message).toContain(
      'the field "newer", which this version of Belfry does not know',
    );
  });

  test("names an active schedule with no next occurrence", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    const [record] = await b.storage.listSchedules({ limit: 1 });
    const put = { revision: record!.revision, record: { ...record!, nextAt: null }, jobs: [], occurrences: [] };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    expect((await checkHealth(b.engine)).problems).toMatchObject([{ code: "stopped", schedule: "s" }]);
  });
});

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
