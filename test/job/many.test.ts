/** Many jobs at once: what a filter selects, what is done to it, and that a dry run changes nothing. */
import { describe, expect, test } from "vitest";
import { createTestBelfry } from "../../src/testing/mod.ts";

const START = "2026-03-01T08:00:00Z";

/** Three parents that wait, each with a child that waits; one job that completed, two that failed. */
async function filled() {
  const t = createTestBelfry({ start: START, queues: ["default", "other"] });
  const child = t.belfry.task("child", async (ctx) => void (await ctx.waitFor("go")));
  const parent = t.belfry.task("parent", async (ctx) => void (await ctx.invoke("run", child)));
  const state = { broken: true };
  const flaky = t.belfry.task(
    "flaky",
    () => {
      if (state.broken) throw new Error("down");
    },
    { retry: false },
  );
  const parents = [await t.belfry.enqueue(parent), await t.belfry.enqueue(parent), await t.belfry.enqueue(parent)];
  await t.settle();
  const done = await t.belfry.enqueue(t.belfry.task("done", () => 1));
  const failed = [await t.belfry.enqueue(flaky), await t.belfry.enqueue(flaky, undefined, { queue: "other" })];
  await t.settle();
  const states = async () =>
    Object.fromEntries((await t.belfry.jobs.list({ limit: 1_000 })).map((job) => [job.id, job.state]));
  return { t, parents: parents.map((job) => job.id), done, failed: failed.map((job) => job.id), state, states };
}

describe("jobs.cancelMany()", () => {
  test("cancels the selected jobs and their descendants, and nothing else", async () => {
    const { t, parents, done, failed, states } = await filled();
    const before = await states();
    const children = (await t.belfry.jobs.list({ task: "child" })).map((job) => job.id);
    expect(children).toHaveLength(3);
    const cancelled = await t.belfry.jobs.cancelMany({ task: "parent" }, { reason: "not wanted" });
    expect(new Set(cancelled)).toEqual(new Set([...parents, ...children]));
    expect(await states()).toEqual({ ...before, ...Object.fromEntries(cancelled.map((id) => [id, "cancelled"])) });
    expect((await t.belfry.job(parents[0]!).get()).error).toMatchObject({
      code: "JOB_CANCELLED",
      message: "not wanted",
    });
    expect([await done.status(), await t.belfry.job(failed[0]!).status()]).toEqual(["completed", "failed"]);
    await t.close();
  });

  test("in a dry run tells exactly what it would cancel, and changes nothing", async () => {
    const { t, states } = await filled();
    const before = await states();
    const told = await t.belfry.jobs.cancelMany({ task: "parent" }, { dryRun: true });
    expect(await states()).toEqual(before);
    expect(told).toHaveLength(6);
    const cancelled = await t.belfry.jobs.cancelMany({ task: "parent" });
    expect(new Set(cancelled)).toEqual(new Set(told));
    await t.close();
  });

  test("with {} selects every unfinished job, over more than one page, and no job twice", async () => {
    const { t } = await filled();
    await t.belfry.enqueueMany(Array.from({ length: 450 }, () => ({ task: "elsewhere" })));
    const cancelled = await t.belfry.jobs.cancelMany({});
    expect(cancelled).toHaveLength(456);
    expect(new Set(cancelled).size).toBe(456);
    expect(await t.belfry.jobs.cancelMany({})).toEqual([]);
    await t.close();
  });

  test("stops at the limit, newest first", async () => {
    const { t, parents } = await filled();
    const cancelled = await t.belfry.jobs.cancelMany({ task: "parent", limit: 2 });
    expect(cancelled).toHaveLength(4);
    expect(await t.belfry.job(parents[0]!).status()).toBe("waiting");
    await t.close();
  });

  test("refuses states in which a job is over", async () => {
    const { t } = await filled();
    await expect(t.belfry.jobs.cancelMany({ states: ["failed"] })).rejects.toMatchObject({
      code: "JOB_STATE",
      message: 'Cannot cancel jobs in state "failed": states must be among ready, running, waiting',
    });
    await t.close();
  });
});

describe("jobs.retryMany()", () => {
  test("puts the selected jobs back; a dry run only tells which", async () => {
    const { t, failed, state, states } = await filled();
    state.broken = false;
    const before = await states();
    expect(await t.belfry.jobs.retryMany({}, { dryRun: true })).toEqual(failed.toReversed());
    expect(await states()).toEqual(before);
    expect(await t.belfry.jobs.retryMany({ queue: "default" })).toEqual([failed[0]]);
    await t.settle();
    expect(await states()).toMatchObject({ [failed[0]!]: "completed", [failed[1]!]: "failed" });
    await t.close();
  });

  test("puts cancelled jobs back where the filter asks for them", async () => {
    const { t, parents } = await filled();
    await t.belfry.jobs.cancelMany({ task: "parent" });
    expect(await t.belfry.jobs.retryMany({ states: ["cancelled"], task: "parent" })).toEqual(parents.toReversed());
    await t.settle();
    expect(await t.belfry.job(parents[0]!).status()).toBe("waiting");
    await expect(t.belfry.jobs.retryMany({ states: ["completed"] })).rejects.toMatchObject({ code: "JOB_STATE" });
    await t.close();
  });
});
