/**
 * What can a handler call? The types of the durable context.
 *
 * Every promise it returns is a checkpoint. A saved step never runs again: when another worker takes the job over, the
 * handler runs from its top and each call returns its recorded result, until the code reaches new calls. So, given the
 * same results, the code must make the same calls, and it should await nothing but these promises (docs/durable.md says
 * what that means in practice).
 */
import type { Duration } from "../base/duration.ts";
import type { Logger } from "../base/log.ts";
import { anything, type Checks, duration, nameOf, oneOf } from "../base/options.ts";
import { ENQUEUE_CHECKS, type EnqueueOptions } from "./options.ts";
import type { Retry } from "./retry.ts";
import type { InputArguments, TaskReference } from "./task.ts";

/** The job as its handler sees it. */
export interface JobInfo {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** Number of the attempt, 1-based; a resume after waiting is not a new attempt. */
  readonly attempt: number;
  readonly priority: number;
  /** Name of the schedule that fired it; null: it was enqueued by other means. */
  readonly schedule: string | null;
  /** Its occurrence, epoch ms: the instant it was due, however late it runs; null without schedule. */
  readonly scheduledAt: number | null;
  /** When it was enqueued, epoch ms. */
  readonly createdAt: number;
  /** Id of the job that invoked it; null: it is no child. */
  readonly parentId: string | null;
  /** Idempotency key it was enqueued with; null: none. */
  readonly key: string | null;
  /** Version of the task it was enqueued for; undefined: none. */
  readonly version: string | undefined;
  readonly tags: readonly string[];
}

/** What a step's function is given. */
export interface StepContext {
  /** Aborts at the step's timeout, and when the job is cancelled, times out or is lost to another worker. */
  readonly signal: AbortSignal;
  /** Number of this try of the step, 1-based. */
  readonly tries: number;
  /** An idempotency key for outside systems: the same for every try of this step of this job, and for nothing else. */
  readonly key: string;
  /** See {@link Context.fence}. */
  readonly fence: number;
}

/** Options of {@link Context.step}. */
export interface StepOptions {
  /**
   * When a failed try of this step is made again in place.
   *
   * @default never: the step's error is thrown in the handler; where that fails the attempt, the next attempt runs the
   * step again
   */
  retry?: Retry;
  /** How long one try may take. @default no limit */
  timeout?: Duration;
}

/** Options of {@link Context.waitFor}. */
export interface WaitOptions {
  /** How long to wait at most. @default for ever */
  timeout?: Duration;
  /** Name of the signal. @default the name of the call */
  signal?: string;
  /** What the call does at the timeout: resolve with `undefined`, or reject with `SIGNAL_TIMEOUT`. @default "undefined" */
  onTimeout?: "undefined" | "throw";
}

/** Options of {@link Context.invoke} and {@link Context.spawn}. */
export type ChildOptions = Omit<EnqueueOptions, "key">;

/** Checks of {@link StepOptions}; `readRetry` checks the policy. */
export const STEP_CHECKS: Checks<StepOptions> = { retry: anything, timeout: duration({ minMs: 1 }) };

/** Checks of {@link WaitOptions}. */
export const WAIT_CHECKS: Checks<WaitOptions> = {
  timeout: duration(),
  signal: nameOf("signal"),
  onTimeout: oneOf(["undefined", "throw"]),
};

const { key: _, ...childChecks } = ENQUEUE_CHECKS;
/** Checks of {@link ChildOptions}. */
export const CHILD_CHECKS: Checks<ChildOptions> = childChecks;

/** The durable context of one job. */
export interface Context {
  readonly job: JobInfo;
  /** Aborts when the job is cancelled, times out, is lost to another worker, or its worker has drained for too long. */
  readonly signal: AbortSignal;
  /**
   * A number that grows from one claim of this job to the next. Give it to outside systems with each write: a system that
   * remembers the highest number it has seen can refuse a worker that lost the job and does not know it yet.
   */
  readonly fence: number;
  /** Writes to the engine's logger, with the job's id; writes nothing while the code replays. */
  readonly log: Logger;

  /**
   * Runs a function and saves its output; a replay returns the saved output without running it.
   *
   * After a crash before the output is saved, the function runs again ("at least once, saved once"). So its effects must be
   * idempotent; `key` and `fence` help with that. Steps may run side by side.
   */
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>, options?: StepOptions): Promise<T>;

  /** Waits. A wait of more than 200 ms holds no memory and no claim. */
  sleep(name: string, duration: Duration): Promise<void>;

  /** Waits until an instant: epoch ms, a `Date` or a `Temporal.Instant`; an instant in the past ends at once. */
  sleepUntil(name: string, at: number | Date | { readonly epochMilliseconds: number }): Promise<void>;

  /**
   * Waits for a signal of this name, sent before or after the wait began; each signal is taken by one wait.
   *
   * @returns its value; undefined when the timeout came first, unless `onTimeout` is `"throw"`
   * @throws BelfryError `SIGNAL_TIMEOUT` with `onTimeout: "throw"`
   */
  waitFor<T = unknown>(name: string, options: WaitOptions & { onTimeout: "throw" }): Promise<T>;
  waitFor<T = unknown>(name: string, options: WaitOptions & { timeout: Duration }): Promise<T | undefined>;
  waitFor<T = unknown>(name: string, options?: WaitOptions & { timeout?: never }): Promise<T>;
  waitFor<T = unknown>(name: string, options?: WaitOptions): Promise<T | undefined>;

  /**
   * Runs a task as a child job and waits for its output. Side by side with `Promise.all`.
   *
   * @throws BelfryError `JOB_FAILED`, `JOB_CANCELLED` or `JOB_EXPIRED`, by how the child ended; `cause` is its error
   */
  invoke<Output = unknown, Input = unknown>(
    name: string,
    task: TaskReference<Input, Output>,
    ...rest: InputArguments<Input, ChildOptions>
  ): Promise<Output>;

  /**
   * Enqueues a job that runs on its own: this job does not wait for it, and its end does not depend on this job's.
   *
   * @returns the id of the new job
   */
  spawn<Input = unknown>(
    name: string,
    task: TaskReference<Input>,
    ...rest: InputArguments<Input, ChildOptions>
  ): Promise<string>;

  /** Gives the time, epoch ms; recorded, so that a replay gets the same. */
  now(): number;
  /** Gives a random number from [0, 1); recorded. */
  random(): number;
  /** Gives a UUID (version 7); recorded. */
  uuid(): string;

  /**
   * Tells whether this job takes the new code: true for jobs that had not passed this place when the code was changed
   * (recorded, so it stays true), false for those that had.
   */
  patched(name: string): boolean;

  /** Publishes how far the job is, for people and dashboards; the last value wins and is saved with the job's next write. */
  progress(value: unknown): void;
}
