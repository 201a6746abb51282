/**
 * What a Belfry is made of: its options, checked before anything is made of them, and the engine they make.
 */
import { type Clock, CorrectedClock, systemClock } from "./base/clock.ts";
import { type Codec, plainCodec } from "./base/codec.ts";
import { type Duration, parseDuration } from "./base/duration.ts";
import { type Ids, systemIds } from "./base/id.ts";
import { consoleLogger, guardedLogger, type Logger } from "./base/log.ts";
import {
  aClock,
  type Check,
  type Checks,
  callback,
  checkOptions,
  duration,
  having,
  listOf,
  nameOf,
  optionsOf,
  text,
  unfit,
  whole,
} from "./base/options.ts";
import type { CalendarReader } from "./cron/calendar.ts";
import { resolveTimeZone, type TemporalLike } from "./cron/mod.ts";
import { createEngine, type Engine } from "./engine/engine.ts";
import type { Storage } from "./storage/port.ts";
import type { SchedulerOptions } from "./tick/report.ts";
import type { WorkerOptions } from "./worker/worker.ts";

/** How long history is kept before it is purged. */
export interface RetentionOptions {
  /** Completed, cancelled and expired jobs with their steps and signals. @default "7d" */
  finished?: Duration;
  /** Failed jobs with their steps and signals. @default "30d" */
  failed?: Duration;
  /** Outcomes of occurrences. @default "30d" */
  occurrences?: Duration;
}

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
  /** How long history is kept. */
  retention?: RetentionOptions;
  /** Temporal to take zones from, where the runtime has none; without it they come from `Intl`, with equal answers. */
  temporal?: TemporalLike;
  /**
   * Reads recurrence rules (`RRULE:FREQ=...`): `rrule` of `belfry/rrule`. Every program that registers or fires schedules on
   * this storage needs it where one of them is a rule. @default none
   */
  recurrence?: CalendarReader;
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

const isStorage: Check = (value, name, of) => {
  if (typeof (value as Partial<Storage> | null | undefined)?.beginTick === "function") return;
  throw unfit(
    value,
    name,
    of,
    'a storage such as sqlite("app.db") from "belfry/sqlite" or memory() from "belfry/memory"',
  );
};

const isTemporal: Check = (value, name, of) => {
  const { Instant, ZonedDateTime } = Object(value) as Partial<TemporalLike>;
  if (!Instant || !ZonedDateTime) throw unfit(value, name, of, "a Temporal, with Instant and ZonedDateTime");
};

/** Checks of {@link RetentionOptions}. */
const RETENTION_CHECKS: Checks<RetentionOptions> = {
  finished: duration(),
  failed: duration(),
  occurrences: duration(),
};

/** Checks of {@link BelfryOptions}. */
export const BELFRY_CHECKS: Checks<BelfryOptions> = {
  storage: isStorage,
  timeZone: text,
  leaseTtl: duration({ minMs: 1_000, maxMs: 3_600_000 }),
  claimTtl: duration({ minMs: 1_000, maxMs: 86_400_000 }),
  storageTimeout: duration({ minMs: 50 }),
  concurrency: whole(1, 10_000),
  queues: listOf(nameOf("queue")),
  drain: duration(),
  retention: optionsOf(RETENTION_CHECKS),
  temporal: isTemporal,
  recurrence: callback,
  clock: aClock,
  ids: having(["id", "token", "random"], "a source of ids"),
  codec: having(["encode", "decode"], "a codec"),
  onError: callback,
  logger: having(["debug", "info", "warn", "error"], "a logger"),
};

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
  checkOptions(options ?? {}, "Belfry", BELFRY_CHECKS);
  const { storage, temporal, recurrence } = options ?? {};
  isStorage(storage, "storage", "Belfry");
  const { concurrency = 10, queues, retention = {} } = options;
  const scheduler = {
    leaseTtlMs: parseDuration(options.leaseTtl ?? "15s", "leaseTtl"),
    retention: {
      finishedMs: parseDuration(retention.finished ?? "7d", "retention.finished"),
      failedMs: parseDuration(retention.failed ?? "30d", "retention.failed"),
      occurrencesMs: parseDuration(retention.occurrences ?? "30d", "retention.occurrences"),
    },
  };
  const worker = {
    concurrency,
    claimTtlMs: parseDuration(options.claimTtl ?? "30s", "claimTtl"),
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
    recurrence,
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
