/**
 * All jobs of a remote app, as `client.jobs`: listing, reading, acting on many at once.
 */
import { type Checks, checkOptions, text, whole } from "../../src/base/options.ts";
import {
  type CancelManyOptions,
  FILTER_CHECKS,
  type JobFilter,
  type ManyJobsFilter,
  type RetryManyOptions,
} from "../../src/job/many.ts";
import type * as wire from "../hono/wire/mod.ts";
import { ifKnown } from "./absent.ts";
import { IDS, JOB } from "./job.ts";
import { part, type Send } from "./request.ts";

/** Which jobs to list. */
export interface ClientListJobsOptions extends JobFilter {
  /** How many at most, 1 to 200. @default 50 */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}

const LIST_CHECKS: Checks<ClientListJobsOptions> = { ...FILTER_CHECKS, limit: whole(1, 200), cursor: text };

/** The jobs of an installation. Methods throw `RequestError` when they are refused or get no usable answer. */
export class ClientJobs {
  readonly #send: Send;

  /** @param send calls the app */
  constructor(send: Send) {
    this.#send = send;
  }

  /** Lists jobs, newest first; `next` of a page is the `cursor` of the one after. */
  async list(options: ClientListJobsOptions = {}): Promise<wire.JobPage> {
    checkOptions(options, "jobs.list", LIST_CHECKS);
    const { states: state, parentId: parent, ...same } = options;
    return this.#send("GET", "/jobs", { query: { ...same, state, parent }, gives: { items: "list", next: "text?" } });
  }

  /** Reads one job with its history. @returns null where no job of this id is stored */
  get(id: string): Promise<wire.JobDetail | null> {
    return ifKnown("JOB_UNKNOWN", this.#send<wire.JobDetail>("GET", `/jobs/${part(id)}`, { gives: JOB }));
  }

  /**
   * Puts back many jobs that ended badly; each goes on from its saved steps.
   *
   * @param filter which; `{}` selects every failed job, up to `limit`
   * @returns the ids of the selected jobs that were put back (with `dryRun`: would be), newest first
   * @throws RequestError `JOB_STATE` where the filter names states that cannot be put back
   */
  async retryMany(filter: ManyJobsFilter, options: RetryManyOptions = {}): Promise<string[]> {
    return (await this.#send("POST", "/jobs/retry", { json: { ...options, filter }, gives: IDS })).ids;
  }

  /**
   * Cancels many unfinished jobs and all that they invoked.
   *
   * @param filter which; `{}` selects every unfinished job, up to `limit`
   * @returns the ids cancelled (with `dryRun`: those that would be), descendants included
   * @throws RequestError `JOB_STATE` where the filter names states in which a job is over
   */
  async cancelMany(filter: ManyJobsFilter, options: CancelManyOptions = {}): Promise<string[]> {
    return (await this.#send("POST", "/jobs/cancel", { json: { ...options, filter }, gives: IDS })).ids;
  }
}
