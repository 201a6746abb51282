/**
 * What a Belfry is made of: its options, checked once at the door, and the engine they make.
 */
import { type Clock, CorrectedClock, systemClock } from "./base/clock.ts";
import { type Codec, plainCodec } from "./base/codec.ts";
import { type Duration, parseDuration } from "./base/duration.ts";
import { BelfryError } from "./base/error.ts";
import { type Ids, systemIds } from "./base/id.ts";
import { consoleLogger, guardedLogger, type Logger } from "./base/log.ts";
import { resolveTimeZone, type TemporalLike } from "./cron/mod.ts";
import { createEngine, type Engine } from "./engine/engine.ts";
import type { Storage } from "./storage/port.ts";
import type { SchedulerOptions } from "./tick/report.ts";
import type { WorkerOptions } from "./worker/worker.ts";

/** Options of `Belfry`. */
export interface BelfryOptions {
  /** Where schedules and jobs live: `sqlite("app.db")`, `memory()`, ... */
  storage: Storage;
  /** Zone of schedules that name none: an IANA name, `UTC`, an offset, or `local`. @default "UTC" */
  timeZone?: string;
  /** How long a leader may be silent before another takes over; 1 s to 1 h. @default "15s" */
  leaseTtl?: Duration;
  /** How long a worker may be silent before its jobs are taken over; 1 s to 1 d. @default "30s" */
  claimTtl?: Duration;
  /**
   * How long the storage may take to answer; 50 ms to `leaseTtl`. A call that is not answered in time is sent once more, on
   * another connection, and then fails with `STORAGE_UNAVAILABLE`. @default a third of `leaseTtl`, at most "5s"
   */
  storageTimeout?: Duration;
  /** How many jobs this engine runs at once; 1 to 10,000. @default 10 */
  concurrency?: number;
  /** Queues that this engine works on, in order of preference. @default those of its tasks, and "default" */
  queues?: readonly string[];
  /** How long a stopping engine lets running jobs go on before it gives them back. @default "10s" */
  drain?: Duration;
  /** How long history is kept. @default finished jobs and signals 7 days, failed jobs and outcomes 30 days */
  retention?: { finished?: Duration; failed?: Duration; occurrences?: Duration };
  /** Temporal to take zones from, where the runtime has none; without it they come from `Intl`, with equal answers. */
  temporal?: TemporalLike;
  /** Time: for tests. @default the runtime's clock and timers */
  clock?: Clock;
  /** Ids and chance: for tests. @default the runtime's randomness */
  ids?: Ids;
  /** Turns payloads into what is stored, and back: encryption, compression. @default JSON as it is */
  codec?: Codec;
  /** Takes errors that nobody awaits: of the loops, of listeners. @default the logger's `error` */
  onError?: (error: unknown, during: string) => unknown;
  /**
   * Takes what the engine has to say: failed jobs, skipped occurrences, lost claims, outages. See `consoleLogger`,
   * `jsonLogger`, `pinoLogger`. @default the console, without `debug`
   */
  logger?: Logger;
}

/** The default of `storageTimeout` where the lease lasts long. */
const MAX_STORAGE_TIMEOUT_MS = 5_000;

/** The parts that {@link readOptions} makes. */
export interface Parts {
  engine: Engine;
  scheduler: SchedulerOptions;
  worker: WorkerOptions;
}

/**
 * Checks the options and makes the engine; opens nothing.
 *
 * @param closed aborted when the engine is closed
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`, `ZONE_UNKNOWN`
 */
export function readOptions(options: BelfryOptions, closed: AbortSignal): Parts {
  const { storage, temporal } = options ?? {};
  if (typeof storage?.beginTick !== "function") {
    throw invalid(
      `storage is ${storage === null ? "null" : typeof storage}, but must be a storage such as ` +
        'sqlite("app.db") from "belfry/sqlite" or memory() from "belfry/memory"',
    );
  }
  const { concurrency = 10, queues, retention = {} } = options;
  if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 10_000)) {
    throw invalid(`concurrency is ${String(concurrency)}, but must be a whole number from 1 to 10,000`);
  }
  const second = { minMs: 1_000 };
  const scheduler = {
    leaseTtlMs: parseDuration(options.leaseTtl ?? "15s", "leaseTtl", { ...second, maxMs: 3_600_000 }),
    retention: {
      finishedMs: parseDuration(retention.finished ?? "7d", "retention.finished"),
      failedMs: parseDuration(retention.failed ?? "30d", "retention.failed"),
      occurrencesMs: parseDuration(retention.occurrences ?? "30d", "retention.occurrences"),
    },
  };
  const worker = {
    concurrency,
    claimTtlMs: parseDuration(options.claimTtl ?? "30s", "claimTtl", { ...second, maxMs: 86_400_000 }),
    drainMs: parseDuration(options.drain ?? "10s", "drain"),
    ...(queues === undefined ? {} : { queues: [...queues] }),
  };
  const storageTimeoutMs = parseDuration(
    options.storageTimeout ?? Math.min(MAX_STORAGE_TIMEOUT_MS, Math.round(scheduler.leaseTtlMs / 3)),
    "storageTimeout",
    { minMs: 50, maxMs: scheduler.leaseTtlMs },
  );
  const clock = new CorrectedClock(options.clock ?? systemClock);
  const ids = options.ids ?? systemIds;
  const logger = guardedLogger(options.logger ?? consoleLogger());
  const report = (error: unknown, during: string): void => {
    const broke = (failure: unknown): void => logger.error("onError itself failed", { failure, error, during });
    try {
      if (!options.onError) logger.error(`Error while ${during}: ${messageOf(error)}`, { error });
      else void Promise.resolve(options.onError(error, during)).catch(broke);
    } catch (failure) {
      broke(failure);
    }
  };
  const engine = createEngine({
    storage,
    storageTimeoutMs,
    closed,
    clock,
    ids,
    codec: options.codec ?? plainCodec,
    logger,
    timeZone: resolveTimeZone(options.timeZone ?? "UTC"),
    temporal,
    holder: ids.token(),
    report,
  });
  return { engine, scheduler, worker };
}

/** What an error says; it may be anything, and reading it may throw. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "an error that cannot be read";
  }
}

function invalid(what: string): BelfryError {
  return new BelfryError("OPTION_INVALID", `Cannot make a Belfry: ${what}`);
}
