/**
 * All jobs, as `belfry.jobs`: listing, reading, acting on many at once. What is done to a single job is in `handle.ts`.
 */
import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { Statement } from "../storage/port.ts";
import type { EnqueueOptions } from "../task/options.ts";
import type { InputArguments, TaskReference } from "../task/task.ts";
import { newJob } from "./make.ts";
import {
  type CancelManyOptions,
  cancelManyJobs,
  type ManyJobsFilter,
  type RetryManyOptions,
  retryJobs,
} from "./many.ts";
import { getJob, type Job, type JobSummary, type ListJobsOptions, listJobs } from "./view.ts";

/** What `jobs.statements` made. */
export interface JobStatements {
  /** The id that the job will have. */
  id: string;
  /** The statements, to be run in this order. */
  statements: Statement[];
}

/** The jobs of an installation. */
export class Jobs {
  readonly #engine: Engine;

  /** @param engine where the jobs are stored */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Lists jobs, newest first. @throws BelfryError `OPTION_INVALID` */
  list(options?: ListJobsOptions): Promise<JobSummary[]> {
    return listJobs(this.#engine, options);
  }

  /** Reads one job with its history. @returns null where no job of this id is stored */
  get(id: string): Promise<Job | null> {
    return getJob(this.#engine, id);
  }

  /**
   * Puts back many jobs that ended badly; each goes on from its saved steps.
   *
   * @param filter which; `{}` selects every failed job, up to `limit`
   * @returns the ids of the selected jobs that were put back (with `dryRun`: would be), newest first
   * @throws BelfryError `OPTION_INVALID`, `JOB_STATE` where the filter names states that cannot be put back
   */
  retryMany(filter: ManyJobsFilter, options?: RetryManyOptions): Promise<string[]> {
    return retryJobs(this.#engine, filter, options);
  }

  /**
   * Cancels many unfinished jobs and all that they invoked.
   *
   * @param filter which; `{}` selects every unfinished job, up to `limit`
   * @returns the ids cancelled (with `dryRun`: those that would be), descendants included
   * @throws BelfryError `OPTION_INVALID`, `JOB_STATE` where the filter names states in which a job is over
   */
  cancelMany(filter: ManyJobsFilter, options?: CancelManyOptions): Promise<string[]> {
    return cancelManyJobs(this.#engine, filter, options);
  }

  /**
   * Gives the statements that enqueue a job, to be run in the caller's own transaction or batch on the same database, so
   * that "insert the order" and "enqueue its job" happen together. Where the transaction rolls back, there is no job.
   *
   * @throws BelfryError `OPTION_INVALID` where the storage has no statements, and as `enqueue`
   */
  async statements<Input = unknown>(
    task: TaskReference<Input>,
    ...[input, options]: InputArguments<Input, EnqueueOptions>
  ): Promise<JobStatements> {
    const { storage, ids, clock } = this.#engine;
    if (!storage.enqueueStatements) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot make statements: the storage ${storage.name} has none; call enqueue instead`,
      );
    }
    await this.#engine.open();
    const job = await newJob(this.#engine, task, input, options);
    return { id: job.id, statements: storage.enqueueStatements({ op: ids.token(), now: clock.now(), jobs: [job] }) };
  }
}
