/** Can a user test schedules, retries, signals and crashes with a few lines, and in order? */
import { expect, test } from "vitest";
import { createTestBelfry } from "../../src/testing/mod.ts";

test("advance() fires and runs all that is due, in order", async () => {
  await using t = createTestBelfry({ start: "2026-01-01T00:30:00Z" });
  const ran: string[] = [];
  const tell = t.belfry.task("tell", (ctx, input: string) => {
    ran.push(`${input} ${new Date(ctx.job.scheduledAt!).toISOString().slice(11, 16)}`);
  });
  await t.belfry.schedule("hourly", "0 * * * *", tell, { input: "hour" });
  await t.belfry.schedule("late", "30 2 * * *", tell, { input: "late" });
  await t.advance("3h");
  expect(ran).toEqual(["hour 01:00", "hour 02:00", "late 02:30", "hour 03:00"]);
  await t.advance("1d");
  expect(ran.length).toBe(4 + 24 + 1);
  expect(t.errors).toEqual([]);
});

test("failStep() makes a step fail as often as asked, and retries go on from what was saved", async () => {
  await using t = createTestBelfry();
  const calls: string[] = [];
  const task = t.belfry.task(
    "order",
    async (ctx) => {
      await ctx.step("charge", () => void calls.push("charge"));
      await ctx.step("mail", () => void calls.push("mail"));
      return "done";
    },
    { retry: { maxAttempts: 3, initial: "1s" } },
  );
  t.failStep("mail", new Error("smtp is down"), { times: 2 });
  t.failStep("mail", new Error("never"), { task: "another" });
  const job = await t.belfry.enqueue(task);
  await t.advance("1m");
  expect(await job.result()).toBe("done");
  expect(calls).toEqual(["charge", "mail"]);
  expect((await t.belfry.jobs.get(job.id))?.attempt).toBe(3);
});

test("crash() kills the engine between two awaits; the next one takes over and repeats no finished step", async () => {
  await using t = createTestBelfry({ claimTtl: "30s" });
  const calls: string[] = [];
  const task = t.belfry.task("long", async (ctx) => {
    await ctx.step("one", () => void calls.push("one"));
    // A step that never ends in the first life.
    await ctx.step("two", () => {
      calls.push("two");
      return calls.filter((call) => call === "two").length === 1 ? new Promise(() => {}) : "ended";
    });
    return "done";
  });
  const { id } = await t.belfry.enqueue(task);
  await t.advance("1s");
  expect(calls).toEqual(["one", "two"]);
  await t.crash();
  await t.advance("28s");
  expect(calls).toEqual(["one", "two"]);
  await t.advance("5s");
  expect(calls).toEqual(["one", "two", "two"]);
  expect(await t.belfry.job(id).result()).toBe("done");
});

test("schedules go on after a crash, without a gap and without a double", async () => {
  await using t = createTestBelfry();
  const ran: number[] = [];
  const task = t.belfry.task("minute", (ctx) => void ran.push(ctx.job.scheduledAt!));
  await t.belfry.schedule("minutely", "* * * * *", task);
  for (let i = 0; i < 5; i++) {
    await t.advance("7m");
    await t.crash();
  }
  await t.advance("1m");
  expect(ran.length).toBe(36);
  expect(ran.map((at) => at - ran[0]!)).toEqual(ran.map((_, i) => i * 60_000));
});

test("signals, sleeps and timeouts follow the clock that the test moves", async () => {
  await using t = createTestBelfry();
  const task = t.belfry.task("approval", async (ctx) => {
    await ctx.sleep("think", "1d");
    return (await ctx.waitFor<string>("yes", { timeout: "2d" })) ?? "nobody";
  });
  const [first, second] = [await t.belfry.enqueue(task), await t.belfry.enqueue(task)];
  await t.advance("1d");
  await first.signal("yes", "granted");
  await t.settle();
  expect(await first.result()).toBe("granted");
  await t.advance("2d");
  expect(await second.result()).toBe("nobody");
});

test("the same seed gives the same ids and chances, another seed others", async () => {
  const play = async (seed: number): Promise<unknown> => {
    await using t = createTestBelfry({ seed });
    const task = t.belfry.task("draw", (ctx) => ctx.random());
    const job = await t.belfry.enqueue(task);
    await t.settle();
    return [job.id, await job.result()];
  };
  expect(await play(1)).toEqual(await play(1));
  expect(await play(1)).not.toEqual(await play(2));
});

test("a wall clock that is moved is noticed: what became due fires", async () => {
  await using t = createTestBelfry({ start: "2026-01-01T00:30:00Z" });
  const ran: number[] = [];
  const task = t.belfry.task("hourly", (ctx) => void ran.push(ctx.job.scheduledAt!));
  await t.belfry.schedule("hourly", "0 * * * *", task);
  await t.advance("1m");
  t.clock.jump(2 * 3_600_000);
  await t.advance("1s");
  expect(ran.map((at) => new Date(at).toISOString().slice(11, 16))).toEqual(["01:00", "02:00"]);
});
