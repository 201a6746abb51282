/**
 * The object that users hold: it wires the rooms of the engine and adds nothing of its own.
 *
 * A `Belfry` is an engine on a storage. Definitions (`task`) live in this process; schedules and jobs live in the storage,
 * where every other engine on it sees them. Drive it with `run` where a process stays up, with `tick` where a platform's
 * trigger calls; both may happen at once, here and elsewhere, and each occurrence still becomes one job.
 */
import { type Clock, CorrectedClock, delay, systemClock } from "./clock.ts";
import { type Codec, plainCodec } from "./codec.ts";
import { resolveTimeZone, type TemporalLike } from "./cron/mod.ts";
import { type Duration, parseDuration } from "./duration.ts";
import type { Engine } from "./engine.ts";
import { BelfryError } from "./error.ts";
import { type EventMap, type EventName, EventSink } from "./events.ts";
import { type Explanation, explainOccurrence } from "./explain.ts";
import { checkHealth, type HealthOptions, type HealthReport } from "./health.ts";
import { type Ids, systemIds } from "./id.ts";
import { type EnqueueOptions, insertJobs, newJob } from "./job.ts";
import { cancelJob, type RedriveFilter, redriveJobs, retryJob, signalJob } from "./job_control.ts";
import { JobHandle } from "./job_handle.ts";
import { getJob, type Job, type JobSummary, listJobs, stats } from "./job_view.ts";
import { defaultLogger, type Logger } from "./log.ts";
import { openStorage } from "./open.ts";
import { type Registered, registerSchedule, removeSchedule, updateSchedule } from "./registration.ts";
import { type Backfilled, type BackfillOptions, backfillSchedule } from "./schedule/backfill.ts";
import {
  pauseSchedule,
  type ResumeOptions,
  resumeSchedule,
  type Triggered,
  type TriggerOptions,
  triggerSchedule,
} from "./schedule/control.ts";
import type { ScheduleInfo } from "./schedule/info.ts";
import {
  getSchedule,
  type ListOptions,
  listOutcomes,
  listSchedules,
  type OutcomeOptions,
  type PreviewedOccurrence,
  type PreviewOptions,
  previewSchedule,
  type SchedulePage,
} from "./schedule/list.ts";
import type { SchedulePatch } from "./schedule/patch.ts";
import type { Expression, ScheduleOptions, ScheduleSpec, When } from "./schedule.ts";
import { earliest, Scheduler, type TickReport } from "./scheduler.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./schema.ts";
import { type SimulateOptions, type Simulation, simulate } from "./simulate.ts";
import type { ListJobsRequest, OccurrenceRecord, QueueRecord, Statement, StatsReply, Storage } from "./storage.ts";
import { type SyncOptions, type SyncReport, syncSchedules } from "./sync.ts";
import { type Task, type TaskHandler, type TaskOptions, type TaskReference, TaskRegistry } from "./task.ts";
import { Worker } from "./worker.ts";

/** Options of {@link Belfry}. */
export interface BelfryOptions {
  /** Where schedules and jobs live: `sqlite("app.db")`, `memory()`, ... */
  storage: Storage;
  /** Zone of schedules that name none: an IANA name, `UTC`, an offset, or `local`. @default "UTC" */
  timeZone?: string;
  /** How long a leader may be silent before another takes over; 1 s to 1 h. @default "15s" */
  leaseTtl?: Duration;
  /** How long a worker may be silent before its jobs are taken over; 1 s to 1 d. @default "30s" */
  claimTtl?: Duration;
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
  onError?: (error: unknown, during: string) => void;
  /** Takes what the engine has to say. @default warnings and errors to the console */
  logger?: Logger;
}

/** Options of {@link Belfry.run}. */
export interface RunOptions {
  /** Stops: the lease is given up, running jobs are drained. @default `close()` stops */
  signal?: AbortSignal;
  /** Run jobs. @default true */
  work?: boolean;
  /** Fire schedules. @default true */
  schedule?: boolean;
}

/** Options of {@link Belfry.tick}. */
export interface TickOptions {
  /** Run what is ready, too. @default true */
  work?: boolean;
  /** No job is begun after this long; running ones are awaited, within `drain`. @default "25s" */
  budget?: Duration;
  /** Keep going for this long, for schedules finer than the trigger that calls: `tick({ for: "55s" })`. */
  for?: Duration;
  /** At most this many jobs are fired. @default 10,000 */
  maxJobs?: number;
  /** Ends the tick early. */
  signal?: AbortSignal;
}

/** What a tick did: the scheduler's report and the worker's. */
export interface TickResult extends TickReport {
  /** How many jobs it ran, to their end or to their next wait. */
  ran: number;
}

const DEFAULT_BUDGET = "25s";

/**
 * Fires schedules and runs jobs on a storage.
 *
 * @example
 * ```ts
 * import { Belfry } from "belfry";
 * import { memory } from "belfry/memory";
 *
 * const belfry = new Belfry({ storage: memory() });
 * const greet = belfry.task("greet", (_ctx, input: { name: string }) => `Hello ${input.name}`);
 * const job = await belfry.enqueue(greet, { name: "Ada" });
 * await belfry.tick();
 * console.log(await job.result()); // Hello Ada
 * await belfry.close();
 * ```
 */
export class Belfry {
  /** What the rooms share; for adapters and tools. */
  readonly engine: Engine;
  readonly #scheduler: Scheduler;
  readonly #worker: Worker;
  readonly #closing = new AbortController();
  readonly #drainMs: number;
  #running: Promise<void> | undefined;
  /** Ticks under way, for close to wait for. */
  readonly #ticks = new Set<Promise<unknown>>();

  /**
   * Checks the options; opens nothing yet.
   *
   * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`, `ZONE_UNKNOWN`
   */
  constructor(options: BelfryOptions) {
    const { storage, temporal, logger = defaultLogger } = options ?? {};
    if (typeof storage?.beginTick !== "function") {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot make a Belfry: storage is ${storage === null ? "null" : typeof storage}, but must be a storage such as ` +
          'sqlite("app.db") from "belfry/sqlite" or memory() from "belfry/memory"',
      );
    }
    const { concurrency = 10, queues } = options;
    if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 10_000)) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot make a Belfry: concurrency is ${String(concurrency)}, but must be a whole number from 1 to 10,000`,
      );
    }
    const second = { minMs: 1_000 };
    const leaseTtlMs = parseDuration(options.leaseTtl ?? "15s", "leaseTtl", { ...second, maxMs: 3_600_000 });
    const claimTtlMs = parseDuration(options.claimTtl ?? "30s", "claimTtl", { ...second, maxMs: 86_400_000 });
    this.#drainMs = parseDuration(options.drain ?? "10s", "drain");
    const { finished = "7d", failed = "30d", occurrences = "30d" } = options.retention ?? {};
    const retention = {
      finishedMs: parseDuration(finished, "retention.finished"),
      failedMs: parseDuration(failed, "retention.failed"),
      occurrencesMs: parseDuration(occurrences, "retention.occurrences"),
    };
    const clock = new CorrectedClock(options.clock ?? systemClock);
    const ids = options.ids ?? systemIds;
    const report = (error: unknown, during: string): void => {
      try {
        if (options.onError) options.onError(error, during);
        else logger.error(`error while ${during}`, { error });
      } catch (failure) {
        logger.error("onError itself threw", { failure, error });
      }
    };
    this.engine = {
      storage,
      clock,
      ids,
      codec: options.codec ?? plainCodec,
      tasks: new TaskRegistry(),
      events: new EventSink(report),
      logger,
      timeZone: resolveTimeZone(options.timeZone ?? "UTC"),
      temporal,
      holder: ids.token(),
      open: openStorage(storage, clock, logger, this.#closing.signal),
      report,
    };
    this.#scheduler = new Scheduler(this.engine, { leaseTtlMs, retention, onFired: () => this.#worker.wake() });
    this.#worker = new Worker(this.engine, {
      concurrency,
      claimTtlMs,
      drainMs: this.#drainMs,
      ...(queues === undefined ? {} : { queues: [...queues] }),
    });
  }

  // ---------------------------------------------------------------- tasks and jobs

  /**
   * Names a function, so that jobs can run it.
   *
   * @param handler gets the durable context and the input; what it returns is the job's result
   * @throws BelfryError `TASK_DUPLICATE`, `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`
   */
  task<Schema extends StandardSchema, Output>(
    name: string,
    handler: TaskHandler<SchemaOutput<Schema>, Output>,
    options: TaskOptions & { input: Schema },
  ): Task<SchemaInput<Schema>, Output>;
  task<Input = undefined, Output = unknown>(
    name: string,
    handler: TaskHandler<Input, Output>,
    options?: TaskOptions & { input?: never },
  ): Task<Input, Output>;
  task(name: string, handler: TaskHandler<never, unknown>, options?: TaskOptions): Task<never, unknown> {
    const task = this.engine.tasks.define(
      name,
      handler as TaskHandler<unknown, unknown>,
      options as TaskOptions & { input?: never },
    );
    this.#worker.wake();
    return task as Task<never, unknown>;
  }

  /**
   * Puts a job into its queue.
   *
   * @param task a task, or the name of one whose code is elsewhere
   * @returns a handle to wait for the result
   * @throws BelfryError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`, `INPUT_INVALID`, `PAYLOAD_UNSERIALIZABLE`,
   * `PAYLOAD_TOO_LARGE`, before anything is written
   */
  enqueue<Output>(
    task: Task<undefined, Output>,
    input?: undefined,
    options?: EnqueueOptions,
  ): Promise<JobHandle<Output>>;
  enqueue<Input, Output>(task: Task<Input, Output>, input: Input, options?: EnqueueOptions): Promise<JobHandle<Output>>;
  enqueue(task: string, input?: unknown, options?: EnqueueOptions): Promise<JobHandle>;
  async enqueue(task: TaskReference, input?: unknown, options?: EnqueueOptions): Promise<JobHandle> {
    const [handle] = await this.enqueueMany([{ task, input, ...(options === undefined ? {} : { options }) }]);
    return handle!;
  }

  /**
   * Puts many jobs into their queues, in as few batches as they fit in; all are checked before any is written.
   *
   * @throws as {@link enqueue}
   */
  async enqueueMany(
    jobs: readonly { task: TaskReference; input?: unknown; options?: EnqueueOptions }[],
  ): Promise<JobHandle[]> {
    await this.engine.open();
    const rows = [];
    for (const { task, input, options } of jobs) rows.push(await newJob(this.engine, task, input, options));
    const stored = await insertJobs(this.engine, rows);
    return stored.map(({ id, created }) => new JobHandle(this.engine, id, created));
  }

  /**
   * Gives the statements that enqueue a job, to be run in the caller's own transaction or batch on the same database, so
   * that "insert the order" and "enqueue its job" happen together. Where the transaction rolls back, there is no job.
   *
   * @returns the job's id, and the statements in order
   * @throws BelfryError `OPTION_INVALID` where the storage has no statements, and as {@link enqueue}
   */
  async enqueueStatements(
    task: TaskReference,
    input?: unknown,
    options?: EnqueueOptions,
  ): Promise<{ id: string; statements: Statement[] }> {
    const { storage, ids, clock } = this.engine;
    if (!storage.enqueueStatements) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot make statements: the storage ${storage.name} takes none; use enqueue`,
      );
    }
    await this.engine.open();
    const job = await newJob(this.engine, task, input, options);
    return { id: job.id, statements: storage.enqueueStatements({ op: ids.token(), now: clock.now(), jobs: [job] }) };
  }

  /** Gives a handle to a job by its id; asks nothing. */
  job<Output = unknown>(id: string): JobHandle<Output> {
    return new JobHandle<Output>(this.engine, id);
  }

  /** Reads one job with its history. @returns null when there is none of this id */
  getJob(id: string): Promise<Job | null> {
    return getJob(this.engine, id);
  }

  /** Lists jobs, newest first. @param request `limit` is 100 by default */
  listJobs(request: Partial<ListJobsRequest> = {}): Promise<JobSummary[]> {
    return listJobs(this.engine, { limit: 100, ...request });
  }

  /**
   * Cancels a job and all that it invoked.
   *
   * @returns the ids cancelled; empty when it was over already
   * @throws BelfryError `JOB_UNKNOWN`
   */
  cancel(id: string, reason?: string): Promise<string[]> {
    return cancelJob(this.engine, id, reason);
  }

  /**
   * Puts a failed, cancelled or expired job back; it goes on from its saved steps.
   *
   * @returns the ids put back
   * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE`
   */
  retry(id: string): Promise<string[]> {
    return retryJob(this.engine, id);
  }

  /** Puts many failed jobs back. @param options `dryRun`: only say which */
  redrive(filter?: RedriveFilter, options?: { dryRun?: boolean }): Promise<string[]> {
    return redriveJobs(this.engine, filter, options);
  }

  /**
   * Sends a value to a job that waits for it with `ctx.waitFor(name)`, or will.
   *
   * @param options `key`: the same key is taken once
   * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE`, `PAYLOAD_UNSERIALIZABLE`, `NAME_INVALID`
   */
  signal(id: string, name: string, value?: unknown, options?: { key?: string }): Promise<"accepted" | "duplicate"> {
    return signalJob(this.engine, id, name, value, options);
  }

  /** Depths of all queues, how many schedules there are by state, and who leads. */
  stats(): Promise<StatsReply> {
    return stats(this.engine);
  }

  /** Sets a queue's limits, or pauses it; what is not given stays as it is. */
  async configureQueue(name: string, settings: Partial<Omit<QueueRecord, "name">>): Promise<QueueRecord> {
    await this.engine.open();
    const { storage, clock } = this.engine;
    const stored = (await storage.listQueues()).find((queue) => queue.name === name);
    const queue: QueueRecord = { paused: false, concurrency: null, rate: null, ...stored, ...settings, name };
    await storage.putQueues({ now: clock.now(), queues: [queue] });
    this.#worker.wake();
    return queue;
  }

  // ---------------------------------------------------------------- schedules

  /**
   * Registers a schedule, or brings the stored one up to date. The same definition changes nothing, its next occurrence
   * included, so code that runs at every start-up may call it.
   *
   * @param expression 5 or 6 cron fields, a nickname, `@every 90s`, or one instant
   * @param task a task, or the name of one whose code is elsewhere
   * @throws BelfryError `CRON_SYNTAX`, `CRON_NEVER`, `ZONE_UNKNOWN`, `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`,
   * `INPUT_INVALID`, `PAYLOAD_UNSERIALIZABLE`, before anything is written
   */
  async schedule<Input>(
    name: string,
    expression: Expression,
    task: Task<Input, unknown> | string,
    options?: ScheduleOptions<Input>,
  ): Promise<Registered> {
    const registered = await registerSchedule(this.engine, { name, expression, task, options } as Parameters<
      typeof registerSchedule
    >[1]);
    if (registered.status !== "unchanged") this.#scheduler.wake();
    return registered;
  }

  /** Changes options of a stored schedule; what the patch does not name stays, null takes an option back to its default. */
  async updateSchedule(name: string, patch: SchedulePatch): Promise<Registered> {
    const registered = await updateSchedule(this.engine, name, patch);
    this.#scheduler.wake();
    return registered;
  }

  /** Removes a schedule; its unfinished jobs stay and run. @returns false where there was none */
  removeSchedule(name: string): Promise<boolean> {
    return removeSchedule(this.engine, name);
  }

  /**
   * Makes the stored schedules of one owner equal to a list, whatever other versions of the program do meanwhile.
   *
   * @throws as {@link schedule}, before anything is written
   */
  async sync(list: readonly ScheduleSpec[], options: SyncOptions): Promise<SyncReport> {
    const report = await syncSchedules(this.engine, list, options);
    if (report.created.length + report.updated.length > 0) this.#scheduler.wake();
    return report;
  }

  /** Finds a schedule. @returns null where there is none of this name */
  getSchedule(name: string): Promise<ScheduleInfo | null> {
    return getSchedule(this.engine, name);
  }

  /** Lists schedules in order of name, page by page. */
  listSchedules(options?: ListOptions): Promise<SchedulePage> {
    return listSchedules(this.engine, options);
  }

  /** Pauses a schedule. @param options `note`: why @throws BelfryError `SCHEDULE_UNKNOWN` */
  pause(name: string, options?: { note?: string }): Promise<ScheduleInfo> {
    return pauseSchedule(this.engine, name, options);
  }

  /** Makes a paused schedule active again. @param options `catchUp`: fire what it missed, by its policy */
  async resume(name: string, options?: ResumeOptions): Promise<ScheduleInfo> {
    const schedule = await resumeSchedule(this.engine, name, options);
    this.#scheduler.wake();
    return schedule;
  }

  /** Makes a job of a schedule now, whatever its state. @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN` */
  async trigger(name: string, options?: TriggerOptions): Promise<Triggered> {
    const triggered = await triggerSchedule(this.engine, name, options);
    this.#worker.wake();
    return triggered;
  }

  /** Makes jobs of a schedule's past occurrences that did not fire. @throws BelfryError `SCHEDULE_UNKNOWN`, `OPTION_INVALID` */
  async backfill(name: string, options: BackfillOptions): Promise<Backfilled> {
    const done = await backfillSchedule(this.engine, name, options);
    this.#worker.wake();
    return done;
  }

  /** Lists the next occurrences of a stored schedule, or of one that is not registered. */
  preview(schedule: string | ScheduleSpec, options?: PreviewOptions): Promise<PreviewedOccurrence[]> {
    return previewSchedule(this.engine, schedule, options);
  }

  /** Lists what became of a schedule's occurrences, newest first. */
  outcomes(name: string, options?: OutcomeOptions): Promise<OccurrenceRecord[]> {
    return listOutcomes(this.engine, name, options);
  }

  /** Answers "why did it not run at 09:00?". @param at the occurrence, or its minute; local time where it has no offset */
  explain(name: string, at: When): Promise<Explanation> {
    return explainOccurrence(this.engine, name, at);
  }

  /** Looks for what is wrong and nobody would notice. */
  health(options?: HealthOptions): Promise<HealthReport> {
    return checkHealth(this.engine, options);
  }

  /** Tells what a schedule would do, over outages and nights on which clocks change; stores nothing. */
  simulate(spec: ScheduleSpec, options: SimulateOptions): Promise<Simulation> {
    return simulate(spec, options, this.engine);
  }

  // ---------------------------------------------------------------- time

  /**
   * Makes one bounded pass: fires what is due, then runs what is ready. For platforms' triggers, which may come late,
   * twice, at once or not at all: nothing breaks. Idle, it is one round trip to the storage.
   *
   * @returns what happened; call again at once while `more`, or at `nextAt` or `jobsAt`
   * @throws what the storage throws, so that the platform's trigger tries again
   */
  tick(options: TickOptions = {}): Promise<TickResult> {
    const tick = this.#tick(options).finally(() => this.#ticks.delete(tick));
    this.#ticks.add(tick);
    return tick;
  }

  async #tick(options: TickOptions): Promise<TickResult> {
    const { clock } = this.engine;
    const keepsGoing = options.for !== undefined;
    const lengthMs = parseDuration(options.for ?? options.budget ?? DEFAULT_BUDGET, keepsGoing ? "for" : "budget");
    const untilMs = clock.monotonic() + lengthMs;
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closing.signal]) : this.#closing.signal;
    const total = await this.#pass(options, untilMs, signal);
    while (keepsGoing && !signal.aborted) {
      const leftMs = untilMs - clock.monotonic();
      if (leftMs <= 0) break;
      const next = total.more ? clock.now() : earliest(total.nextAt, total.jobsAt);
      const waitMs = next === null ? leftMs : Math.max(0, next - clock.now());
      // What is due after the end is for the next trigger.
      if (!(await delay(clock, Math.min(waitMs, leftMs), signal)) || waitMs >= leftMs) break;
      const pass = await this.#pass(options, untilMs, signal);
      const { leader, more, nextAt, jobsAt, skewMs } = pass;
      Object.assign(total, { leader, more, nextAt, jobsAt, skewMs });
      total.fired += pass.fired;
      total.skipped += pass.skipped;
      total.ran += pass.ran;
    }
    return total;
  }

  async #pass(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    const { clock } = this.engine;
    const report = await this.#scheduler.tick({ oneShot: true, untilMs, maxJobs: options.maxJobs, signal });
    if (options.work === false) return { ...report, ran: 0 };
    const ready = report.fired > 0 || (report.jobsAt !== null && report.jobsAt <= clock.now());
    if (!ready) return { ...report, ran: 0 };
    const { ran, more, nextAt } = await this.#worker.runReady({ untilMs, signal });
    return { ...report, ran, more: report.more || more, jobsAt: nextAt };
  }

  /**
   * Fires schedules and runs jobs until stopped; then gives the lease up and drains. For processes that stay up.
   *
   * @returns when all is drained
   * @throws BelfryError what opening the storage throws; later errors go to `onError`, and it goes on
   */
  async run(options: RunOptions = {}): Promise<void> {
    if (this.#running) throw new BelfryError("OPTION_INVALID", "Cannot run: this Belfry is running already");
    const { work = true, schedule = true } = options;
    await this.engine.open();
    const signal = options.signal ? AbortSignal.any([options.signal, this.#closing.signal]) : this.#closing.signal;
    if (signal.aborted) return;
    const parts: Promise<void>[] = [];
    if (schedule) parts.push(this.#scheduler.run(signal));
    if (work) parts.push(this.#work(signal));
    this.#running = Promise.all(parts).then(() => undefined);
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  /** The worker's loop, woken by what the storage pushes. */
  async #work(signal: AbortSignal): Promise<void> {
    const { storage, report } = this.engine;
    const unlisten = await storage
      .listen?.((wake) => wake !== "schedules" && this.#worker.wake())
      .catch((error: unknown) => report(error, "listening for jobs"));
    try {
      await this.#worker.run(signal);
    } finally {
      if (unlisten) await unlisten().catch((error: unknown) => report(error, "ceasing to listen"));
    }
  }

  /**
   * Listens to what happens in this process.
   *
   * @returns a function that stops listening
   */
  on<Name extends EventName>(name: Name, listener: (payload: EventMap[Name]) => unknown): () => void {
    return this.engine.events.on(name, listener);
  }

  /** Stops what runs, waits for it, and releases the storage. Calling it again does nothing. */
  async close(): Promise<void> {
    this.#closing.abort(new BelfryError("CLOSED", "This Belfry was closed"));
    await Promise.allSettled([this.#running, ...this.#ticks]);
    await this.engine.storage.close();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
