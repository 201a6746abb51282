/**
 * How a call becomes a job: options checked, input validated and encoded, everything before anything is written.
 *
 * `newJob` makes the row that `enqueue`, `invoke`, `spawn` and the scheduler insert; what the worker needs later travels
 * in `options` as overrides only, and the worker lays them over its own definition of the task, so a changed task also
 * changes the jobs that wait for it, except where their sender asked for something else.
 */
import { encodePayload } from "../base/codec.ts";
import { parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import { checkOptions } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { Inserted } from "../engine/enqueuer.ts";
import type { JobLimit, NewJob } from "../storage/port.ts";
import {
  ENQUEUE_CHECKS,
  type EnqueueOptions,
  type LimitOptions,
  readInstant,
  readJobOptions,
} from "../task/options.ts";
import { readRate } from "../task/rate.ts";
import { validate } from "../task/schema.ts";
import { type TaskReference, taskName } from "../task/task.ts";

/** What {@link newJob} takes beyond the options: where the job comes from. */
export interface JobOrigin {
  /** Its id; default: a new one. */
  id?: string;
  parentId?: string | null;
  schedule?: string | null;
  scheduledAt?: number | null;
  traceparent?: string | undefined;
}

/**
 * Makes the row of a job, or says what is wrong with it.
 *
 * @param task a task or its name; one that this program does not know is taken as it is (its worker checks the input)
 * @throws BelfryError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`, `INPUT_INVALID`, `PAYLOAD_UNSERIALIZABLE`,
 * `PAYLOAD_TOO_LARGE`; nothing is written
 */
export async function newJob(
  engine: Engine,
  task: TaskReference,
  input: unknown,
  options: EnqueueOptions = {},
  origin: JobOrigin = {},
): Promise<NewJob> {
  const name = taskName(task);
  const definition = engine.tasks.get(name);
  const what = `job of task ${JSON.stringify(name)}`;
  checkOptions(options, `a ${what}`, ENQUEUE_CHECKS);
  const now = engine.clock.now();
  const availableAt = readAvailableAt(options, now, what);
  const expiresInMs =
    options.expiresIn === undefined ? null : parseDuration(options.expiresIn, `expiresIn of the ${what}`);
  const travelling = readJobOptions(options, what);
  if (definition?.version !== undefined) travelling.version = definition.version;
  const traceparent = origin.traceparent ?? engine.tracing?.traceparent();
  if (traceparent !== undefined) travelling.traceparent = traceparent;
  const limit = readLimit(options.limit, what) ?? rateLimit(definition?.rate ?? null, name);
  if (definition?.schema) await validate(definition.schema, input, `input of task ${JSON.stringify(name)}`);
  return {
    id: origin.id ?? engine.ids.id(now),
    task: name,
    queue: options.queue ?? definition?.queue ?? "default",
    priority: options.priority ?? 0,
    availableAt,
    expiresAt: expiresInMs === null ? null : availableAt + expiresInMs,
    key: options.key ?? null,
    input: await encodePayload(engine.codec, input, `input of task ${JSON.stringify(name)}`),
    options: JSON.stringify(travelling),
    schedule: origin.schedule ?? null,
    scheduledAt: origin.scheduledAt ?? null,
    parentId: origin.parentId ?? null,
    limit,
  };
}

/**
 * Inserts jobs that {@link newJob} made, and tells those who listen.
 *
 * @returns for each the id of the stored job: its own, or that of the job that had the key before
 */
export async function insertJobs(engine: Engine, jobs: NewJob[]): Promise<Inserted[]> {
  await engine.open();
  return engine.enqueuer.insert(jobs);
}

function readAvailableAt(options: EnqueueOptions, now: number, what: string): number {
  if (options.delay !== undefined && options.runAt !== undefined) {
    throw new BelfryError("OPTION_INVALID", `Cannot enqueue a ${what}: delay and runAt exclude each other`);
  }
  if (options.delay !== undefined) return now + parseDuration(options.delay, `delay of the ${what}`);
  return options.runAt === undefined ? now : readInstant(options.runAt, `runAt of the ${what}`);
}

function readLimit(limit: LimitOptions | undefined, what: string): JobLimit | null {
  if (limit === undefined) return null;
  const { concurrency, rate } = limit;
  if (concurrency === undefined && rate === undefined) {
    throw new BelfryError("OPTION_INVALID", `Cannot enqueue a ${what}: limit needs concurrency or rate`);
  }
  return {
    key: checkName(limit.key, "limit"),
    concurrency: concurrency ?? null,
    rate: rate === undefined ? null : readRate(rate, `the limit of the ${what}`),
  };
}

/** A task's own rate is a limit under a key that users' keys are unlikely to meet. */
function rateLimit(rate: JobLimit["rate"], task: string): JobLimit | null {
  return rate === null ? null : { key: `task:${task}`, concurrency: null, rate };
}
