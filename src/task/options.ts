/**
 * Which options does `enqueue` take, and which of them are stored with the job?
 */
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import { anything, type Checks, duration, nameOf, optionsOf, whole } from "../base/options.ts";
import type { Rate } from "./rate.ts";
import { parseRetry, type RetryPolicy, type StorableRetry } from "./retry.ts";
import type { AnyTask, IsOptional, Known, TaskReference } from "./task.ts";

/** Options that are stored with a job for its worker, as JSON in `NewJob.options`; an absent one is the task's. */
export interface JobOptions {
  retry?: RetryPolicy;
  timeoutMs?: number;
  /** Version of the task that the job was enqueued for. */
  version?: string;
  tags?: string[];
  /** W3C trace context of the enqueuer. */
  traceparent?: string;
}

/** A global limit by key: the jobs of one key count together, over all tasks, queues and workers. */
export interface LimitOptions {
  key: string;
  /** How many of the key's jobs may be admitted and unfinished at once, waiting ones included. */
  concurrency?: number;
  /** How many of the key's jobs may become available in any window of time. */
  rate?: Rate;
}

/** Options of `enqueue`. */
export interface EnqueueOptions {
  /** Idempotency key: while a job of this task with the same key is stored, `enqueue` returns that job. */
  key?: string;
  /** How long from now until the job may run; excludes `runAt`. @default 0 */
  delay?: Duration;
  /** When the job may run: epoch ms, a `Date` or a `Temporal.Instant`. */
  runAt?: number | Date | { readonly epochMilliseconds: number };
  /** Jobs of higher priority run first. @default 0 */
  priority?: number;
  /** @default the task's queue */
  queue?: string;
  /** The job expires when it has not begun this long after it became available (`delay`, `runAt`). @default never */
  expiresIn?: Duration;
  /** Overrides the task's policy. A function cannot be stored: give that to the task. */
  retry?: StorableRetry;
  /** Overrides the task's timeout of one run. */
  timeout?: Duration;
  /** A global limit that the job counts against; overrides the task's `rate`. */
  limit?: LimitOptions;
  /** Labels for people and tools. */
  tags?: string[];
}

const MAX_TAGS = 32;
/** Largest priority, either way. */
const MAX_PRIORITY = 1_000_000;

/** Checks of {@link LimitOptions}. */
const LIMIT_CHECKS: Checks<LimitOptions> = {
  key: nameOf("limit"),
  concurrency: whole(1, Number.MAX_SAFE_INTEGER),
  // `readRate` checks it.
  rate: anything,
};

/** Checks of {@link EnqueueOptions}. */
export const ENQUEUE_CHECKS: Checks<EnqueueOptions> = {
  key: nameOf("key"),
  delay: duration(),
  // `readInstant` checks it.
  runAt: anything,
  priority: whole(-MAX_PRIORITY, MAX_PRIORITY),
  queue: nameOf("queue"),
  expiresIn: duration({ minMs: 1 }),
  // `readJobOptions` checks both, for schedules too.
  retry: anything,
  tags: anything,
  timeout: duration({ minMs: 1 }),
  limit: optionsOf(LIMIT_CHECKS),
};

/** A job to enqueue. */
export interface JobRequest {
  /** What runs: a task, or the name of one whose code is elsewhere. */
  task: TaskReference;
  /** What the task gets. */
  input?: unknown;
  /** All else. */
  options?: EnqueueOptions;
}

/** A {@link JobRequest} whose input fits its task. */
export type TypedJobRequest<Input> = Omit<JobRequest, "task" | "input"> & {
  task: TaskReference<Input> | AnyTask<Input>;
} & (IsOptional<Input> extends true ? { input?: NoInfer<Known<Input>> } : { input: NoInfer<Input> });

/** Checks of {@link JobRequest}: which keys there are; `newJob` checks their values. */
export const JOB_REQUEST_CHECKS: Checks<JobRequest> = { task: anything, input: anything, options: anything };

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
  if (options.tags !== undefined) {
    if (!Array.isArray(options.tags) || options.tags.length > MAX_TAGS) {
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot enqueue a ${what}: tags must be a list of at most ${MAX_TAGS} names`,
      );
    }
    if (options.tags.length > 0) read.tags = options.tags.map((tag) => checkName(tag, "tag"));
  }
  return read;
}

/** Reads the stored options of a job; text that is no JSON object counts as no options. */
export function parseJobOptions(json: string): JobOptions {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? (value as JobOptions) : {};
  } catch {
    return {};
  }
}

/**
 * Converts an instant to epoch ms.
 *
 * @param what what the instant is for, for the error
 *
 * @throws BelfryError `OPTION_INVALID`
 */
export function readInstant(at: number | Date | { readonly epochMilliseconds: number }, what: string): number {
  const ms = typeof at === "number" ? at : at instanceof Date ? at.getTime() : at?.epochMilliseconds;
  // The range of Date, so that every instant can be shown.
  if (typeof ms !== "number" || !Number.isFinite(ms) || Math.abs(ms) > 8.64e15) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot use ${what}: ${String(at)} is not an instant; give epoch ms, a Date or a Temporal.Instant`,
    );
  }
  return Math.ceil(ms);
}
