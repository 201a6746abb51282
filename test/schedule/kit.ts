/** What the tests of schedules share: an engine on a memory storage with a clock that is moved by hand. */
import { memory } from "../../adapters/memory.ts";
import { CorrectedClock } from "../../src/base/clock.ts";
import { plainCodec } from "../../src/base/codec.ts";
import { silentLogger } from "../../src/base/log.ts";
import { createEngine, type Engine } from "../../src/engine/engine.ts";
import type { Expression, ScheduleOptions } from "../../src/schedule/options.ts";
import { type Registered, registerSchedule } from "../../src/schedule/register.ts";
import type { JobRecord, OccurrenceRecord, Storage } from "../../src/storage/port.ts";
import { FakeClock } from "../../src/testing/fake_clock.ts";
import { countedIds } from "../../src/testing/ids.ts";
import { Scheduler } from "../../src/tick/scheduler.ts";

export const SECOND = 1_000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** A Thursday. */
export const START = Date.parse("2026-01-01T00:00:00Z");

export interface Bench {
  engine: Engine;
  clock: FakeClock;
  storage: Storage;
  scheduler: Scheduler;
  errors: { error: unknown; during: string }[];
  calls: string[];
  add(name: string, expression: Expression, options?: ScheduleOptions): Promise<Registered>;
  /** The log of a schedule in short: `00:01 fired`, `00:02..00:04 3 overlap`. */
  log(name: string): Promise<string[]>;
  jobs(name: string): Promise<JobRecord[]>;
  /** Ends all unfinished jobs of a schedule. */
  finish(name: string, to?: "completed" | "failed"): Promise<number>;
}

export interface BenchOptions {
  storage?: Storage;
  clock?: FakeClock;
  holder?: string;
  leaseTtlMs?: number;
  timeZone?: string;
}

let seeds = 0;

/** Makes an engine with everything it needs; engines that share a storage and a clock are processes on one database. */
export function bench(options: BenchOptions = {}): Bench {
  const clock = options.clock ?? new FakeClock(START);
  const calls: string[] = [];
  const storage = counted(options.storage ?? memory(), calls);
  const errors: Bench["errors"] = [];
  const report = (error: unknown, during: string): void => void errors.push({ error, during });
  let opened: Promise<unknown> | undefined;
  const engine: Engine = createEngine({
    storage,
    clock: new CorrectedClock(clock),
    ids: countedIds(seeds++),
    codec: plainCodec,
    logger: silentLogger,
    timeZone: options.timeZone ?? "UTC",
    temporal: undefined,
    holder: options.holder ?? "host",
    open: async () => {
      opened ??= storage.migrate({ now: clock.now() }).then(({ time }) => {
        if (time !== undefined) engine.clock.observe(time, clock.monotonic());
      });
      await opened;
    },
    report,
  });
  const scheduler = new Scheduler(engine, { leaseTtlMs: options.leaseTtlMs ?? 15 * SECOND });
  const jobs = (name: string): Promise<JobRecord[]> => storage.listJobs({ schedule: name, limit: 100_000 });
  return {
    engine,
    clock,
    storage,
    scheduler,
    errors,
    calls,
    jobs,
    add: (name, expression, scheduleOptions) =>
      registerSchedule(engine, { name, expression, task: "work", options: scheduleOptions }),
    log: async (name) => shortLog(await storage.listOccurrences({ schedule: name, limit: 1_000_000 })),
    finish: async (name, to = "completed") => {
      let finished = 0;
      for (;;) {
        const token = engine.ids.token();
        const { jobs: claimed } = await storage.claim({
          token,
          worker: "w",
          queues: ["default"],
          tasks: null,
          limit: 100,
          now: clock.now(),
          claimMs: 30_000,
        });
        if (claimed.length === 0) return finished;
        const settle = to === "completed" ? { to, result: "null" } : { to, error: "{}" };
        await storage.save({
          op: engine.ids.token(),
          now: clock.now(),
          claimMs: 30_000,
          writes: claimed.map(({ id }) => ({ id, token, steps: [], forget: [], children: [], transition: settle })),
        });
        finished += claimed.filter((job) => job.schedule === name).length;
      }
    },
  };
}

/** A storage that writes down which of its methods were called. */
function counted(storage: Storage, calls: string[]): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        calls.push(String(key));
        return (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** Writes outcomes as a table can hold them. */
function shortLog(rows: readonly OccurrenceRecord[]): string[] {
  const day = (at: number): string => new Date(at).toISOString().slice(0, 10);
  const short = (at: number): string => {
    const text = new Date(at).toISOString();
    const time = text.endsWith(":00.000Z") ? text.slice(11, 16) : text.slice(11, 19);
    return day(at) === day(START) ? time : `${text.slice(5, 10)} ${time}`;
  };
  return rows.map(({ at, untilAt, count, reason }) =>
    reason === null
      ? `${short(at)} fired`
      : count === 1
        ? `${short(at)} ${reason}`
        : `${short(at)}..${short(untilAt)} ${count} ${reason}`,
  );
}

/** Ticks as a platform's trigger does, once every so long. */
export async function trigger(b: Bench, everyMs: number, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    await b.clock.advance(everyMs);
    await b.scheduler.tick({ oneShot: true });
  }
}

/** A storage with some of its methods replaced by those of `over`. */
export function bound(over: Storage, storage: Storage): Storage {
  return new Proxy(over, {
    get(target, key) {
      const own = Object.hasOwn(target, key);
      const value: unknown = Reflect.get(own ? target : storage, key);
      return typeof value === "function" ? value.bind(own ? target : storage) : value;
    },
  });
}
