/**
 * Cloudflare as a host: a Worker with `fetch` and `scheduled`, and a Durable Object that ticks by its own alarm.
 *
 * **The Worker** makes one Belfry per event. An event must not await promises of another event (database calls, timers):
 * if that one is cancelled, they never settle. So nothing is kept in memory between events. The cron trigger calls
 * `tick()`; a job that a request enqueues runs right after the response.
 *
 * **The Durable Object** is single-threaded and has its own storage, so one Belfry lives as long as the object. It needs no
 * cron trigger: after each change of schedules or jobs it sets its alarm to the next instant at which something is due. An
 * alarm whose tick fails sets the next alarm itself (the platform gives up after six tries), and an object that starts
 * without an alarm sets one.
 */

import { delay } from "../src/base/clock.ts";
import { parseDuration } from "../src/base/duration.ts";
import { type Checks, callback, checkOptions, flag, optionsOf } from "../src/base/options.ts";
import type { Belfry, TickOptions, TickResult } from "../src/belfry.ts";
import { TICK_CHECKS } from "../src/drive.ts";

/** Anything that answers requests: a Hono app. */
export interface Fetcher<Env = unknown> {
  fetch(request: Request, env?: Env, context?: never): Response | Promise<Response>;
}

/** The slice of a Worker's execution context that is used. */
export interface ExecutionContextLike {
  waitUntil(promise: Promise<unknown>): void;
}

/** The slice of a cron event that is used. */
export interface ScheduledControllerLike {
  readonly cron: string;
  readonly scheduledTime: number;
}

/** Options of {@link cloudflare}. */
export interface WorkerOptions<Env> {
  /** Makes the Belfry of one event: storage from the bindings, and its tasks. Called for each event. */
  belfry(env: Env): Belfry;
  /** Makes the app that answers requests: `createApp(belfry, { auth })`, or yours with it mounted. @default no `fetch` */
  app?(belfry: Belfry, env: Env): Fetcher<Env>;
  /** Bounds of the trigger's tick; `for: "55s"` serves schedules finer than a minute. @default `{ budget: "25s" }` */
  tick?: TickOptions;
  /** Run what a request enqueued at once, after its answer, instead of at the next trigger. @default true */
  eager?: boolean;
}

const WORKER_CHECKS: Checks<WorkerOptions<never>> = {
  belfry: callback,
  app: callback,
  tick: optionsOf(TICK_CHECKS),
  eager: flag,
};

/** A Worker's handlers: `export default cloudflare({ ... })`. */
export interface WorkerHandlers<Env> {
  fetch(request: Request, env: Env, context: ExecutionContextLike): Promise<Response>;
  scheduled(controller: ScheduledControllerLike, env: Env, context: ExecutionContextLike): Promise<void>;
}

/** How long jobs may be started after the response: the platform allows 30 s in all. */
const EAGER_BUDGET = "20s";
/** A job that becomes available within this time after the response is waited for. */
const EAGER_WAIT_MS = 2_000;

/**
 * Makes a Worker's handlers. Give it the trigger `* * * * *` in the wrangler configuration, and no other: weekdays and
 * zones of a platform's own expressions differ.
 *
 * @example
 * ```ts ignore
 * import { Belfry } from "belfry";
 * import { cloudflare } from "belfry/cloudflare";
 * import { d1 } from "belfry/d1";
 * import { createApp } from "belfry/hono";
 *
 * export default cloudflare<{ DB: D1Database; TOKEN: string }>({
 *   belfry(env) {
 *     const belfry = new Belfry({ storage: d1(env.DB) });
 *     belfry.task("report", async (ctx) => ctx.step("load", () => 42));
 *     return belfry;
 *   },
 *   app: (belfry, env) => createApp(belfry, { auth: { tokens: [{ token: env.TOKEN, scopes: ["admin"] }] } }),
 * });
 * ```
 */
export function cloudflare<Env>(options: WorkerOptions<Env>): WorkerHandlers<Env> {
  checkOptions(options as WorkerOptions<never>, "cloudflare", WORKER_CHECKS);
  callback(options.belfry, "belfry", "cloudflare");
  const { tick = {}, eager = true } = options;
  return {
    async fetch(request, env, context) {
      if (!options.app) return new Response("No app is configured here.", { status: 404 });
      const belfry = options.belfry(env);
      let soonest = Infinity;
      belfry.on("job:enqueued", ({ availableAt }) => {
        soonest = Math.min(soonest, availableAt);
      });
      const answer = await options.app(belfry, env).fetch(request, env);
      if (eager && soonest !== Infinity) {
        const { clock, report } = belfry.engine;
        // Each reply of the database may set this clock back a little, so "now" may have become a moment in the future.
        const waitMs = soonest - clock.now();
        if (waitMs < EAGER_WAIT_MS) {
          const run = async (): Promise<void> => {
            if (waitMs > 0) await delay(clock, waitMs);
            await belfry.tick({ budget: EAGER_BUDGET });
          };
          context.waitUntil(run().catch((error: unknown) => report(error, "running jobs that a request enqueued")));
        }
      }
      return answer;
    },
    async scheduled(_controller, env) {
      const belfry = options.belfry(env);
      // An error fails the event, so that the platform shows and counts it.
      await belfry.tick(tick);
      await belfry.close();
    },
  };
}

// ---------------------------------------------------------------- Durable Object

/** The slice of a Durable Object's state that is used. */
export interface ObjectStateLike {
  readonly storage: {
    getAlarm(): Promise<number | null>;
    setAlarm(at: number): Promise<void>;
    deleteAlarm(): Promise<void>;
  };
  blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T>;
}

/** Options of {@link belfryObject}. */
export interface ObjectOptions<Env, State extends ObjectStateLike> {
  /** Makes the object's Belfry: `durableObject(state.storage)` as storage, and its tasks. Called once per start. */
  belfry(state: State, env: Env): Belfry;
  /** Makes the app that answers requests. @default no `fetch` */
  app?(belfry: Belfry, env: Env): Fetcher<Env>;
  /** Bounds of an alarm's tick. @default `{ budget: "25s" }` */
  tick?: TickOptions;
}

const OBJECT_CHECKS: Checks<ObjectOptions<never, never>> = {
  belfry: callback,
  app: callback,
  tick: optionsOf(TICK_CHECKS),
};

/** A Durable Object that ticks by its own alarm. */
export interface BelfryObject {
  readonly belfry: Belfry;
  /** Answers requests by the app; after those that may have changed something it sets the alarm again. */
  fetch(request: Request): Promise<Response>;
  /** Called by the platform. */
  alarm(): Promise<void>;
  /** Sets the alarm to the next due instant; call it after changing schedules or jobs through `belfry` in your own code. */
  arm(): Promise<void>;
}

/** The class of such objects, to export or to extend. */
export type BelfryObjectClass<Env, State extends ObjectStateLike> = new (state: State, env: Env) => BelfryObject;

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
/** An alarm this far ahead is set before each tick, in case the object is stopped during it. */
const STANDBY = "1m";

/**
 * Makes the class of a Durable Object that fires its schedules and runs its jobs by its own alarm.
 *
 * @example
 * ```ts ignore
 * export class Bell extends belfryObject<Env, DurableObjectState>({
 *   belfry: (state) => defineTasks(new Belfry({ storage: durableObject(state.storage) })),
 *   app: (belfry, env) => createApp(belfry, { auth: { tokens: [{ token: env.TOKEN, scopes: ["admin"] }] } }),
 * }) {}
 * ```
 */
export function belfryObject<Env, State extends ObjectStateLike>(
  options: ObjectOptions<Env, State>,
): BelfryObjectClass<Env, State> {
  checkOptions(options as object as ObjectOptions<never, never>, "belfryObject", OBJECT_CHECKS);
  callback(options.belfry, "belfry", "belfryObject");
  const standbyMs = parseDuration(STANDBY, "standby");

  return class implements BelfryObject {
    readonly belfry: Belfry;
    readonly #state: State;
    readonly #app: Fetcher<Env> | undefined;
    readonly #env: Env;
    #failures = 0;

    constructor(state: State, env: Env) {
      this.#state = state;
      this.#env = env;
      this.belfry = options.belfry(state, env);
      this.#app = options.app?.(this.belfry, env);
      void state.blockConcurrencyWhile(async () => {
        // The object is new or has lost its alarm: a tick now fires what is due and sets the next alarm.
        if ((await state.storage.getAlarm()) === null) await state.storage.setAlarm(this.#now());
      });
    }

    async fetch(request: Request): Promise<Response> {
      if (!this.#app) return new Response("No app is configured here.", { status: 404 });
      const answer = await this.#app.fetch(request, this.#env);
      if (request.method !== "GET" && request.method !== "HEAD") await this.#armSafely();
      return answer;
    }

    async alarm(): Promise<void> {
      await this.#state.storage.setAlarm(this.#now() + standbyMs);
      try {
        await this.#set(await this.belfry.tick(options.tick));
        this.#failures = 0;
      } catch (error) {
        this.belfry.engine.report(error, "the alarm's tick");
        await this.#retry();
      }
    }

    async arm(): Promise<void> {
      // A tick without work costs no more than reading the next due instant, and fires what is due meanwhile.
      await this.#set(await this.belfry.tick({ work: false }));
    }

    async #armSafely(): Promise<void> {
      try {
        await this.arm();
      } catch (error) {
        this.belfry.engine.report(error, "setting the alarm");
        await this.#retry();
      }
    }

    async #set({ more, nextAt, jobsAt }: TickResult): Promise<void> {
      const now = this.#now();
      const instants = [nextAt, jobsAt].filter((at) => at !== null);
      const next = more ? now : Math.min(...instants);
      if (next === Infinity) await this.#state.storage.deleteAlarm();
      else await this.#state.storage.setAlarm(Math.max(next, now));
    }

    async #retry(): Promise<void> {
      const delayMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures++);
      await this.#state.storage.setAlarm(this.#now() + delayMs);
    }

    #now(): number {
      return this.belfry.engine.clock.now();
    }
  };
}
