/**
 * The parts that all rooms share: storage, clock, ids, codec, tasks, events and error reporting.
 *
 * `belfry.ts` makes one engine and passes it to the scheduler and the worker. There are no globals, so any number of engines
 * can live in one process, as in the tests and the simulator.
 */
import type { CorrectedClock } from "../base/clock.ts";
import { type Codec, plainCodec } from "../base/codec.ts";
import type { Ids } from "../base/id.ts";
import { guardedLogger, type Logger, silentLogger } from "../base/log.ts";
import type { CalendarReader } from "../cron/calendar.ts";
import type { TemporalLike } from "../cron/mod.ts";
import type { Storage } from "../storage/port.ts";
import { TaskRegistry } from "../task/registry.ts";
import { boundStorage } from "./bounded.ts";
import { Endings } from "./endings.ts";
import { Enqueuer } from "./enqueuer.ts";
import { EventLog } from "./event_log.ts";
import { EventSink } from "./events.ts";
import { openStorage } from "./open.ts";
import { Outage } from "./outage.ts";
import { TickInterval } from "./tick_interval.ts";
import type { Tracing } from "./tracing.ts";

/** The shared parts of one Belfry. */
export interface Engine {
  readonly storage: Storage;
  readonly clock: CorrectedClock;
  readonly ids: Ids;
  readonly codec: Codec;
  readonly tasks: TaskRegistry;
  readonly events: EventSink;
  readonly logger: Logger;
  /** Logs by default what went wrong. */
  readonly log: EventLog;
  /** Default zone of schedules. */
  readonly timeZone: string;
  readonly temporal: TemporalLike | undefined;
  /** Reads recurrence rules; undefined: this program has no reader of them. */
  readonly recurrence: CalendarReader | undefined;
  /** Name of this engine, unique on the storage: holder of the lease, worker of claims. */
  readonly holder: string;
  /** Opens the storage once; every operation awaits this before it uses the storage. */
  open(): Promise<void>;
  /** Reports an error that no caller can receive to `onError`; never throws. */
  report(error: unknown, during: string): void;
  /** Inserts the jobs that this engine enqueues, by group commit. */
  readonly enqueuer: Enqueuer;
  /** The endings of jobs that end in this process. */
  readonly endings: Endings;
  /** Whether the storage answers, and what is reported while it does not. */
  readonly outage: Outage;
  /** How often this process ticks, where it does so one tick at a time. */
  readonly ticks: Pick<TickInterval, "ms" | "observe" | "forget">;
  /** The tracer; undefined: none. See `openTelemetry`. */
  tracing: Tracing | undefined;
}

/** The parts of an engine that the caller of {@link createEngine} gives; the others have defaults. */
export interface EngineParts
  extends Pick<Engine, "storage" | "clock" | "ids" | "holder" | "report">,
    Partial<Pick<Engine, "codec" | "tasks" | "logger" | "timeZone" | "temporal" | "recurrence">> {
  /** Default: opens the storage by bringing its schema up to date. */
  open?: () => Promise<void>;
  /** How long one call of the storage may take, ms; see `boundStorage`. @default Infinity */
  storageTimeoutMs?: number;
  /** Aborted when the engine is closed: from then on opening fails. */
  closed?: AbortSignal;
}

/** Makes an engine; it opens nothing and starts nothing. */
export function createEngine(parts: EngineParts): Engine {
  const { clock, ids, closed = new AbortController().signal } = parts;
  const logger = guardedLogger(parts.logger ?? silentLogger);
  const outage = new Outage({ clock, logger, name: parts.storage.name, report: parts.report });
  const storage = boundStorage(parts.storage, { clock, timeoutMs: parts.storageTimeoutMs ?? Infinity, outage });
  const report = (error: unknown, during: string): void => outage.report(error, during);
  const events = new EventSink(report);
  const log = new EventLog(events, logger, clock);
  return {
    storage,
    clock,
    ids,
    codec: parts.codec ?? plainCodec,
    tasks: parts.tasks ?? new TaskRegistry(),
    events,
    logger,
    log,
    timeZone: parts.timeZone ?? "UTC",
    temporal: parts.temporal,
    recurrence: parts.recurrence,
    holder: parts.holder,
    open: parts.open ?? openStorage(storage, clock, logger, closed),
    report,
    enqueuer: new Enqueuer({ storage, clock, ids, events }),
    endings: new Endings(),
    outage,
    ticks: new TickInterval(),
    tracing: undefined,
  };
}
