/**
 * How are many jobs retried or cancelled at once? A filter selects them, page by page, newest first; what is done to each
 * is the same as for a single job. A dry run answers the ids and changes nothing.
 */
import { BelfryError } from "../base/error.ts";
import { type Checks, checkOptions, flag, listOf, nameOf, oneOf, text, unfit, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobRecord, JobState } from "../storage/port.ts";
import { JOB_STATES } from "../storage/states.ts";
import { cancelJobs } from "./control.ts";
import { putBack, RETRIABLE } from "./retry.ts";

/** Selects jobs; a job fits when all that is given fits. */
export interface JobFilter {
  /** Only jobs in one of these states. */
  states?: readonly JobState[];
  /** Only jobs of this queue. */
  queue?: string;
  /** Only jobs of the task of this name. */
  task?: string;
  /** Only jobs of this schedule. */
  schedule?: string;
  /** Only jobs that this job invoked. */
  parentId?: string;
  /** Only jobs with this idempotency key. */
  key?: string;
}

/** Selects the jobs of `jobs.retryMany` and `jobs.cancelMany`. */
export interface ManyJobsFilter extends JobFilter {
  /** Select at most this many, the newest; 1 to 100,000. @default 1,000 */
  limit?: number;
}

/** Options of `jobs.retryMany`. */
export interface RetryManyOptions {
  /** Only tell which jobs would be put back. @default false */
  dryRun?: boolean;
}

/** Options of `jobs.cancelMany`. */
export interface CancelManyOptions {
  /** Only tell which jobs would be cancelled. @default false */
  dryRun?: boolean;
  /** Why, for people; stands in the error of the cancelled jobs. @default "cancelled" */
  reason?: string;
}

const DEFAULT_LIMIT = 1_000;
const PAGE = 200;
const UNFINISHED: readonly JobState[] = ["ready", "running", "waiting"];

/** Checks of {@link JobFilter}. */
export const FILTER_CHECKS: Checks<JobFilter> = {
  states: listOf(oneOf(JOB_STATES)),
  queue: nameOf("queue"),
  task: nameOf("task"),
  schedule: nameOf("schedule"),
  parentId: text,
  key: nameOf("key"),
};
const MANY_CHECKS: Checks<ManyJobsFilter> = { ...FILTER_CHECKS, limit: whole(1, 100_000) };
const RETRY_CHECKS: Checks<RetryManyOptions> = { dryRun: flag };
const CANCEL_CHECKS: Checks<CancelManyOptions> = { dryRun: flag, reason: text };

/** A filter must be given, and none of its keys may be undefined: either is an oversight that would select every job. */
function checkFilter(filter: ManyJobsFilter, of: string): void {
  if (filter === undefined) throw unfit(filter, "the filter", of, "an object; {} selects every job");
  checkOptions(filter, of, MANY_CHECKS);
  for (const [name, value] of Object.entries(filter)) {
    if (value === undefined) throw unfit(value, name, of, "left out where it is not to narrow the selection");
  }
}

/**
 * Puts back many jobs that ended badly.
 *
 * @param filter `states`: any of failed (default), cancelled and expired
 * @returns the ids of the selected jobs that were put back, newest first; children that were put back with them are not listed
 * @throws BelfryError `JOB_STATE` where the filter names states that cannot be put back
 */
export async function retryJobs(
  engine: Engine,
  filter: ManyJobsFilter,
  options: RetryManyOptions = {},
): Promise<string[]> {
  checkFilter(filter, "jobs.retryMany");
  checkOptions(options, "jobs.retryMany", RETRY_CHECKS);
  const { states = ["failed"] } = filter;
  refuseOtherStates("retry", states, RETRIABLE);
  const ids: string[] = [];
  await eachPage(engine, { ...filter, states }, async (page) => {
    if (options.dryRun) {
      ids.push(...page.map((job) => job.id));
      return;
    }
    const jobs = await Promise.all(page.map((job) => engine.storage.getJob({ id: job.id })));
    const back = new Set(
      await putBack(
        engine,
        jobs.filter((job) => job !== null),
      ),
    );
    ids.push(...page.map((job) => job.id).filter((id) => back.has(id)));
  });
  return ids;
}

/**
 * Cancels many unfinished jobs and all that they invoked.
 *
 * @param filter `states`: any of ready, running and waiting (default: all three)
 * @returns the ids cancelled (in a dry run: those that would be), descendants included
 * @throws BelfryError `JOB_STATE` where the filter names states in which a job is over
 */
export async function cancelManyJobs(
  engine: Engine,
  filter: ManyJobsFilter,
  options: CancelManyOptions = {},
): Promise<string[]> {
  checkFilter(filter, "jobs.cancelMany");
  checkOptions(options, "jobs.cancelMany", CANCEL_CHECKS);
  const { states = UNFINISHED } = filter;
  refuseOtherStates("cancel", states, UNFINISHED);
  const ids = new Set<string>();
  await eachPage(engine, { ...filter, states }, async (page) => {
    const asked = page.map((job) => job.id);
    const found = options.dryRun ? await withDescendants(engine, asked) : await cancelJobs(engine, asked, options);
    for (const id of found) ids.add(id);
  });
  return [...ids];
}

function refuseOtherStates(verb: string, states: readonly JobState[], allowed: readonly JobState[]): void {
  const wrong = states.find((state) => !allowed.includes(state));
  if (wrong === undefined) return;
  throw new BelfryError(
    "JOB_STATE",
    `Cannot ${verb} jobs in state ${JSON.stringify(wrong)}: states must be among ${allowed.join(", ")}`,
  );
}

/** Gives the selected jobs to `act`, newest first, page by page. */
async function eachPage(
  engine: Engine,
  { limit = DEFAULT_LIMIT, states = [], ...filter }: ManyJobsFilter,
  act: (page: JobRecord[]) => Promise<void>,
): Promise<void> {
  await engine.open();
  let before: string | undefined;
  for (let left = limit; left > 0; ) {
    const size = Math.min(left, PAGE);
    const page = await engine.storage.listJobs({
      ...filter,
      states: [...states],
      limit: size,
      ...(before === undefined ? {} : { before }),
    });
    if (page.length > 0) await act(page);
    if (page.length < size) return;
    before = page.at(-1)!.id;
    left -= page.length;
  }
}

/** The jobs and their unfinished descendants. */
async function withDescendants(engine: Engine, ids: readonly string[]): Promise<string[]> {
  const found = [...ids];
  for (const parentId of found) {
    let before: string | undefined;
    for (;;) {
      const page = await engine.storage.listJobs({
        parentId,
        states: [...UNFINISHED],
        limit: PAGE,
        ...(before === undefined ? {} : { before }),
      });
      found.push(...page.map((job) => job.id));
      if (page.length < PAGE) break;
      before = page.at(-1)!.id;
    }
  }
  return found;
}
