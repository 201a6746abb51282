/** A handle to a job: reading, cancelling, retrying and signalling it by its id alone. */
import { expect, test } from "vitest";
import { createTestBelfry } from "../../src/testing/mod.ts";

test("job(id) reads, signals, cancels and retries the job of that id", async () => {
  await using t = createTestBelfry({ start: "2026-03-01T08:00:00Z" });
  const wait = t.belfry.task("wait", (ctx) => ctx.waitFor<number>("go"));
  const { id } = await t.belfry.enqueue(wait);
  await t.settle();
  const job = t.belfry.job<number>(id);
  expect(await job.get()).toMatchObject({ id, task: "wait", state: "waiting" });
  expect(await job.cancel({ reason: "changed my mind" })).toEqual([id]);
  expect(await job.cancel()).toEqual([]);
  await expect(job.result()).rejects.toMatchObject({ code: "JOB_CANCELLED" });
  expect(await job.retry()).toEqual([id]);
  await t.settle();
  expect(await job.status()).toBe("waiting");
  expect(await job.signal("go", 7, { key: "once" })).toBe("accepted");
  expect(await job.signal("go", 8, { key: "once" })).toBe("duplicate");
  await t.settle();
  expect(await job.result()).toBe(7);
});

test("job(id) of a job that is not stored: each call is JOB_UNKNOWN, and jobs.get() answers null", async () => {
  await using t = createTestBelfry();
  const job = t.belfry.job("no-such-job");
  for (const call of [job.get(), job.status(), job.result(), job.cancel(), job.retry(), job.signal("go")]) {
    await expect(call).rejects.toMatchObject({ code: "JOB_UNKNOWN" });
  }
  expect(await t.belfry.jobs.get("no-such-job")).toBeNull();
});
