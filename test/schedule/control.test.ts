/** Pausing, resuming and triggering by hand. */

import { describe, expect, test } from "vitest";
import { pauseSchedule, resumeSchedule, triggerSchedule } from "../../src/schedule/control.ts";
import { bench, DAY, HOUR, MINUTE, START } from "./kit.ts";

describe("pausing and resuming", () => {
  test("a schedule pauses by itself after pauseAfterFailures failed jobs in a row", async () => {
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

  test("resuming after a year of @every 1s counts what was missed without walking it", async () => {
    const b = bench();
    await b.add("s", "@every 1s");
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(365 * DAY);
    await resumeSchedule(b.engine, "s");
    expect(await b.storage.listOccurrences({ schedule: "s", limit: 9 })).toMatchObject([
      { count: 365 * 86_400, reason: "paused" },
    ]);
  });

  test("resuming records what was missed as skipped, so nothing bursts", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    await pauseSchedule(b.engine, "s");
    await b.clock.advance(10 * HOUR);
    await resumeSchedule(b.engine, "s");
    expect(await b.scheduler.tick({ oneShot: true })).toMatchObject({ fired: 0, nextAt: START + 10 * HOUR + MINUTE });
    expect(await b.log("s")).toEqual(["00:01..10:00 600 paused"]);
  });
});

describe("triggering", () => {
  test("makes a job now in any state, and does not move the schedule", async () => {
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

  test("follows the overlap policy, or the one given for this job", async () => {
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
