/**
 * What the rooms of the engine share: the storage, time, chance, the codec, the tasks, and where errors go.
 *
 * `belfry.ts` makes one and hands it to the scheduler and the worker; they hold no globals, so any number of engines
 * can live in one process, which is how the tests and the simulator run them.
 */
import type { CorrectedClock } from "../base/clock.ts";
import { type Codec, plainCodec } from "../base/codec.ts";
import type { Ids } from "../base/id.ts";
import { guardedLogger, type Logger, silentLogger } from "../base/log.ts";
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
import type { Tracing } from "./tracing.ts";

/** Everything a room of the engine may use. */
export interface Engine {
  readonly storage: Storage;
  readonly clock: CorrectedClock;
  readonly ids: Ids;
  readonly codec: Codec;
  readonly tasks: TaskRegistry;
  readonly events: EventSink;
  readonly logger: Logger;
  /** What is logged without being asked for. */
  readonly log: EventLog;
  /** Default zone of schedules. */
  readonly timeZone: string;
  readonly temporal: TemporalLike | undefined;
  /** Name of this engine among all on the storage: the lease's holder, the claims' worker. */
  readonly holder: string;
  /** Opens the storage once; everything that talks to it awaits this first. */
  open(): Promise<void>;
  /** Takes an error that nobody awaits to `onError`; never throws. */
  report(error: unknown, during: string): void;
  /** Group commit of what this engine enqueues. */
  readonly enqueuer: Enqueuer;
  /** Who in this process waits for the end of which job. */
  readonly endings: Endings;
  /** Since when the storage has not answered. */
  readonly outage: Outage;
  /** The tracer, where one is set; see `openTelemetry`. */
  tracing: Tracing | undefined;
}

/** What an engine is made of; what is left out has the default of {@link createEngine}. */
export interface EngineParts
  extends Pick<Engine, "storage" | "clock" | "ids" | "holder" | "report">,
    Partial<Pick<Engine, "codec" | "tasks" | "logger" | "timeZone" | "temporal">> {
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
  const outage = new Outage(clock, logger, parts.storage.name);
  const storage = boundStorage(parts.storage, { clock, timeoutMs: parts.storageTimeoutMs ?? Infinity, outage });
  const report = (error: unknown, during: string): void => {
    if (outage.reports(error)) parts.report(error, during);
  };
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
    holder: parts.holder,
    open: parts.open ?? openStorage(storage, clock, logger, closed),
    report,
    enqueuer: new Enqueuer({ storage, clock, ids, events }),
    endings: new Endings(),
    outage,
    tracing: undefined,
  };
}
