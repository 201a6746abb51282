/**
 * How a call becomes a job: options checked, input validated and encoded, everything before anything is written.
 *
 * `newJob` makes the row that `enqueue`, `invoke`, `spawn` and the scheduler insert; what the worker needs later travels
 * in `options` as overrides only, and the worker lays them over its own definition of the task, so a changed task also
 * changes the jobs that wait for it, except where their sender asked for something else.
 */
import { encodePayload } from "../base/codec.ts";
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import type { Engine } from "../engine/engine.ts";
import { enqueuerOf, type Inserted } from "../engine/enqueuer.ts";
import { tracingOf } from "../engine/tracing.ts";
import type { JobLimit, NewJob } from "../storage/port.ts";
import { parseRetry, type RetryPolicy, type StorableRetry } from "../task/retry.ts";
import { validate } from "../task/schema.ts";
import { type Rate, readRate, type TaskReference, taskName } from "../task/task.ts";

/** What a job brings with it for the worker: JSON in `NewJob.options`. Absent means: as the task says. */
export interface JobOptions {
  retry?: RetryPolicy;
  timeoutMs?: number;
  /** Version of the task that it is for. */
  version?: string;
  tags?: string[];
  /** W3C trace context of the enqueuer. */
  traceparent?: string;
}

/** A global limit by key: the jobs of one key count together, over all tasks, queues and workers. */
export interface LimitOptions {
  key: string;
  /** How many of the key's jobs may be under way (admitted and unfinished, waiting ones included). */
  concurrency?: number;
  /** How many of the key's jobs may become available in any window. */
  rate?: Rate;
}

/** Options of `enqueue`. */
export interface EnqueueOptions {
  /** Idempotency key: while a job of this task with the same key is stored, enqueuing gives that job back. */
  key?: string;
  /** How long from now until it may run. Not together with `runAt`. */
  delay?: Duration;
  /** When it may run: epoch ms, a `Date` or a `Temporal.Instant`. */
  runAt?: number | Date | { readonly epochMilliseconds: number };
  /** Higher runs first. @default 0 */
  priority?: number;
  /** @default the task's queue */
  queue?: string;
  /** It is not begun later than this long after it became available (`delay`, `runAt`). @default never expires */
  expiresIn?: Duration;
  /** Overrides the task's policy. A function cannot travel: that belongs to the task. */
  retry?: StorableRetry;
  /** Overrides the task's timeout of one run. */
  timeout?: Duration;
  /** A global limit that it counts against; overrides the task's `rate`. */
  limit?: LimitOptions;
  /** Labels for people and tools. */
  tags?: string[];
}

/** What {@link newJob} takes beyond the options: where the job comes from. */
export interface JobOrigin {
  /** Its id; default: a new one. */
  id?: string;
  parentId?: string | null;
  schedule?: string | null;
  scheduledAt?: number | null;
  traceparent?: string | undefined;
}

const MAX_TAGS = 32;
const MAX_PRIORITY = 1_000_000;

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
  const now = engine.clock.now();
  const availableAt = readAvailableAt(options, now, what);
  const expiresInMs =
    options.expiresIn === undefined ? null : parseDuration(options.expiresIn, `expiresIn of the ${what}`, { minMs: 1 });
  const { priority = 0 } = options;
  if (!Number.isInteger(priority) || Math.abs(priority) > MAX_PRIORITY) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot enqueue a ${what}: priority is ${String(priority)}, but must be a whole number within ±1,000,000`,
    );
  }
  const travelling = readJobOptions(options, what);
  if (definition?.version !== undefined) travelling.version = definition.version;
  const traceparent = origin.traceparent ?? tracingOf(engine)?.traceparent();
  if (traceparent !== undefined) travelling.traceparent = traceparent;
  const limit = readLimit(options.limit, what) ?? rateLimit(definition?.rate ?? null, name);
  if (definition?.schema) await validate(definition.schema, input, `input of task ${JSON.stringify(name)}`);
  return {
    id: origin.id ?? engine.ids.id(now),
    task: name,
    queue: options.queue === undefined ? (definition?.queue ?? "default") : checkName(options.queue, "queue"),
    priority,
    availableAt,
    expiresAt: expiresInMs === null ? null : availableAt + expiresInMs,
    key: options.key === undefined ? null : checkName(options.key, "key"),
    input: await encodePayload(engine.codec, input, `input of task ${JSON.stringify(name)}`),
    options: JSON.stringify(travelling),
    schedule: origin.schedule ?? null,
    scheduledAt: origin.scheduledAt ?? null,
    parentId: origin.parentId ?? null,
    limit,
  };
}

/**
 * Checks the options that travel with a job; schedules store the same.
 *
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readJobOptions(options: Pick<EnqueueOptions, "retry" | "timeout" | "tags">, what: string): JobOptions {
  const read: JobOptions = {};
  if (options.retry !== undefined) {
    if (typeof options.retry === "function") {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot enqueue a ${what}: a retry function cannot be stored; give it to the task, or write options`,
      );
    }
    read.retry = parseRetry(options.retry, `the ${what}`);
  }
  if (options.timeout !== undefined)
    read.timeoutMs = parseDuration(options.timeout, `timeout of the ${what}`, { minMs: 1 });
  if (options.tags !== undefined && options.tags.length > 0) {
    if (!Array.isArray(options.tags) || options.tags.length > MAX_TAGS) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot enqueue a ${what}: tags must be a list of at most ${MAX_TAGS} names`,
      );
    }
    read.tags = options.tags.map((tag) => checkName(tag, "tag"));
  }
  return read;
}

/** Reads what {@link newJob} wrote; text of another program that is no object counts as none. */
export function parseJobOptions(json: string): JobOptions {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as JobOptions) : {};
  } catch {
    return {};
  }
}

/**
 * Inserts jobs that {@link newJob} made, and tells those who listen.
 *
 * @returns for each the id of the stored job: its own, or that of the job that had the key before
 */
export async function insertJobs(engine: Engine, jobs: NewJob[]): Promise<Inserted[]> {
  await engine.open();
  return enqueuerOf(engine).insert(jobs);
}

/**
 * Reads an instant.
 *
 * @throws BelfryError `OPTION_INVALID`
 */
export function readInstant(at: number | Date | { readonly epochMilliseconds: number }, what: string): number {
  const ms = typeof at === "number" ? at : at instanceof Date ? at.getTime() : at?.epochMilliseconds;
  // The range of Date, so that every instant can be shown.
  if (typeof ms !== "number" || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use ${what}: ${String(at)} is no instant; give epoch ms, a Date or a Temporal.Instant`,
    );
  }
  return Math.ceil(ms);
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
  if (concurrency !== undefined && !(Number.isInteger(concurrency) && concurrency >= 1)) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot enqueue a ${what}: limit.concurrency is ${String(concurrency)}, but must be a whole number, 1 or more`,
    );
  }
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
