/** Why did it not run? Each answer, from the log, the schedule and its calendar. */

import { describe, expect, test } from "vitest";
import { backfillSchedule } from "../../src/schedule/backfill.ts";
import { pauseSchedule, resumeSchedule } from "../../src/schedule/control.ts";
import { explainOccurrence } from "../../src/schedule/explain.ts";
import { removeSchedule } from "../../src/schedule/register.ts";
import { bench, DAY, HOUR, MINUTE, START } from "./kit.ts";

describe('explain() answers "why did it not run at 09:00?"', () => {
  test("an occurrence that fired: how late, and how its job ended", async () => {
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

  test("a skipped occurrence: the reason, and the run of skipped ones that it belongs to", async () => {
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

  test("an instant without outcome: due, ahead, no occurrence, before startAt, after endAt, no such schedule", async () => {
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

  test("a local time that does not exist", async () => {
    const b = bench();
    await b.add("s", "30 2 * * *", { timeZone: "Europe/Berlin" });
    const answer = await explainOccurrence(b.engine, "s", "2026-03-29 02:30");
    expect(answer.outcome).toBe("none");
    expect(answer.text).toContain("does not exist in Europe/Berlin");
    expect(answer.text).toContain("2026-03-30 02:30:00 +02:00");
  });

  test("an occurrence before the schedule was registered, and its job once it is backfilled", async () => {
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
