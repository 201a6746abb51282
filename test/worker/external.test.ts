/** Workers in other languages: the operations of the storage port suffice to run jobs without this library's worker. */
import { describe, expect, test } from "vitest";
import { toJson } from "../../src/base/codec.ts";
import { getJob } from "../../src/job/view.ts";
import type { JobWrite } from "../../src/storage/port.ts";
import { Bench } from "../execution/harness.ts";

describe("a worker that uses only the storage port, as one in another language would", () => {
  test("claims, renews and completes a child job, whose parent goes on with its output", async () => {
    const bench = new Bench();
    bench.tasks.define(
      "parent",
      async (ctx) => `made ${await ctx.invoke<string>("render", "render-in-python", { page: 7 }, { queue: "python" })}`,
    );
    const node = bench.start({ queues: ["default"] });
    const { id } = await node.enqueue("parent");
    await bench.clock.settle();
    const now = bench.clock.now();
    const claim = {
      token: "py-1",
      worker: "python",
      queues: ["python"],
      tasks: ["render-in-python"],
      limit: 1,
      now,
      claimMs: 60_000,
    };
    const { jobs } = await bench.storage.claim(claim);
    expect(jobs).toMatchObject([
      { task: "render-in-python", input: '{"page":7}', attempt: 1, claims: 1, parentId: id },
    ]);
    // The reply was lost: the same token brings the same job.
    expect((await bench.storage.claim(claim)).jobs).toEqual(jobs);
    const child = jobs[0]!.id;
    expect(await bench.storage.renew({ now, claimMs: 60_000, claims: [{ id: child, token: "py-1" }] })).toMatchObject({
      kept: [child],
    });
    const step = {
      jobId: child,
      name: "draw",
      kind: "step",
      state: "done",
      seq: 0,
      tries: 1,
      attempt: 1,
      output: '"drawn"',
      error: null,
      wakeAt: null,
      childId: null,
      signalKey: null,
      startedAt: now,
      finishedAt: now,
    } as const;
    const write = {
      id: child,
      token: "py-1",
      steps: [step],
      forget: [],
      children: [],
      progress: "0.5",
      transition: null,
    };
    await bench.storage.save({ op: "py-a", now, claimMs: 60_000, writes: [write] });
    expect(await getJob(node.engine, child)).toMatchObject({
      progress: 0.5,
      steps: [{ name: "draw", output: "drawn" }],
    });
    const done: JobWrite = { ...write, steps: [], transition: { to: "completed", result: toJson("page 7", "result") } };
    await bench.storage.save({ op: "py-b", now, claimMs: 60_000, writes: [done] });
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "made page 7" });
    await node.stop();
  });

  test("takes over a job of this library with its history, and the other way round", async () => {
    const bench = new Bench();
    const ran: string[] = [];
    bench.tasks.define("shared", async (ctx) => {
      const first = await ctx.step("first", () => {
        ran.push("first");
        return "here";
      });
      return ctx.step("second", () => `${first}, then here`);
    });
    const node = bench.node();
    const { id } = await node.enqueue("shared");
    const now = bench.clock.now();
    await bench.storage.claim({
      token: "t",
      worker: "w",
      queues: ["default"],
      tasks: null,
      limit: 1,
      now,
      claimMs: 10_000,
    });
    const step = {
      jobId: id,
      name: "first",
      kind: "step",
      state: "done",
      seq: 0,
      tries: 1,
      attempt: 1,
      output: '"there"',
      error: null,
      wakeAt: null,
      childId: null,
      signalKey: null,
      startedAt: now,
      finishedAt: now,
    } as const;
    const transition = { to: "ready", availableAt: now, resuming: true, error: null } as const;
    await bench.storage.save({
      op: "a",
      now,
      claimMs: 1,
      writes: [{ id, token: "t", steps: [step], forget: [], children: [], transition }],
    });
    node.start();
    await bench.clock.settle();
    expect(await node.job(id)).toMatchObject({ state: "completed", output: "there, then here", attempt: 1 });
    expect(ran).toEqual([]);
    await node.stop();
  });
});
