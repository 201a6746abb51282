/** What moves an engine: the cost of a tick in storage calls, long ticks, running and closing. */
import { describe, expect, it } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { Belfry } from "../../mod.ts";
import type { Storage } from "../../src/storage/port.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";

const START = Date.UTC(2026, 0, 5, 12, 0, 0, 500);

/** A memory storage that writes down which methods are called. */
function counting(): { storage: Storage; calls: string[] } {
  const calls: string[] = [];
  const storage = new Proxy<Storage>(memory(), {
    get(target, name, receiver) {
      const value: unknown = Reflect.get(target, name, receiver);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls.push(String(name));
        return value.apply(target, args);
      };
    },
  });
  return { storage, calls };
}

function setUp() {
  const clock = new FakeClock(START);
  const { storage, calls } = counting();
  const belfry = new Belfry({ storage, clock, ids: countedIds(), onError: (error) => expect.fail(String(error)) });
  return { clock, calls, belfry };
}

describe("tick()", () => {
  it("costs one storage call when idle and two when it fires, however many schedules are due", async () => {
    const { belfry, calls, clock } = setUp();
    for (let i = 0; i < 300; i++) await belfry.schedule(`s${i}`, "* * * * *", "elsewhere");
    calls.length = 0;
    await belfry.tick();
    expect(calls).toEqual(["beginTick"]);
    calls.length = 0;
    clock.jump(60_000);
    expect(await belfry.tick({ work: false })).toMatchObject({ fired: 300, more: false });
    expect(calls).toEqual(["beginTick", "fire"]);
    await belfry.close();
  });

  it("with `for` serves schedules finer than its trigger, and leaves the rest to the next one", async () => {
    const { belfry, clock } = setUp();
    const at: number[] = [];
    await belfry.schedule(
      "secondly",
      "*/10 * * * * *",
      belfry.task("note", () => void at.push(clock.now())),
    );
    const tick = belfry.tick({ for: "55s" });
    await clock.advance("60s");
    expect(await tick).toMatchObject({ fired: 5, ran: 5, nextAt: START + 59_500 });
    expect(at).toEqual([1, 2, 3, 4, 5].map((k) => START - 500 + k * 10_000));
    await belfry.close();
  });

  it("with `for` fires what becomes due at its instant, however many jobs are ready", async () => {
    const { belfry, clock } = setUp();
    const ran: string[] = [];
    const slow = belfry.task(
      "slow",
      async () => {
        await new Promise<void>((resolve) => clock.setTimer(4_000, resolve));
        ran.push("slow");
      },
      { concurrency: 1 },
    );
    await belfry.enqueueMany(Array.from({ length: 20 }, () => ({ task: slow })));
    const at: number[] = [];
    await belfry.schedule(
      "secondly",
      "*/10 * * * * *",
      belfry.task("note", () => void at.push((clock.now() - START) / 1_000)),
    );
    const tick = belfry.tick({ for: "50s" });
    await clock.advance("60s");
    expect(await tick).toMatchObject({ fired: 5 });
    // They all waited for the end of the tick once, since a pass fired before it ran jobs and only then.
    expect(at).toEqual([10, 20, 30, 40, 50].map((second) => second - 0.5));
    await belfry.close();
  });

  it("with `for` does not spin on a job that it cannot run", async () => {
    const { belfry, clock, calls } = setUp();
    await belfry.enqueue("somewhere-else");
    const tick = belfry.tick({ for: "55s" });
    await clock.advance("60s");
    expect(await tick).toMatchObject({ fired: 0, ran: 0 });
    expect(calls.filter((name) => name === "beginTick").length).toBeLessThanOrEqual(56);
    await belfry.close();
  });

  it("with `for` finds what others registered meanwhile within five seconds", async () => {
    const { belfry, clock } = setUp();
    const tick = belfry.tick({ for: "30s" });
    await clock.advance("1s");
    const job = await belfry.enqueue(belfry.task("late", () => "done"));
    await clock.advance("5s");
    expect(await job.status()).toBe("completed");
    await clock.advance("30s");
    expect(await tick).toMatchObject({ ran: 1 });
    await belfry.close();
  });
});

describe("run() and close()", () => {
  it("runs once at a time, stops when aborted, and gives the lease up", async () => {
    const { belfry, clock, calls } = setUp();
    const stop = new AbortController();
    const running = belfry.run({ signal: stop.signal });
    await clock.advance("1s");
    await expect(belfry.run()).rejects.toMatchObject({ code: "OPTION_INVALID" });
    stop.abort();
    await clock.advance("1s");
    await running;
    expect(calls).toContain("resign");
    expect((await belfry.health()).lease).toBeNull();
    await belfry.close();
  });

  it("closing waits for the tick under way, and refuses what comes after", async () => {
    const { belfry, clock } = setUp();
    let ended = false;
    await belfry.enqueue(
      belfry.task("slow", async (ctx) => {
        await ctx.step("work", () => new Promise<void>((resolve) => clock.setTimer(3_000, resolve)));
        ended = true;
      }),
    );
    const tick = belfry.tick();
    await clock.advance("1s");
    const closing = belfry.close();
    await clock.advance("5s");
    await closing;
    await tick;
    expect(ended).toBe(true);
    await expect(belfry.enqueue("slow")).rejects.toMatchObject({ code: "CLOSED" });
    await expect(belfry.tick()).rejects.toMatchObject({ code: "CLOSED" });
    await belfry.close();
  });
});

describe("old history", () => {
  it("is removed as fast as ticks make it, where nothing but ticks runs", async () => {
    const clock = new FakeClock();
    const storage = memory();
    const belfry = new Belfry({ storage, clock, retention: { finished: "1h", failed: "1h", occurrences: "1h" } });
    belfry.task("t", () => 1);
    for (let minute = 0; minute < 300; minute++) {
      await belfry.enqueueMany(Array.from({ length: 40 }, () => ({ task: "t" })));
      await belfry.tick();
      await clock.advance(60_000);
    }
    const stored = (await storage.listJobs({ limit: 100_000 })).length;
    // An hour of jobs is 2,400; what waits for its round of maintenance comes on top.
    expect(stored).toBeLessThan(2 * 2_400);
    await belfry.close();
  });

  it("is removed by workers that fire no schedules", async () => {
    const clock = new FakeClock();
    const storage = memory();
    const belfry = new Belfry({ storage, clock, retention: { finished: "1h", failed: "1h", occurrences: "1h" } });
    belfry.task("t", () => 1);
    const stop = new AbortController();
    const running = belfry.run({ schedule: false, signal: stop.signal });
    await belfry.enqueueMany(Array.from({ length: 2_000 }, () => ({ task: "t" })));
    await clock.advance("3h");
    expect(await storage.listJobs({ limit: 10 })).toEqual([]);
    stop.abort();
    await running;
    await belfry.close();
  });
});
