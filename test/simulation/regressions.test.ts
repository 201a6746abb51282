/** Faults that the simulator and the torture test found, each in a test of its own that names the seed. */
import { expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { CorrectedClock } from "../../src/base/clock.ts";
import { BelfryError } from "../../src/base/error.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import type { Context } from "../../src/task/context.ts";
import { FatalError } from "../../src/task/retry.ts";
import { FakeClock } from "../../src/testing/mod.ts";

test("a tick soon after the storage failed does not spin: it waits a moment and goes on (seed 3)", async () => {
  const storage = memory();
  const clock = new FakeClock();
  let fails = true;
  const flaky = {
    ...storage,
    claim: (request: Parameters<typeof storage.claim>[0]) => {
      if (!fails) return storage.claim(request);
      fails = false;
      return Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "not now"));
    },
  };
  const belfry = new Belfry({ storage: flaky, clock, logger: silentLogger });
  const task = belfry.task("t", () => "done");
  const job = await belfry.enqueue(task);
  await expect(belfry.tick()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  const second = belfry.tick();
  await clock.advance("2s");
  expect((await second).ran).toBe(1);
  expect(await job.result()).toBe("done");
  await belfry.close();
});

test("a slow reply after a suspension does not set the corrected clock ahead of the server (seed 45)", async () => {
  const host = new FakeClock(0);
  const clock = new CorrectedClock(host);
  const server = (): number => 1_000_000 + host.monotonic();
  clock.observe(server(), clock.monotonic());
  expect(clock.now()).toBe(1_000_000);
  // The request waits 16 s on its way; the reply comes at once. The server has gone on 8 s more than this host's elapsed time.
  const sentMs = clock.monotonic();
  await host.advance(16_000);
  const time = server() + 8000;
  clock.observe(time, sentMs);
  expect(clock.now()).toBe(time);
  // A slow reply within the uncertainty of its round trip changes nothing.
  const before = clock.now();
  const sentAgainMs = clock.monotonic();
  await host.advance(1000);
  clock.observe(time + 600, sentAgainMs);
  expect(clock.now()).toBe(before + 1000);
});

test("a slow first reply does not set the corrected clock ahead of the server", async () => {
  const host = new FakeClock(0);
  const clock = new CorrectedClock(host);
  const sentMs = clock.monotonic();
  await host.advance(10_000);
  clock.observe(5_000_000, sentMs);
  expect(clock.now()).toBe(5_000_000);
});

for (const make of [memory, () => sqlite(":memory:")]) {
  const storage = make();
  test(`${storage.name}: a spawned job is stored, in a write that goes on and in the one that ends its job (torture)`, async () => {
    const belfry = new Belfry({ storage, logger: silentLogger });
    const ran: string[] = [];
    const kid = belfry.task("kid", (_, name: string) => {
      ran.push(name);
    });
    const parent = belfry.task("parent", async (ctx) => [
      await ctx.spawn("first", kid, "first"),
      await ctx.step("between", () => 1),
      await ctx.spawn("last", kid, "last"),
    ]);
    const job = await belfry.enqueue(parent);
    while ((await belfry.tick()).ran > 0);
    const [first, , last] = await job.result();
    expect(ran.sort()).toEqual(["first", "last"]);
    for (const id of [first, last]) expect((await belfry.jobs.get(id as string))?.state).toBe("completed");
    await belfry.close();
  });
}

test("a schedule that is edited on a host whose clock is behind does not go back before its last outcome (seed 31)", async () => {
  const storage = memory();
  const [ahead, behind] = [new FakeClock(1_000_000), new FakeClock(1_000_000)];
  const [one, other] = [ahead, behind].map((clock) => new Belfry({ storage, clock, logger: silentLogger }));
  for (const belfry of [one!, other!]) belfry.task("t", () => "done");
  await one!.schedule("s", "*/4 * * * * *", "t");
  await ahead.advance("20s");
  await one!.tick();
  const last = (await storage.listOccurrences({ schedule: "s", newestFirst: true, limit: 1 }))[0]!.at;
  await other!.schedule("s", "*/2 * * * * *", "t", { catchUp: "latest" });
  expect((await storage.listSchedules({ names: ["s"], limit: 1 }))[0]!.nextAt).toBe(last + 2000);
  // What is left out from there on has its place in the log.
  await ahead.advance("10s");
  await one!.tick();
  const outcomes = await storage.listOccurrences({ schedule: "s", from: last + 1, limit: 10 });
  expect(outcomes.map(({ at, untilAt, count }) => [at - last, untilAt - last, count])).toEqual([
    [2000, 8000, 4],
    [10_000, 10_000, 1],
  ]);
  for (const belfry of [one!, other!]) await belfry.close();
});

for (const make of [memory, () => sqlite(":memory:")]) {
  const storage = make();
  test(`${storage.name}: a job that is retried when the child it waited for was purged begins it anew (seed 402429)`, async () => {
    let broken = true;
    const parent = (ctx: Context): Promise<unknown> =>
      Promise.all([
        ctx.invoke("child", "kid"),
        ctx.step("other", () => {
          if (broken) throw new FatalError("broken");
          return "mended";
        }),
      ]);
    const first = new Belfry({ storage, logger: silentLogger });
    first.task("parent", parent);
    const job = await first.enqueue("parent");
    await first.tick();
    // It fails beside its child, which ends with it. Failed jobs are kept longer than cancelled ones.
    expect((await first.jobs.get(job.id))?.state).toBe("failed");
    const gone = { finishedBefore: 1e15, failedBefore: 0, occurrencesBefore: 0, limit: 10 };
    expect((await storage.purge({ now: 0, ...gone })).jobs).toBe(1);
    broken = false;
    const second = new Belfry({ storage, logger: silentLogger });
    second.task("parent", parent);
    second.task("kid", () => "from the child");
    await second.job(job.id).retry();
    while ((await second.tick()).ran > 0);
    expect((await storage.getJob({ id: job.id }))?.result).toBe('["from the child","mended"]');
    await first.close();
  });
}

test("of two concurrent ticks only one resends a claim whose reply was lost, so its job runs once (seed 411661)", async () => {
  const storage = memory();
  const clock = new FakeClock();
  const tokens: string[] = [];
  let release = (): void => {};
  const late = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = {
    ...storage,
    claim: async (request: Parameters<typeof storage.claim>[0]) => {
      const reply = await storage.claim(request);
      tokens.push(request.token);
      if (tokens.length === 1) throw new BelfryError("STORAGE_UNAVAILABLE", "the reply was lost");
      // The reply to the resend is late enough for the other tick to send a claim, if it were allowed to.
      if (tokens.length === 2) await late;
      return reply;
    },
  };
  const belfry = new Belfry({ storage: slow, clock, logger: silentLogger, concurrency: 1 });
  const runs: string[] = [];
  const task = belfry.task("t", (ctx, name: string) => ctx.step("once", () => runs.push(name)));
  await belfry.enqueue(task, "first");
  await belfry.enqueue(task, "second");
  await expect(belfry.tick()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  const ticks = [belfry.tick(), belfry.tick()];
  await clock.advance("5s");
  expect(tokens).toHaveLength(2);
  release();
  await clock.advance("5s");
  await Promise.all(ticks);
  expect(tokens[1]).toBe(tokens[0]);
  expect(runs.sort()).toEqual(["first", "second"]);
  await belfry.close();
});
