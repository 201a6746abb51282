/** What a handler reads from its context: the job, and a log. */
import { expect, test } from "vitest";
import { Bench } from "./harness.ts";

test("ctx.job has the schedule and the occurrence, however late the job runs", async () => {
  const bench = new Bench();
  const seen: unknown[] = [];
  bench.tasks.define("job", (ctx) => void seen.push([ctx.job.schedule, ctx.job.scheduledAt]));
  const node = bench.start();
  const at = bench.clock.now() - 3_600_000;
  await bench.storage.enqueue({
    op: "fire",
    now: bench.clock.now(),
    jobs: [
      {
        id: "fired",
        task: "job",
        queue: "default",
        priority: 0,
        availableAt: at,
        expiresAt: null,
        key: null,
        input: "",
        options: "{}",
        schedule: "hourly",
        scheduledAt: at,
        parentId: null,
        limit: null,
      },
    ],
  });
  await bench.clock.settle();
  expect(seen).toEqual([["hourly", at]]);
  await node.stop();
});

test("ctx.log is silent while history is replayed", async () => {
  const bench = new Bench();
  const lines: string[] = [];
  bench.tasks.define("job", async (ctx) => {
    await ctx.step("a", () => 1);
    ctx.log.info("after a");
    await ctx.sleep("later", "1h");
    ctx.log.info("after sleep");
  });
  const node = bench.node();
  Object.assign(node.engine, { logger: { ...node.engine.logger, info: (text: string) => lines.push(text) } });
  node.start();
  await node.enqueue("job");
  await bench.clock.advance("1h");
  expect(lines).toEqual(["after a", "after sleep"]);
  await node.stop();
});
