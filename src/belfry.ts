/**
 * The object that users hold: it wires the rooms of the engine and adds nothing of its own.
 *
 * A `Belfry` is an engine on a storage. Definitions (`task`) live in this process; schedules and jobs live in the storage,
 * where every other engine on it sees them. Drive it with `run` where a process stays up, with `tick` where a platform's
 * trigger calls; both may happen at once, here and elsewhere, and each occurrence still becomes one job.
 */

import { checkOptions, unfit } from "./base/options.ts";
import { Drive, type RunOptions, type TickOptions, type TickResult } from "./drive.ts";
import type { Engine } from "./engine/engine.ts";
import type { EventMap, EventName } from "./engine/events.ts";
import { JobHandle } from "./job/handle.ts";
import { Jobs } from "./job/jobs.ts";
import { insertJobs, newJob } from "./job/make.ts";
import { Queues } from "./job/queues.ts";
import { type BelfryOptions, readOptions } from "./options.ts";
import type { ScheduleSpec, TypedScheduleSpec } from "./schedule/define.ts";
import { checkHealth, type HealthOptions, type HealthReport } from "./schedule/health.ts";
import type { Expression, ScheduleArguments } from "./schedule/options.ts";
import { type Registered, registerSchedule } from "./schedule/register.ts";
import { Schedules } from "./schedule/schedules.ts";
import { type SyncOptions, type SyncReport, syncSchedules } from "./schedule/sync.ts";
import type { TaskHandler, TaskOptions } from "./task/definition.ts";
import { type EnqueueOptions, JOB_REQUEST_CHECKS, type JobRequest, type TypedJobRequest } from "./task/options.ts";
import type { SchemaInput, SchemaOutput, StandardSchema } from "./task/schema.ts";
import type { InputArguments, Task, TaskReference } from "./task/task.ts";

export type { RunOptions, TickOptions, TickResult } from "./drive.ts";
export type { BelfryOptions, RetentionOptions } from "./options.ts";

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
  /** Lists and reads jobs; retries and cancels many at once. */
  readonly jobs: Jobs;
  /** Reads, changes and operates schedules; tells what they did and will do. */
  readonly schedules: Schedules;
  /** Shows how deep queues are; sets their limits; pauses and resumes them. */
  readonly queues: Queues;
  /**
   * The parts that all rooms share, for Belfry's own adapters: no stable interface.
   *
   * @internal
   */
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
    const drive = new Drive(parts, closing);
    this.#drive = drive;
    this.jobs = new Jobs(this.engine);
    this.queues = new Queues(this.engine, () => drive.worker.wake());
    this.schedules = new Schedules(this.engine, {
      scheduler: () => drive.scheduler.wake(),
      worker: () => drive.worker.wake(),
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
  async enqueue<Output = unknown, Input = unknown>(
    task: TaskReference<Input, Output>,
    ...[input, options]: InputArguments<Input, EnqueueOptions>
  ): Promise<JobHandle<Output>> {
    await this.engine.open();
    const [stored] = await insertJobs(this.engine, [await newJob(this.engine, task, input, options)]);
    return new JobHandle(this.engine, stored!.id, stored!.created);
  }

  /**
   * Puts many jobs into their queues, in as few batches as they fit in; all are checked before any is written.
   *
   * @throws as {@link enqueue}
   */
  async enqueueMany<Inputs extends readonly unknown[]>(
    jobs: readonly [...{ [Index in keyof Inputs]: TypedJobRequest<Inputs[Index]> }],
  ): Promise<JobHandle[]> {
    if (!Array.isArray(jobs)) throw unfit(jobs, "the list", "enqueueMany", "a list of jobs");
    await this.engine.open();
    const rows = [];
    for (const job of jobs as readonly JobRequest[]) {
      checkOptions(job, "a job of enqueueMany", JOB_REQUEST_CHECKS);
      rows.push(await newJob(this.engine, job.task, job.input, job.options));
    }
    const stored = await insertJobs(this.engine, rows);
    return stored.map(({ id, created }) => new JobHandle(this.engine, id, created));
  }

  /** Gives a handle to a job by its id, without asking the storage. */
  job<Output = unknown>(id: string): JobHandle<Output> {
    return new JobHandle<Output>(this.engine, id);
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
  async schedule<Input = unknown>(
    name: string,
    expression: Expression,
    task: TaskReference<Input>,
    ...[options]: ScheduleArguments<Input>
  ): Promise<Registered> {
    const registered = await registerSchedule(this.engine, { name, expression, task, options } as Parameters<
      typeof registerSchedule
    >[1]);
    if (registered.status !== "unchanged") this.#drive.scheduler.wake();
    return registered;
  }

  /**
   * Makes the stored schedules of one owner equal to a list, whatever other versions of the program do meanwhile.
   *
   * @throws as {@link schedule}, before anything is written
   */
  async sync<Inputs extends readonly unknown[]>(
    list: readonly [...{ [Index in keyof Inputs]: TypedScheduleSpec<Inputs[Index]> }],
    options: SyncOptions,
  ): Promise<SyncReport> {
    const report = await syncSchedules(this.engine, list as readonly ScheduleSpec[], options);
    if (report.created.length + report.updated.length > 0) this.#drive.scheduler.wake();
    return report;
  }

  /** Looks for what is wrong and nobody would notice. */
  health(options?: HealthOptions): Promise<HealthReport> {
    return checkHealth(this.engine, options);
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
