/** What a fired occurrence becomes: its job, when it expires, when it is available. */

import { describe, expect, test } from "vitest";
import { bench, HOUR, MINUTE, START } from "./kit.ts";

describe("the job of an occurrence", () => {
  test("expiresIn counts from the occurrence, not from the moment the job was enqueued", async () => {
    const b = bench();
    await b.add("s", "0 * * * *", { expiresIn: "90m" });
    await b.clock.advance(4 * HOUR + 10 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.log("s")).toEqual(["01:00..02:00 2 expired", "03:00 fired", "04:00 fired"]);
    expect((await b.jobs("s")).map((job) => job.expiresAt! - job.scheduledAt!)).toEqual([90 * MINUTE, 90 * MINUTE]);
    // And what waits in the queue too long is not claimed after it.
    await b.clock.advance(30 * MINUTE);
    await b.finish("s");
    expect((await b.jobs("s")).map((job) => job.state).reverse()).toEqual(["expired", "completed"]);
  });

  test("a job has the schedule and the occurrence that it was made for", async () => {
    const b = bench();
    await b.add("s", "0 * * * *");
    await b.clock.advance(HOUR + 17 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    expect(await b.jobs("s")).toMatchObject([{ schedule: "s", scheduledAt: START + HOUR }]);
  });
});
