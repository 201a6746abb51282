/**
 * The object that users hold: it wires the rooms of the engine and adds nothing of its own.
 *
 * A `Belfry` is an engine on a storage. Definitions (`task`) live in this process; schedules and jobs live in the storage,
 * where every other engine on it sees them. Drive it with `run` where a process stays up, with `tick` where a platform's
 * trigger calls; both may happen at once, here and elsewhere, and each occurrence still becomes one job.
 */

import { BelfryError } from "./base/error.ts";
import { Drive, type RunOptions, type TickOptions, type TickResult } from "./drive.ts";
import type { Engine } from "./engine/engine.ts";
import type { EventMap, EventName } from "./engine/events.ts";
import { cancelJob, type RedriveFilter, redriveJobs, retryJob, signalJob } from "./job/control.ts";
import { JobHandle } from "./job/handle.ts";
import { insertJobs, newJob } from "./job/make.ts";
import { getJob, type Job, type JobSummary, listJobs, stats } from "./job/view.ts";
import { type BelfryOptions, readOptions } from "./options.ts";
import { type Backfilled, type BackfillOptions, backfillSchedule } from "./schedule/backfill.ts";
import {
  pauseSchedule,
  type ResumeOptions,
  resumeSchedule,
  type Triggered,
  type TriggerOptions,
  triggerSchedule,
} from "./schedule/control.ts";
import type { ScheduleSpec } from "./schedule/define.ts";
import { type Explanation, explainOccurrence } from "./schedule/explain.ts";
import { type Forecast, type ForecastOptions, forecastSchedule } from "./schedule/forecast.ts";
import { checkHealth, type HealthOptions, type HealthReport } from "./schedule/health.ts";
import type { ScheduleInfo } from "./schedule/info.ts";
import {
  getSchedule,
  type ListOptions,
  listOccurrences,
  listSchedules,
  type OccurrenceOptions,
  type PreviewedOccurrence,
  type PreviewOptions,
  previewSchedule,
  type SchedulePage,
} from "./schedule/list.ts";
import type { When } from "./schedule/local_time.ts";
import type { Expression, ScheduleOptions } from "./schedule/options.ts";
import type { SchedulePatch } from "./schedule/patch.ts";
import { type Registered, registerSchedule, removeSchedule, updateSchedule } from "./schedule/register.ts";
import { type SyncOptions, type SyncReport, syncSchedules } from "./schedule/sync.ts";
import type { ListJobsRequest, OccurrenceRecord, QueueRecord, Statement, StatsReply } from "./storage/port.ts";
import type { TaskHandler, TaskOptions } from "./task/definition.ts";
import type { EnqueueOptions } from "./task/options.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./task/schema.ts";
import type { Task, TaskReference } from "./task/task.ts";

export type { RunOptions, TickOptions, TickResult } from "./drive.ts";
export type { BelfryOptions } from "./options.ts";

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
  readonly #drive: Drive;

  /**
   * Checks the options; opens nothing yet.
   *
   * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`, `ZONE_UNKNOWN`
   */
  constructor(options: BelfryOptions) {
    const closing = new AbortController();
    const parts = readOptions(options, closing.signal);
    this.engine = parts.engine;
    this.#drive = new Drive(parts, closing);
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
    this.#drive.worker.wake();
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
    this.#drive.worker.wake();
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
    if (registered.status !== "unchanged") this.#drive.scheduler.wake();
    return registered;
  }

  /** Changes options of a stored schedule; what the patch does not name stays, null takes an option back to its default. */
  async update(name: string, patch: SchedulePatch): Promise<Registered> {
    const registered = await updateSchedule(this.engine, name, patch);
    this.#drive.scheduler.wake();
    return registered;
  }

  /** Removes a schedule; its unfinished jobs stay and run. @returns false where there was none */
  remove(name: string): Promise<boolean> {
    return removeSchedule(this.engine, name);
  }

  /**
   * Makes the stored schedules of one owner equal to a list, whatever other versions of the program do meanwhile.
   *
   * @throws as {@link schedule}, before anything is written
   */
  async sync(list: readonly ScheduleSpec[], options: SyncOptions): Promise<SyncReport> {
    const report = await syncSchedules(this.engine, list, options);
    if (report.created.length + report.updated.length > 0) this.#drive.scheduler.wake();
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

  /** Makes a paused schedule active again. @param options `missed: "fire"`: fire what it missed, by its policy */
  async resume(name: string, options?: ResumeOptions): Promise<ScheduleInfo> {
    const schedule = await resumeSchedule(this.engine, name, options);
    this.#drive.scheduler.wake();
    return schedule;
  }

  /** Makes a job of a schedule now, whatever its state. @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN` */
  async trigger(name: string, options?: TriggerOptions): Promise<Triggered> {
    const triggered = await triggerSchedule(this.engine, name, options);
    this.#drive.worker.wake();
    return triggered;
  }

  /** Makes jobs of a schedule's past occurrences that did not fire. @throws BelfryError `SCHEDULE_UNKNOWN`, `OPTION_INVALID` */
  async backfill(name: string, options: BackfillOptions): Promise<Backfilled> {
    const done = await backfillSchedule(this.engine, name, options);
    this.#drive.worker.wake();
    return done;
  }

  /** Lists the next occurrences of a stored schedule, or of one that is not registered. */
  preview(schedule: string | ScheduleSpec, options?: PreviewOptions): Promise<PreviewedOccurrence[]> {
    return previewSchedule(this.engine, schedule, options);
  }

  /** Lists what became of a schedule's occurrences, newest first. */
  occurrences(name: string, options?: OccurrenceOptions): Promise<OccurrenceRecord[]> {
    return listOccurrences(this.engine, name, options);
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
  forecast(spec: ScheduleSpec, options: ForecastOptions): Promise<Forecast> {
    return forecastSchedule(spec, options, this.engine);
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
    return this.#drive.tick(options);
  }

  /**
   * Fires schedules and runs jobs until stopped; then gives the lease up and drains. For processes that stay up.
   *
   * @returns when all is drained
   * @throws BelfryError what opening the storage throws; later errors go to `onError`, and it goes on
   */
  run(options: RunOptions = {}): Promise<void> {
    return this.#drive.run(options);
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
  close(): Promise<void> {
    return this.#drive.close();
  }

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
