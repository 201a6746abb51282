import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { BelfryError } from "../../src/base/error.ts";
import type { Storage, Wake } from "../../src/storage/port.ts";
import { type Bench, type BenchOptions, bench, bound, DAY, HOUR, MINUTE, SECOND, START } from "../schedule/kit.ts";

interface Runner extends Bench {
  stop(): Promise<void>;
}

function running(options: BenchOptions = {}): Runner {
  const b = bench(options);
  const controller = new AbortController();
  const done = b.scheduler.run(controller.signal);
  return {
    ...b,
    async stop() {
      controller.abort();
      await done;
    },
  };
}

const lateness = async (b: Bench, name: string): Promise<number[]> =>
  (await b.storage.listOccurrences({ schedule: name, limit: 10_000 })).map((row) => row.recordedAt - row.at);

describe("run()", () => {
  test("fires each occurrence at its instant, and asks the storage only then and to renew", async () => {
    const b = running();
    await b.clock.settle();
    await b.add("s", "*/2 * * * *");
    b.scheduler.wake();
    await b.clock.advance(10 * SECOND);
    b.calls.length = 0;
    await b.clock.advance(6 * MINUTE);
    expect(await lateness(b, "s")).toEqual([0, 0, 0]);
    // Once a third of the ttl of 15 s, and two for each occurrence.
    const { length } = b.calls.filter((call) => call !== "purge" && call !== "listSchedules");
    expect(length).toBeGreaterThan((6 * MINUTE) / (5 * SECOND) - 5);
    expect(length).toBeLessThan((6 * MINUTE) / (5 * SECOND) + 10);
    await b.stop();
    expect(b.errors).toEqual([]);
  });

  test("ticks again at once while more is due", async () => {
    const storage = memory({ maxBatchRows: 10 });
    const b = bench({ storage });
    await b.add("s", "@every 1s");
    await b.clock.advance(1_000 * SECOND);
    const controller = new AbortController();
    const done = b.scheduler.run(controller.signal);
    await b.clock.settle();
    expect((await b.log("s")).length).toBe(1_000);
    controller.abort();
    await done;
  });

  test("notices what another process registered when the storage pushes it", async () => {
    const storage = memory();
    const b = running({ storage });
    await b.clock.settle();
    const other = bench({ storage, clock: b.clock, holder: "other" });
    await b.clock.advance(2 * SECOND);
    await other.add("s", "* * * * * *");
    await b.clock.advance(3 * SECOND);
    expect(await lateness(b, "s")).toEqual([0, 0, 0]);
    await b.stop();
  });

  test("hands over at once when it stops", async () => {
    const storage = memory();
    const a = running({ storage, holder: "a" });
    await a.clock.settle();
    const b = running({ storage, holder: "b", clock: a.clock });
    await a.add("s", "@every 1s");
    await a.clock.advance(20 * SECOND + 500);
    expect([a.scheduler.leads, b.scheduler.leads]).toEqual([true, false]);
    await a.stop();
    await a.clock.advance(20 * SECOND);
    expect(b.scheduler.leads).toBe(true);
    expect(await lateness(a, "s")).toEqual(Array(40).fill(0));
    await b.stop();
  });

  test("hands over within 250 ms where the storage cannot push", async () => {
    const storage = deaf(memory());
    const a = running({ storage, holder: "a" });
    await a.clock.settle();
    const b = running({ storage, holder: "b", clock: a.clock });
    await a.add("s", "@every 1s");
    a.scheduler.wake();
    await a.clock.advance(20 * SECOND + 500);
    await a.stop();
    await a.clock.advance(20 * SECOND);
    expect(Math.max(...(await lateness(a, "s")))).toBeLessThanOrEqual(250);
    expect((await lateness(a, "s")).length).toBe(40);
    await b.stop();
  });

  test("leads again after the storage failed for a while, and misses no occurrence", async () => {
    const storage = memory();
    let away = false;
    const flaky = new Proxy(storage, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]) => {
          if (away && key !== "listOccurrences")
            return Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "refused"));
          return (value as (...args: unknown[]) => unknown).apply(target, args);
        };
      },
    });
    const b = running({ storage: flaky });
    await b.clock.settle();
    await b.add("s", "@every 1s");
    b.scheduler.wake();
    await b.clock.advance(5 * SECOND);
    away = true;
    await b.clock.advance(MINUTE);
    expect(b.scheduler.leads).toBe(false);
    // It is told when it begins and once a minute, not at each of its tries.
    expect(b.errors.length).toBe(1);
    away = false;
    await b.clock.advance(MINUTE);
    expect(b.scheduler.leads).toBe(true);
    const rows = await b.storage.listOccurrences({ schedule: "s", limit: 1_000 });
    expect(rows.map((row) => row.at)).toEqual(Array.from({ length: 125 }, (_, i) => START + (i + 1) * SECOND));
    await b.stop();
  });

  test("notices within a second that the clock was set, or that a laptop slept", async () => {
    const b = running();
    await b.clock.settle();
    await b.add("s", "0 * * * *");
    b.scheduler.wake();
    await b.clock.advance(10 * SECOND);
    // Asleep for eight hours: wall time went on, elapsed time stood still.
    b.clock.jump(8 * HOUR);
    await b.clock.advance(SECOND);
    expect((await b.log("s")).length).toBe(8);
    b.clock.jump(-8 * HOUR);
    b.calls.length = 0;
    await b.clock.advance(SECOND);
    expect(b.calls).toContain("beginTick");
    // The lease was renewed by the corrected clock, so nobody is held off by it.
    expect((await b.storage.stats({ now: b.clock.now() })).lease!.expiresAt).toBeLessThanOrEqual(
      b.clock.now() + 15 * SECOND,
    );
    b.clock.jump(10 * HOUR);
    await b.clock.advance(SECOND);
    expect((await b.log("s")).length).toBe(10);
    expect(new Set((await b.jobs("s")).map((job) => job.scheduledAt)).size).toBe(10);
    await b.stop();
  });

  test("waits past 24.8 days", async () => {
    const b = bench();
    await b.add("s", { at: START + 40 * DAY });
    expect(await b.scheduler.tick({ oneShot: true })).toMatchObject({ nextAt: START + 40 * DAY });
    await b.clock.advance(40 * DAY - 90 * SECOND);
    const controller = new AbortController();
    const done = b.scheduler.run(controller.signal);
    await b.clock.advance(100 * SECOND);
    expect(await lateness(b, "s")).toEqual([0]);
    controller.abort();
    await done;
  });

  test("removes old history in chunks while it leads", async () => {
    const b = bench();
    await b.add("s", "@every 1m", { maxFires: 1_300 });
    await b.clock.advance(1_300 * MINUTE);
    await b.scheduler.tick({ oneShot: true });
    await b.finish("s");
    expect((await b.jobs("s")).length).toBe(1_300);
    const controller = new AbortController();
    const done = b.scheduler.run(controller.signal);
    b.clock.jump(8 * DAY);
    await b.clock.advance(3 * MINUTE);
    expect((await b.jobs("s")).length).toBe(0);
    expect((await b.log("s")).length).toBe(1_300);
    b.clock.jump(23 * DAY);
    await b.clock.advance(3 * MINUTE);
    expect(await b.log("s")).toEqual([]);
    controller.abort();
    await done;
  });

  test("makes schedules active again that an older version marked broken", async () => {
    const b = bench();
    await b.add("s", "* * * * *");
    const [record] = await b.storage.listSchedules({ limit: 1 });
    const broken = { ...record!, state: "broken" as const, note: "a newer one wrote it" };
    const put = { revision: record!.revision, record: broken, jobs: [], occurrences: [] };
    await b.storage.putSchedules({ op: "x", now: START, puts: [put], removes: [], owner: null });
    const controller = new AbortController();
    const done = b.scheduler.run(controller.signal);
    await b.clock.advance(3 * MINUTE);
    expect((await b.log("s")).length).toBe(3);
    controller.abort();
    await done;
  });

  test("ticks when schedules change, not on every commit of the file", async () => {
    const storage = memory();
    let push: (wake: Wake) => void = () => {};
    const listening = Object.assign(Object.create(storage), {
      listen: (onWake: (wake: Wake) => void) => {
        push = onWake;
        return Promise.resolve(() => Promise.resolve());
      },
    }) as Storage;
    const b = bench({ storage: bound(listening, storage) });
    await b.add("s", "0 * * * *");
    const stop = new AbortController();
    const running = b.scheduler.run(stop.signal);
    await b.clock.settle();
    b.calls.length = 0;
    for (let i = 0; i < 500; i++) {
      push(i % 2 === 0 ? "jobs" : "any");
      await b.clock.advance(2);
    }
    expect(b.calls).toEqual([]);
    push("schedules");
    await b.clock.advance(10);
    expect(b.calls).toEqual(["beginTick"]);
    stop.abort();
    await running;
  });
});

describe("a leader that was frozen", () => {
  test("between reading and firing fires nothing once another leads", async () => {
    const storage = memory();
    const b = bench({ storage, holder: "b" });
    const frozen = new Proxy(storage, {
      get(target, key) {
        if (key !== "fire") {
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        }
        return async (request: Parameters<Storage["fire"]>[0]) => {
          await b.clock.advance(20 * SECOND);
          expect(await b.scheduler.tick()).toMatchObject({ leader: true, fired: 1 });
          return await storage.fire(request);
        };
      },
    });
    const a = bench({ storage: frozen, holder: "a", clock: b.clock });
    await a.add("s", "* * * * *");
    await b.clock.advance(MINUTE);
    expect(await a.scheduler.tick()).toMatchObject({ leader: false, fired: 0, more: true });
    expect(a.scheduler.leads).toBe(false);
    expect(await a.log("s")).toEqual(["00:01 fired"]);
    expect((await a.jobs("s")).length).toBe(1);
  });
});

describe("a storage that is a server", () => {
  test.each([10 * MINUTE, -10 * MINUTE])("with a host whose clock is off by %d ms: its time counts", async (offMs) => {
    const truth = bench();
    const storage = memory({ time: () => truth.clock.now() });
    const a = bench({ storage, holder: "a", clock: truth.clock });
    const b = bench({ storage, holder: "b" });
    b.clock.jump(offMs);
    await a.add("s", "@every 10s");
    const [stopA, stopB] = [new AbortController(), new AbortController()];
    const runs = [a.scheduler.run(stopA.signal), b.scheduler.run(stopB.signal)];
    const holders = new Set<string>();
    for (let i = 0; i < 240; i++) {
      await truth.clock.advance(250);
      await b.clock.advance(250);
      holders.add((await storage.stats({ now: truth.clock.now() })).lease?.holder ?? "none");
    }
    const rows = await storage.listOccurrences({ schedule: "s", limit: 99 });
    expect(rows.length).toBe(6);
    for (const row of rows) expect(Math.abs(row.recordedAt - row.at)).toBeLessThan(500);
    expect(holders.size).toBe(1);
    const skewed = await b.scheduler.tick();
    expect(Math.abs(skewed.skewMs + offMs)).toBeLessThan(500);
    stopA.abort();
    stopB.abort();
    await Promise.all(runs);
  });
});

/** A storage that cannot push. */
function deaf(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = key === "listen" ? undefined : Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
