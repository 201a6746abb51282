/**
 * How does a user test schedules and tasks? A whole engine in memory, with time, crashes and failing steps by hand.
 *
 * The engine is the real one, running as on a server, on the memory storage and a fake clock: `advance("3d")` fires and
 * runs all that is due, in order, in milliseconds of real time. A crash takes the engine away between two awaits, as
 * `kill -9` would: nothing of it goes on, and another engine with the same tasks takes over what it left.
 */

import type { Clock } from "../base/clock.ts";
import type { Duration } from "../base/duration.ts";
import { type Logger, silentLogger } from "../base/log.ts";
import { type Checks, checkOptions, nameOf, unfit, whole } from "../base/options.ts";
import { Belfry, type BelfryOptions } from "../belfry.ts";
import { newTables, storageOf } from "../memory/storage.ts";
import { BELFRY_CHECKS } from "../options.ts";
import type { Storage, Wake } from "../storage/port.ts";
import type { Context, StepOptions } from "../task/context.ts";
import type { TaskHandler, TaskOptions } from "../task/definition.ts";
import { FakeClock } from "./fake_clock.ts";
import { countedIds } from "./ids.ts";

/** Options of {@link createTestBelfry}. */
export interface TestBelfryOptions
  extends Pick<
    BelfryOptions,
    "timeZone" | "claimTtl" | "concurrency" | "queues" | "temporal" | "recurrence" | "retention"
  > {
  /** What the clock shows at first: epoch ms or ISO text. @default "2026-01-01T00:00:00Z" */
  start?: number | string;
  /** Seed of chance: jitter, retry delays, `ctx.random()`. @default 1 */
  seed?: number;
  /** Takes what the engine has to say. @default nothing is said */
  logger?: Logger;
}

const TEST_CHECKS: Checks<TestBelfryOptions> = {
  timeZone: BELFRY_CHECKS.timeZone,
  claimTtl: BELFRY_CHECKS.claimTtl,
  concurrency: BELFRY_CHECKS.concurrency,
  queues: BELFRY_CHECKS.queues,
  temporal: BELFRY_CHECKS.temporal,
  recurrence: BELFRY_CHECKS.recurrence,
  retention: BELFRY_CHECKS.retention,
  logger: BELFRY_CHECKS.logger,
  start: (value, name, of) => {
    const at = typeof value === "string" ? Date.parse(value) : value;
    if (!Number.isFinite(at)) {
      throw unfit(value, name, of, "an instant: epoch milliseconds or ISO text");
    }
  },
  seed: whole(0, Number.MAX_SAFE_INTEGER),
};

/** Options of `failStep`. */
export interface FailStepOptions {
  /** How often it fails. @default 1 */
  times?: number;
  /** Only in jobs of this task. @default of any */
  task?: string;
}

const FAIL_STEP_CHECKS: Checks<FailStepOptions> = {
  times: whole(1, Number.MAX_SAFE_INTEGER),
  task: nameOf("task"),
};

/** An engine under test. */
export interface TestBelfry {
  /** The engine: `task`, `schedule`, `enqueue` and all. After a crash it is another one. */
  readonly belfry: TestEngine;
  /** Time; `jump` and `set` move the wall clock alone. */
  readonly clock: FakeClock;
  /** What is stored outlives crashes. */
  readonly storage: Storage;
  /** Errors that nobody awaited, in the order in which they were reported. */
  readonly errors: readonly unknown[];
  /** Moves time on: fires and runs all that is due, in order. */
  advance(duration: Duration): Promise<void>;
  /** Moves time on to an instant: epoch ms or ISO text. */
  advanceTo(at: number | string): Promise<void>;
  /** Runs what can run without time passing. */
  settle(): Promise<void>;
  /**
   * Kills the engine where it is and starts another with the same tasks. Jobs that were running are taken over when
   * their claims run out: `claimTtl` later.
   */
  crash(): Promise<void>;
  /**
   * Makes a step fail instead of running.
   *
   * @param step its name
   * @param error what it throws @default an Error that names the step
   * @param options `times`: how often @default once; `task`: only of this task
   */
  failStep(step: string, error?: unknown, options?: FailStepOptions): void;
  /** Stops the engine. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface Defined {
  name: string;
  handler: TaskHandler<never, unknown>;
  options: TaskOptions | undefined;
}

interface Failing {
  step: string;
  task: string | undefined;
  error: unknown;
  left: number;
}

/** A Belfry that runs from its making, and remembers its tasks for the engine after a crash. */
export class TestEngine extends Belfry {
  readonly #defined: Defined[];
  readonly #wrap: (task: string, ctx: Context) => Context;

  /** Made by {@link createTestBelfry}. */
  constructor(options: BelfryOptions, defined: Defined[], wrap: (task: string, ctx: Context) => Context) {
    super(options);
    this.#defined = defined;
    this.#wrap = wrap;
    for (const { name, handler, options } of defined) this.#define(name, handler, options);
  }

  // The overloads are those of Belfry; what is added is the memory of definitions and the failing of steps.
  override task: Belfry["task"] = (name: string, handler: unknown, options?: unknown): never => {
    const task = this.#define(name, handler as TaskHandler<never, unknown>, options as TaskOptions | undefined);
    this.#defined.push({
      name,
      handler: handler as TaskHandler<never, unknown>,
      options: options as TaskOptions | undefined,
    });
    return task as never;
  };

  #define(name: string, handler: TaskHandler<never, unknown>, options: TaskOptions | undefined): unknown {
    const wrapped = (ctx: Context, input: never): unknown => handler(this.#wrap(name, ctx), input);
    return super.task(name, wrapped as never, options as never);
  }
}

/**
 * Makes an engine under test: in memory, running, its time under control.
 *
 * @example
 * ```ts
 * import { createTestBelfry } from "belfry/testing";
 *
 * await using t = createTestBelfry({ start: "2026-03-01T08:00:00Z" });
 * const ran: string[] = [];
 * const report = t.belfry.task("report", async (ctx) => {
 *   await ctx.step("load", () => {});
 *   await ctx.sleep("settle", "10m");
 *   ran.push(new Date(ctx.job.scheduledAt!).toISOString());
 * });
 * await t.belfry.schedule("daily", "0 9 * * *", report);
 *
 * t.failStep("load"); // the first try of the first one fails, and is tried again
 * await t.advance("3d");
 * if (ran.join() !== "2026-03-01T09:00:00.000Z,2026-03-02T09:00:00.000Z,2026-03-03T09:00:00.000Z") throw new Error(ran.join());
 * ```
 */
export function createTestBelfry(options: TestBelfryOptions = {}): TestBelfry {
  checkOptions(options, "createTestBelfry", TEST_CHECKS);
  const { start, seed = 1, logger = silentLogger, ...rest } = options;
  const clock = new TestClock(start);
  const storage = storageOf(newTables());
  const errors: unknown[] = [];
  const defined: Defined[] = [];
  const failing: Failing[] = [];
  let life = new Life(clock, storage);
  let count = 0;

  const failOf = (task: string, step: string): Failing | undefined =>
    failing.find((one) => one.left > 0 && one.step === step && (one.task === undefined || one.task === task));

  /** The context with a `step` that fails where it was told to. */
  const wrap = (task: string, ctx: Context): Context => {
    const step: Context["step"] = (name, run, stepOptions?: StepOptions) =>
      ctx.step(
        name,
        (given) => {
          const fail = failOf(task, name);
          if (!fail) return run(given);
          fail.left--;
          throw fail.error;
        },
        stepOptions,
      );
    return new Proxy(ctx, {
      get: (target, key) => {
        if (key === "step") return step;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };

  const boot = (): TestEngine => {
    life = new Life(clock, storage);
    const mine = life;
    const engine = new TestEngine(
      {
        // Long terms cost little: a leader that renewed every few seconds would make days of test time slow.
        leaseTtl: "1h",
        ...rest,
        storage: life.storage,
        clock: life.clock,
        ids: countedIds(seed + count++ * 1000),
        logger,
        onError: (error) => void (mine.ended || errors.push(error)),
      },
      defined,
      wrap,
    );
    engine.run().catch((error: unknown) => void (mine.ended || errors.push(error)));
    return engine;
  };

  let belfry = boot();
  clock.moved = () => life.wake();
  const test: TestBelfry = {
    get belfry() {
      return belfry;
    },
    clock,
    storage,
    errors,
    advance: (duration) => clock.advance(duration),
    advanceTo: (at) => clock.advanceTo(at),
    settle: () => clock.settle(),
    async crash() {
      life.end();
      // Whoever watches would see that the holder is gone; an hour of waiting for its lease would tell a test nothing.
      const { lease } = await storage.stats({ now: clock.now() });
      if (lease) await storage.resign({ ...lease, now: clock.now() });
      belfry = boot();
      await clock.settle();
    },
    failStep(step, error = new Error(`step ${JSON.stringify(step)} was made to fail`), options = {}) {
      checkOptions(options, "failStep", FAIL_STEP_CHECKS);
      const { times = 1, task } = options;
      failing.push({ step, task, error, left: times });
    },
    async close() {
      const closing = belfry.close();
      // What still runs is given time to drain.
      await clock.advance("11s");
      await closing;
    },
    [Symbol.asyncDispose]: () => test.close(),
  };
  return test;
}

/** A fake clock that tells when its wall clock was moved. */
class TestClock extends FakeClock {
  moved: () => void = () => {};

  override jump(ms: number): void {
    super.jump(ms);
    this.moved();
  }

  override set(at: number | string): void {
    super.set(at);
    this.moved();
  }
}

/** One life of an engine: when it ends, nothing that the engine waits for ever comes. */
class Life {
  ended = false;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly #timers = new Set<() => void>();
  readonly #listeners = new Set<(wake: Wake) => void>();

  constructor(clock: FakeClock, storage: Storage) {
    this.clock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback) => {
        if (this.ended) return { cancel() {} };
        const timer = clock.setTimer(delayMs, () => {
          this.#timers.delete(timer.cancel);
          callback();
        });
        this.#timers.add(timer.cancel);
        return timer;
      },
      turn: () => this.#whileAlive(clock.turn()),
      // Nothing drifts here: who moves the wall clock by itself tells (see TestClock), so nobody needs to look.
      partMs: 86_400_000,
    };
    const remote: Record<string, unknown> = { ...storage };
    for (const [name, method] of Object.entries(storage)) {
      if (typeof method !== "function") continue;
      const ask = method as (request: unknown) => Promise<unknown>;
      remote[name] = (request: unknown) => (this.ended ? new Promise(() => {}) : this.#whileAlive(ask(request)));
    }
    remote["listen"] = async (onWake: (wake: Wake) => void) => {
      const hear = (wake: Wake): void => void (this.ended || onWake(wake));
      this.#listeners.add(hear);
      const stop = await storage.listen!(hear);
      return async () => {
        this.#listeners.delete(hear);
        await stop();
      };
    };
    this.storage = remote as unknown as Storage;
  }

  end(): void {
    this.ended = true;
    for (const cancel of this.#timers) cancel();
  }

  /** Makes the engine look at its schedules and jobs again. */
  wake(): void {
    for (const hear of this.#listeners) for (const wake of ["schedules", "jobs"] as const) hear(wake);
  }

  /** Passes a promise on, unless this life ends before. */
  #whileAlive<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      promise.then(
        (value) => void (this.ended || resolve(value)),
        (error: unknown) => void (this.ended || reject(error)),
      );
    });
  }
}
