/** A handle to a job: reading, cancelling, retrying and signalling it by its id alone. */
import { expect, test } from "vitest";
import { createTestBelfry } from "../../src/testing/mod.ts";
import { Bench } from "../execution/harness.ts";

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

test("enqueue() with a known key returns the earlier job, and its result", async () => {
  const bench = new Bench();
  let ran = 0;
  bench.tasks.define("job", () => ++ran);
  const node = bench.start();
  const first = await node.enqueue("job", undefined, { key: "order-1" });
  await bench.clock.settle();
  const second = await node.enqueue("job", undefined, { key: "order-1" });
  expect([first.created, second.created, second.id === first.id]).toEqual([true, false, true]);
  expect(await second.result()).toBe(1);
  await node.stop();
});

test("result() finds by polling how a job ended in another process, and times out without effect on the job", async () => {
  const bench = new Bench();
  bench.tasks.define("job", async (ctx) => {
    await ctx.sleep("nap", "1m");
    return "late";
  });
  const waiting = bench.node();
  const handle = await waiting.enqueue("job");
  const node = bench.start();
  const early = handle.result({ timeout: "10s" });
  const caught = early.catch((error) => error.code);
  const late = handle.result();
  const aborted = handle.result({ signal: AbortSignal.abort(new Error("enough")) }).catch((error) => error.message);
  await bench.clock.advance("70s");
  expect(await caught).toBe("RESULT_TIMEOUT");
  expect(await aborted).toBe("enough");
  expect(await late).toBe("late");
  expect(await handle.status()).toBe("completed");
  await node.stop();
});

test("result() rejects with the code of how the job ended", async () => {
  const bench = new Bench();
  bench.tasks.define("job", () => 1);
  const node = bench.node();
  const handle = await node.enqueue("job", undefined, { expiresIn: "1m" });
  await bench.clock.advance("2m");
  node.start();
  const ended = handle.result().catch((error) => error.code);
  await bench.clock.advance("2s");
  expect(await ended).toBe("JOB_EXPIRED");
  await node.stop();
});
