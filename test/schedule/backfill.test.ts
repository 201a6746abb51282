/** Running occurrences of the past, each once. */

import { describe, expect, test } from "vitest";
import { backfillSchedule } from "../../src/schedule/backfill.ts";
import { bench, DAY, HOUR, START } from "./kit.ts";

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
