/** Hosts without their platform: the Worker's events, the object's alarm, Deno's cron, each with a stand-in for it. */
import { afterEach, describe, expect, it } from "vitest";
import { belfryObject, cloudflare } from "../../adapters/cloudflare.ts";
import { serve } from "../../adapters/deno.ts";
import { createApp } from "../../adapters/hono/mod.ts";
import { memory } from "../../adapters/memory.ts";
import { BelfryError } from "../../src/base/error.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import type { Storage } from "../../src/storage/port.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";
import { AUTH, caller, MINUTE, START } from "./hono/kit.ts";

let seed = 9_000;

interface World {
  clock: FakeClock;
  storage: Storage;
  ran: unknown[];
  errors: unknown[];
}

function world(): World {
  return { clock: new FakeClock(START), storage: memory(), ran: [], errors: [] };
}

function engine({ clock, storage, ran, errors }: World): Belfry {
  const belfry = new Belfry({
    storage,
    clock,
    ids: countedIds(++seed),
    logger: silentLogger,
    onError: (error) => errors.push(error),
  });
  belfry.task("ring", (ctx) => void ran.push(ctx.job.scheduledAt));
  return belfry;
}

describe("cloudflare()", () => {
  const start = (options: Partial<Parameters<typeof cloudflare<World>>[0]> = {}) => {
    const env = world();
    let events = 0;
    const worker = cloudflare<World>({
      belfry: (found) => {
        events++;
        return engine(found);
      },
      app: (belfry) => createApp(belfry, { auth: AUTH }),
      ...options,
    });
    const waiting: Promise<unknown>[] = [];
    const context = { waitUntil: (promise: Promise<unknown>) => void waiting.push(promise) };
    const call = caller((request) => worker.fetch(request, env, context));
    const ring = () => worker.scheduled({ cron: "* * * * *", scheduledTime: 0 }, env, context);
    return { env, worker, call, ring, waiting, events: () => events };
  };

  it("makes a Belfry for each event, and ticks by its own clock when triggered", async () => {
    const { env, call, ring, events } = start();
    await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    await ring();
    expect(env.ran).toEqual([]);
    env.clock.jump(MINUTE);
    await ring();
    expect(env.ran).toEqual([START + 30_000]);
    expect(events()).toBe(3);
  });

  it("fires each occurrence once when triggers come late, twice, at once or not at all", async () => {
    const { env, call, ring } = start();
    await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    env.clock.jump(4 * MINUTE + 7_000);
    await Promise.all([ring(), ring(), ring()]);
    await ring();
    expect(env.ran.sort()).toEqual([0, 1, 2, 3].map((k) => START + 30_000 + k * MINUTE));
  });

  it("costs few subrequests: one when idle, and a few for each batch of jobs", async () => {
    const { env, call, ring } = start();
    await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    const sent: string[] = [];
    env.storage = new Proxy(env.storage, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          sent.push(String(key));
          return value.apply(target, args);
        };
      },
    });
    const count = async (): Promise<string[]> => {
      sent.length = 0;
      await ring();
      // D1 asks for its schema once in an isolate, and has nothing to close.
      return sent.filter((name) => name !== "migrate" && name !== "close");
    };
    expect(await count()).toEqual(["beginTick"]);
    env.clock.jump(MINUTE);
    expect(await count()).toEqual(["beginTick", "fire", "claim", "save"]);
    env.clock.jump(8 * MINUTE);
    expect(await count()).toEqual(["beginTick", "fire", "claim", "save"]);
    expect(env.ran.length).toBe(9);
  });

  it("runs a job that a request enqueued after the response, unless it is delayed", async () => {
    const { env, call, waiting } = start();
    await call("POST", "/jobs", { json: { task: "ring", delay: "1m" } });
    expect(waiting).toEqual([]);
    await call("POST", "/jobs", { json: { task: "ring" } });
    expect(waiting.length).toBe(1);
    await Promise.all(waiting);
    expect(env.ran).toEqual([null]);
    const lazy = start({ eager: false });
    await lazy.call("POST", "/jobs", { json: { task: "ring" } });
    expect(lazy.waiting).toEqual([]);
  });

  it("runs it also where the database's clock sets this one back meanwhile", async () => {
    const { env, call, waiting } = start();
    const { enqueue } = env.storage;
    env.storage.enqueue = async (request) => ({
      ...(await enqueue.call(env.storage, request)),
      time: env.clock.now() - 80,
    });
    await call("POST", "/jobs", { json: { task: "ring" } });
    expect(waiting.length).toBe(1);
    await env.clock.advance(100);
    await Promise.all(waiting);
    expect(env.ran).toEqual([null]);
  });

  it("fails the event when the storage fails, so that the platform shows it", async () => {
    const { env, ring } = start();
    env.storage.beginTick = () => Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "D1 is down"));
    await expect(ring()).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
  });
});

describe("belfryObject()", () => {
  class State {
    alarm: number | null = null;
    set: (number | null)[] = [];
    ready: Promise<unknown> = Promise.resolve();
    readonly storage = {
      getAlarm: () => Promise.resolve(this.alarm),
      setAlarm: (at: number) => {
        this.alarm = at;
        this.set.push(at);
        return Promise.resolve();
      },
      deleteAlarm: () => {
        this.alarm = null;
        this.set.push(null);
        return Promise.resolve();
      },
    };
    blockConcurrencyWhile<T>(work: () => Promise<T>): Promise<T> {
      const done = work();
      this.ready = done;
      return done;
    }
  }

  const start = async (env: World = world(), state: State = new State()) => {
    const Bell = belfryObject<World, State>({
      belfry: (_state, found) => engine(found),
      app: (belfry) => createApp(belfry, { auth: AUTH }),
    });
    const bell = new Bell(state, env);
    await state.ready;
    const call = caller((request) => bell.fetch(request));
    /** Does what the platform does: rings at the alarm, as long as there is one up to an instant. */
    const pass = async (to: number): Promise<number[]> => {
      const rings: number[] = [];
      while (state.alarm !== null && state.alarm <= to) {
        const at = Math.max(state.alarm, env.clock.now());
        env.clock.jump(at - env.clock.now());
        state.alarm = null;
        rings.push(at - START);
        await bell.alarm();
      }
      env.clock.jump(to - env.clock.now());
      return rings;
    };
    return { env, state, bell, call, pass };
  };

  it("ticks at once when it is new, and then not before something is due", async () => {
    const { state, pass, call } = await start();
    expect(await pass(START)).toEqual([0]);
    expect(state.alarm).toBeNull();
    await call("GET", "/schedules");
    expect(state.set.filter((at) => at !== null).length).toBe(2);
  });

  it("sets its alarm to the next occurrence, or the instant at which a job becomes available", async () => {
    const { state, call, env, pass } = await start();
    await call("PUT", "/schedules/s", { json: { expression: "*/5 * * * *", task: "ring" } });
    expect(state.alarm).toBe(START + 30_000);
    const { body } = await call("POST", "/jobs", { json: { task: "ring", delay: "7s" } });
    expect(state.alarm).toBe(START + 7_000);
    await call("POST", `/jobs/${body.id}/cancel`);
    expect(state.alarm).toBe(START + 30_000);
    expect(await pass(START + 11 * MINUTE)).toEqual([30_000, 30_000 + 5 * MINUTE, 30_000 + 10 * MINUTE]);
    expect(env.ran).toEqual([START + 30_000, START + 30_000 + 5 * MINUTE, START + 30_000 + 10 * MINUTE]);
    await call("DELETE", "/schedules/s");
    expect(state.alarm).toBeNull();
  });

  it("runs an enqueued job by an alarm at once", async () => {
    const { env, state, call, pass } = await start();
    await call("POST", "/jobs", { json: { task: "ring" } });
    expect(state.alarm).toBe(START);
    await pass(START);
    expect(env.ran).toEqual([null]);
  });

  it("continues after a restart, also when its alarm was lost", async () => {
    const first = await start();
    await first.call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    const kept = await start(first.env, first.state);
    expect(kept.state.alarm).toBe(START + 30_000);
    kept.state.alarm = null;
    const again = await start(first.env, first.state);
    expect(await again.pass(START + MINUTE)).toEqual([0, 30_000]);
    expect(first.env.ran).toEqual([START + 30_000]);
  });

  it("sets the next alarm with a growing delay when ticks throw, and catches up", async () => {
    const { env, state, call, pass } = await start();
    await call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    const { beginTick } = env.storage;
    env.storage.beginTick = () => Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "away"));
    const rings = await pass(START + 2 * MINUTE);
    expect(rings).toEqual([30_000, 31_000, 33_000, 37_000, 45_000, 61_000, 93_000]);
    // An outage is told when it begins, not at each try.
    expect(env.errors.length).toBe(1);
    expect(env.ran).toEqual([]);
    env.storage.beginTick = beginTick.bind(env.storage);
    await pass(START + 4 * MINUTE);
    expect(env.ran).toEqual([0, 1, 2, 3].map((k) => START + 30_000 + k * MINUTE));
    expect(state.alarm).toBe(START + 30_000 + 4 * MINUTE);
  });

  it("has a later alarm set while a tick runs, in case the object stops during it", async () => {
    const { env, state, call, bell } = await start();
    let seen: number | null = null;
    bell.belfry.on("job:started", () => {
      seen = state.alarm;
    });
    await call("POST", "/jobs", { json: { task: "ring" } });
    await bell.alarm();
    expect(seen).toBe(env.clock.now() + MINUTE);
  });
});

describe("serve() of belfry/deno", () => {
  const real = (globalThis as { Deno?: unknown }).Deno;
  afterEach(() => {
    if (real === undefined) Reflect.deleteProperty(globalThis, "Deno");
    else Object.defineProperty(globalThis, "Deno", { value: real, configurable: true, writable: true });
  });

  /** A stand-in: rings when it is told to, and remembers what it was given. */
  const fake = (cron: boolean) => {
    const given: { name?: string; schedule?: string; ring?: () => Promise<void>; signals: string[]; shut: boolean } = {
      signals: [],
      shut: false,
    };
    let finish = (): void => {};
    const finished = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const deno = {
      serve: () => ({
        addr: { port: 8000 },
        finished,
        shutdown: async () => {
          given.shut = true;
          finish();
        },
      }),
      addSignalListener: (name: string) => void given.signals.push(name),
      removeSignalListener: (name: string) => void given.signals.splice(given.signals.indexOf(name), 1),
      ...(cron
        ? {
            cron: (name: string, schedule: string, options: { signal: AbortSignal }, ring: () => Promise<void>) => {
              Object.assign(given, { name, schedule, ring });
              return new Promise<void>((resolve) => options.signal.addEventListener("abort", () => resolve()));
            },
          }
        : {}),
    };
    Object.defineProperty(globalThis, "Deno", { value: deno, configurable: true, writable: true });
    return given;
  };

  it("gives Deno.cron only `* * * * *`, and ticks until just before the next minute", async () => {
    const given = fake(true);
    const env = world();
    const belfry = engine(env);
    await belfry.schedule("s", "*/10 * * * * *", "ring");
    const served = serve({ belfry, app: createApp(belfry, { auth: AUTH }) });
    expect([given.name, given.schedule, given.signals.length]).toEqual(["belfry", "* * * * *", 2]);
    const ring = given.ring!();
    await env.clock.advance(MINUTE);
    await ring;
    expect(env.ran).toEqual([1, 2, 3, 4, 5].map((k) => START + k * 10_000));
    await served.close();
    await served.finished;
    expect([given.signals.length, given.shut]).toEqual([0, true]);
  });

  it("runs a loop where Deno.cron is missing, and throws where the runtime is not Deno", async () => {
    fake(false);
    const env = world();
    const belfry = engine(env);
    await belfry.schedule("s", "*/10 * * * * *", "ring");
    const served = serve({ belfry });
    await env.clock.advance(25_000);
    expect(env.ran.length).toBe(2);
    const closing = served.close();
    await env.clock.advance(1_000);
    await closing;
    expect(() => serve({ belfry, trigger: "cron" })).toThrow(/--unstable-cron/);
    Object.defineProperty(globalThis, "Deno", { value: undefined, configurable: true, writable: true });
    expect(() => serve({ belfry })).toThrow(/not Deno/);
  });
});
