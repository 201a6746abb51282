/**
 * What does a program define for a task? Its handler and options, checked once and kept in internal units.
 */
import { type Duration, parseDuration } from "../base/duration.ts";
import { checkName } from "../base/names.ts";
import { anything, type Checks, callback, checkOptions, duration, nameOf, unfit, whole } from "../base/options.ts";
import type { Context } from "./context.ts";
import { type Rate, readRate } from "./rate.ts";
import { DEFAULT_RETRY, type Retry, type RetryFunction, type RetryPolicy, readRetry } from "./retry.ts";
import type { StandardSchema } from "./schema.ts";
import type { Task } from "./task.ts";

/** The function that does a task's work. */
export type TaskHandler<Input, Output> = (ctx: Context, input: Input) => Output | Promise<Output>;

/** Options of a task; options given to `enqueue` override them for that job. */
export interface TaskOptions {
  /** Checks the input when a job is enqueued and when it runs, and gives the handler its type. */
  input?: StandardSchema;
  /** When a failed attempt is made again. @default five attempts, see {@link DEFAULT_RETRY} */
  retry?: Retry;
  /** How long one run of the handler may take, from the claim to the next wait. @default no limit */
  timeout?: Duration;
  /** Queue of its jobs. @default "default" */
  queue?: string;
  /** How many of its jobs one worker runs at once. @default the worker's own concurrency */
  concurrency?: number;
  /** How many of its jobs may start in any window of time, over all workers. @default no limit */
  rate?: Rate;
  /** Names this version of the code; a job keeps the version it began with. @default none */
  version?: string | number;
}

/** A task as the engine keeps it: checked, in internal units. */
export interface TaskDefinition extends Task<never, unknown> {
  readonly handler: (ctx: Context, input: unknown) => unknown;
  readonly schema: StandardSchema | undefined;
  readonly retry: RetryPolicy | RetryFunction;
  readonly timeoutMs: number | null;
  readonly queue: string;
  /** Infinity: the task has no limit of its own. */
  readonly concurrency: number;
  readonly rate: { count: number; perMs: number } | null;
  readonly version: string | undefined;
}

const CONCURRENCY = whole(1, Number.MAX_SAFE_INTEGER);

const TASK_CHECKS: Checks<TaskOptions> = {
  input: (value, name, of) => {
    if (typeof (value as Partial<StandardSchema> | null)?.["~standard"]?.validate === "function") return;
    throw unfit(value, name, of, "a Standard Schema (valibot, zod, arktype and others make them)");
  },
  // `readRetry` and `readRate` check these two.
  retry: anything,
  rate: anything,
  timeout: duration({ minMs: 1 }),
  queue: nameOf("queue"),
  concurrency: (value, name, of) => {
    if (value !== Infinity) CONCURRENCY(value, name, of);
  },
  version: (value, name, of) => {
    if (typeof value !== "string" && !Number.isFinite(value)) throw unfit(value, name, of, "a text or a number");
    checkName(String(value), name);
  },
};

/**
 * Checks a definition and converts it to internal units.
 *
 * @throws BelfryError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`
 */
export function readDefinition(
  name: string,
  handler: TaskHandler<never, unknown>,
  options: TaskOptions,
): TaskDefinition {
  checkName(name, "task");
  const what = `task ${JSON.stringify(name)}`;
  callback(handler, "the handler", what);
  checkOptions(options, what, TASK_CHECKS);
  const { input, retry, timeout, queue = "default", concurrency = Infinity, rate, version } = options;
  return {
    name,
    handler: handler as TaskDefinition["handler"],
    schema: input,
    retry: retry === undefined ? DEFAULT_RETRY : readRetry(retry, what),
    timeoutMs: timeout === undefined ? null : parseDuration(timeout, `timeout of ${what}`),
    queue: queue,
    concurrency,
    rate: rate === undefined ? null : readRate(rate, what),
    version: version === undefined ? undefined : String(version),
  };
}
