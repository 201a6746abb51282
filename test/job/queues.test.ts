/** Queues: depths and settings in one list, limits in the words of tasks, pause and resume. */
import { expect, test } from "vitest";
import { createTestBelfry } from "../../src/testing/mod.ts";

test("queues.list() tells settings and depths of each queue", async () => {
  await using t = createTestBelfry({ start: "2026-03-01T08:00:00Z" });
  await t.belfry.enqueueMany([
    { task: "elsewhere", options: { queue: "mail" } },
    { task: "elsewhere", options: { queue: "mail", delay: "1h" } },
  ]);
  await t.belfry.queues.configure("mail", { concurrency: 2, rate: { count: 5, per: "1m" } });
  await t.belfry.queues.pause("reports");
  const none = { ready: 0, scheduled: 0, held: 0, running: 0, waiting: 0, failed: 0, oldestReadyAt: null };
  const list = await t.belfry.queues.list();
  expect(list.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
    {
      ...none,
      name: "mail",
      paused: false,
      concurrency: 2,
      rate: { count: 5, perMs: 60_000 },
      ready: 1,
      scheduled: 1,
      oldestReadyAt: Date.parse("2026-03-01T08:00:00Z"),
    },
    { ...none, name: "reports", paused: true, concurrency: null, rate: null },
  ]);
});

test("queues.configure() changes what it names and keeps the rest; null takes a limit away", async () => {
  await using t = createTestBelfry();
  const { queues } = t.belfry;
  const rate = { count: 5, perMs: 1_000 };
  expect(await queues.configure("mail", { rate: { count: 5, per: 1_000 } })).toEqual({
    name: "mail",
    paused: false,
    concurrency: null,
    rate,
  });
  expect(await queues.configure("mail", { concurrency: 3 })).toMatchObject({ concurrency: 3, rate });
  expect(await queues.pause("mail")).toMatchObject({ paused: true, concurrency: 3, rate });
  expect(await queues.configure("mail", { rate: null })).toMatchObject({ paused: true, concurrency: 3, rate: null });
  expect(await queues.resume("mail")).toEqual({ name: "mail", paused: false, concurrency: 3, rate: null });
});

test("queues.pause() keeps jobs from being claimed until queues.resume(), which wakes the worker", async () => {
  await using t = createTestBelfry();
  await t.belfry.queues.pause("default");
  const job = await t.belfry.enqueue(t.belfry.task("work", () => "done"));
  await t.advance("10m");
  expect(await job.status()).toBe("ready");
  await t.belfry.queues.resume("default");
  await t.settle();
  expect(await job.status()).toBe("completed");
});
