/** Every call of a storage ends within the bound, whatever the storage does; see src/engine/bounded.ts. */
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { Belfry } from "../../mod.ts";
import type { Clock } from "../../src/base/clock.ts";
import { BelfryError } from "../../src/base/error.ts";
import type { Logger } from "../../src/base/log.ts";
import { boundStorage } from "../../src/engine/bounded.ts";
import { Outage } from "../../src/engine/outage.ts";
import type { CallOptions, ClaimRequest, Storage } from "../../src/storage/port.ts";
import { FakeClock } from "../../src/testing/mod.ts";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A memory storage whose calls go through `answer` first. */
function through(answer: (name: string, args: unknown[]) => Promise<unknown> | undefined): Storage {
  const storage = memory();
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) =>
        answer(String(name), args) ?? (value as (...a: unknown[]) => unknown).apply(target, args);
    },
  });
}

/** Bounds a storage to five seconds. */
function bounded(storage: Storage, clock: Clock): Storage {
  const outage = new Outage({ clock, logger: silent, name: "memory", report: () => {} });
  return boundStorage(storage, { clock, timeoutMs: 5_000, outage });
}

const claim: ClaimRequest = {
  token: "t",
  worker: "w",
  queues: ["default"],
  tasks: null,
  limit: 1,
  now: 1_000,
  claimMs: 30_000,
};

describe("a call that the storage does not answer", () => {
  test("is sent once more with the time that it is by then, and then rejects", async () => {
    const clock = new FakeClock();
    const sent: ClaimRequest[] = [];
    const signals: AbortSignal[] = [];
    const storage = through((_name, args) => {
      sent.push(args[0] as ClaimRequest);
      signals.push((args[1] as CallOptions).signal);
      return new Promise(() => {});
    });
    const bound = bounded(storage, clock);
    const failed = bound.claim(claim).catch((error: unknown) => error);
    await clock.advance(4_999);
    expect(sent.length).toBe(1);
    await clock.advance(2);
    expect(sent.map(({ now }) => now)).toEqual([1_000, 6_000]);
    expect(sent.map(({ token }) => token)).toEqual(["t", "t"]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    await clock.advance(5_000);
    const error = (await failed) as BelfryError;
    expect(error).toBeInstanceOf(BelfryError);
    expect(error.code).toBe("STORAGE_UNAVAILABLE");
    expect(error.message).toContain("did not answer within 5s, 2 times (claim)");
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });

  test("counts by its second send, and a late answer or rejection of the first is dropped", async () => {
    const clock = new FakeClock();
    const answers: { resolve: (value: unknown) => void; reject: (error: unknown) => void }[] = [];
    const storage = through(() => new Promise((resolve, reject) => answers.push({ resolve, reject })));
    const bound = bounded(storage, clock);
    const reply = bound.claim(claim);
    await clock.advance(5_001);
    answers[0]!.reject(new Error("the connection was reset"));
    answers[1]!.resolve({ jobs: [], nextAt: 7 });
    expect(await reply).toEqual({ jobs: [], nextAt: 7 });
  });

  test("leaves no timer behind once it is answered", async () => {
    const clock = new FakeClock();
    let timers = 0;
    const counting = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      turn: () => clock.turn(),
      setTimer(delayMs: number, callback: () => void) {
        timers++;
        const timer = clock.setTimer(delayMs, callback);
        return {
          cancel: () => {
            timers--;
            timer.cancel();
          },
        };
      },
    };
    const bound = bounded(memory(), counting);
    await Promise.all([bound.claim(claim), bound.claim({ ...claim, token: "u" }), bound.stats({ now: 1 })]);
    expect(timers).toBe(0);
  });
});

describe("on a storage that stopped answering", () => {
  const dead = async (): Promise<{ belfry: Belfry; clock: FakeClock; errors: unknown[]; logged: string[] }> => {
    const clock = new FakeClock();
    const errors: unknown[] = [];
    const logged: string[] = [];
    let stopped = false;
    const storage = through(() => (stopped ? new Promise(() => {}) : undefined));
    const belfry = new Belfry({
      storage,
      clock,
      drain: "2s",
      onError: (error) => void errors.push(error),
      logger: { ...silent, warn: (message: string) => void logged.push(message) },
    });
    belfry.task("t", () => 1);
    await belfry.tick();
    stopped = true;
    return { belfry, clock, errors, logged };
  };
  /** How a promise stands after some time. */
  const stateAfter = async (clock: FakeClock, ms: number, promise: Promise<unknown>): Promise<string> => {
    let state = "pending";
    void promise.then(
      () => (state = "resolved"),
      (error: unknown) => (state = error instanceof BelfryError ? error.code : String(error)),
    );
    await clock.advance(ms);
    return state;
  };

  test("tick() ends within its budget and the time to drain", async () => {
    const { belfry, clock } = await dead();
    expect(await stateAfter(clock, 4_001, belfry.tick({ budget: "1s" }))).toBe("STORAGE_UNAVAILABLE");
  });

  test("tick() ends within the time to drain when it is aborted", async () => {
    const { belfry, clock } = await dead();
    const stop = new AbortController();
    const tick = belfry.tick({ signal: stop.signal });
    stop.abort();
    expect(await stateAfter(clock, 3_001, tick)).toBe("STORAGE_UNAVAILABLE");
  });

  test("run() ends within the time to drain when it is aborted, and says so to onError once", async () => {
    const { belfry, clock, errors } = await dead();
    const stop = new AbortController();
    const run = belfry.run({ signal: stop.signal });
    expect(await stateAfter(clock, 90_000, run)).toBe("pending");
    stop.abort();
    expect(await stateAfter(clock, 3_001, run)).toBe("resolved");
    // At most one error a minute tells of the outage, whatever the loops tried meanwhile.
    expect(errors.length).toBeLessThanOrEqual(3);
  });

  test("close() ends within the time to drain while a tick is under way", async () => {
    const { belfry, clock } = await dead();
    void belfry.tick().catch(() => {});
    expect(await stateAfter(clock, 14_000, belfry.close())).toBe("resolved");
  });
});
