/**
 * A stored job as people and programs outside read it: decoded, with its history in order.
 *
 * What cannot be decoded (another key) is shown as such and does not hide the rest.
 */
import { decodePayload } from "../base/codec.ts";
import { type Checks, checkOptions, text, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobRecord, JobState, StepKind, StepRecord, StepState } from "../storage/port.ts";
import { type Failure, parseFailure } from "../task/failure.ts";
import { type JobOptions, parseJobOptions } from "../task/options.ts";
import { FILTER_CHECKS, type JobFilter } from "./many.ts";
import { shownName } from "./step_name.ts";

/** A job without its history. */
export interface JobSummary {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  priority: number;
  /** When it may be claimed next, epoch ms; null while it runs, waits for no time, or is over. */
  availableAt: number | null;
  expiresAt: number | null;
  key: string | null;
  schedule: string | null;
  scheduledAt: number | null;
  parentId: string | null;
  limitKey: string | null;
  held: boolean;
  attempt: number;
  claims: number;
  worker: string | null;
  claimExpiresAt: number | null;
  options: JobOptions;
  error: Failure | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
}

/** One step of a job's history. */
export interface JobStep {
  name: string;
  kind: StepKind;
  state: StepState;
  /** How often it was tried, up to now. */
  tries: number;
  /** The job's attempt in which it was over; null while it is not. */
  attempt: number | null;
  output: unknown;
  error: Failure | null;
  wakeAt: number | null;
  /** Id of the child job (`invoke`, `spawn`). */
  childId: string | null;
  /** Key of the signal that ended a `wait`; null while it waits, and where its timeout came first. */
  signalKey: string | null;
  startedAt: number;
  finishedAt: number | null;
}

/** A job with input, output and history. */
export interface Job extends JobSummary {
  input: unknown;
  /** What its handler returned; undefined unless completed. */
  output: unknown;
  progress: unknown;
  /** What is over in the order in which it was, then what is pending. */
  steps: JobStep[];
  signals: { name: string; key: string; value: unknown; sentAt: number }[];
}

/** Stands in a view for a payload that cannot be decoded. */
export interface Unreadable {
  unreadable: string;
}

/**
 * Reads one job.
 *
 * @returns null when there is none of this id
 */
export async function getJob(engine: Engine, id: string): Promise<Job | null> {
  await engine.open();
  const record = await engine.storage.getJob({ id });
  if (!record) return null;
  const read: Read = async (stored, what, decode = (text) => decodePayload(engine.codec, text, what)) => {
    if (stored === null) return undefined;
    try {
      return await decode(stored);
    } catch (error) {
      const unreadable: Unreadable = { unreadable: error instanceof Error ? error.message : String(error) };
      return unreadable;
    }
  };
  const steps = record.steps.sort((a, b) => (a.seq ?? Infinity) - (b.seq ?? Infinity) || a.startedAt - b.startedAt);
  return {
    ...summary(record),
    input: await read(record.input, "input"),
    output: await read(record.result, "output"),
    progress: await read(record.progress, "progress"),
    steps: await Promise.all(steps.map((step) => viewStep(step, read))),
    signals: await Promise.all(
      record.signals.map(async ({ name, key, payload, sentAt }) => ({
        name,
        key,
        value: await read(payload, `signal ${name}`),
        sentAt,
      })),
    ),
  };
}

/** Decodes a stored payload, by default with the engine's codec; what cannot be decoded becomes {@link Unreadable}. */
type Read = (stored: string | null, what: string, decode?: (text: string) => unknown) => Promise<unknown>;

async function viewStep(step: StepRecord, read: Read): Promise<JobStep> {
  const { kind, state, tries, attempt, wakeAt, childId, signalKey, startedAt, finishedAt } = step;
  const name = shownName(step.name);
  return {
    name,
    kind,
    state,
    tries,
    attempt,
    output: await read(step.output, `output of step ${name}`, kind === "value" ? JSON.parse : undefined),
    error: step.error === null ? null : parseFailure(step.error),
    wakeAt,
    childId,
    signalKey,
    startedAt,
    finishedAt,
  };
}

/** Which jobs to list. */
export interface ListJobsOptions extends JobFilter {
  /** Only jobs made before the one of this id: the last id of a page gives the next page. */
  before?: string;
  /** List at most this many; 1 to 10,000. @default 100 */
  limit?: number;
}

const LIST_CHECKS: Checks<ListJobsOptions> = { ...FILTER_CHECKS, before: text, limit: whole(1, 10_000) };

/** Lists jobs, newest first. */
export async function listJobs(engine: Engine, options: ListJobsOptions = {}): Promise<JobSummary[]> {
  checkOptions(options, "jobs.list", LIST_CHECKS);
  const { limit = 100, states, ...filter } = options;
  await engine.open();
  const request = { ...filter, limit, ...(states === undefined ? {} : { states: [...states] }) };
  return (await engine.storage.listJobs(request)).map(summary);
}

function summary(record: JobRecord): JobSummary {
  const { id, task, queue, state, priority, availableAt, expiresAt, key, schedule, scheduledAt, parentId } = record;
  const { limitKey, held, attempt, claims, worker, claimExpiresAt, createdAt, startedAt, finishedAt } = record;
  return {
    id,
    task,
    queue,
    state,
    priority,
    availableAt,
    expiresAt,
    key,
    schedule,
    scheduledAt,
    parentId,
    limitKey,
    held,
    attempt,
    claims,
    worker,
    claimExpiresAt,
    options: parseJobOptions(record.options),
    error: record.error === null ? null : parseFailure(record.error),
    createdAt,
    startedAt,
    finishedAt,
  };
}
