/**
 * What a handler is given: the durable context.
 *
 * Every promise it hands out is a checkpoint. What was saved is never done again: when the job is taken up by another
 * worker, the handler runs from its top and these calls answer from the job's history until they reach its end. So the
 * code between them must take the same way with the same answers, and must await nothing else than these promises where
 * it can (docs/durable.md says what that means in practice).
 */
import type { Duration } from "../base/duration.ts";
import type { Logger } from "../base/log.ts";
import type { EnqueueOptions } from "./options.ts";

import type { Retry } from "./retry.ts";
import type { Task } from "./task.ts";

/** The job as its handler sees it. */
export interface JobInfo {
  readonly id: string;
  readonly task: string;
  readonly queue: string;
  /** Number of the try, 1-based; a resume after waiting is not a new attempt. */
  readonly attempt: number;
  readonly priority: number;
  /** The schedule that made it; null for others. */
  readonly schedule: string | null;
  /** Its occurrence, epoch ms: the instant it was due, however late it runs; null without schedule. */
  readonly scheduledAt: number | null;
  /** When it was enqueued, epoch ms. */
  readonly createdAt: number;
  /** The job that invoked it; null for one of its own. */
  readonly parentId: string | null;
  /** Idempotency key it was enqueued with; null without. */
  readonly key: string | null;
  /** Version of the task it was enqueued for; undefined where the task has none. */
  readonly version: string | undefined;
  readonly tags: readonly string[];
}

/** What a step's function is given. */
export interface StepContext {
  /** Aborts at the step's timeout, and when the job is cancelled, timed out or lost. */
  readonly signal: AbortSignal;
  /** Number of this try of the step, 1-based. */
  readonly tries: number;
  /** The same for every try of this step of this job, and for no other: an idempotency key for outside systems. */
  readonly key: string;
  /** See {@link Context.fence}. */
  readonly fence: number;
}

/** Options of {@link Context.step}. */
export interface StepOptions {
  /**
   * Tries of this step by itself.
   *
   * @default none: the step's error is thrown in the handler, and where that ends the attempt, the job's own policy
   * repeats it, with this step first
   */
  retry?: Retry;
  /** How long one try may take. @default no limit */
  timeout?: Duration;
}

/** Options of {@link Context.waitFor}. */
export interface WaitOptions {
  /** How long to wait at most. @default for ever */
  timeout?: Duration;
  /** Name of the signal, where it is not the name of the step. */
  signal?: string;
  /** What happens at the timeout: `undefined` is returned, or `SIGNAL_TIMEOUT` is thrown. @default "undefined" */
  onTimeout?: "undefined" | "throw";
}

/** Options of {@link Context.invoke} and {@link Context.spawn}. */
export type ChildOptions = Omit<EnqueueOptions, "key">;

/** The durable context of one job. */
export interface Context {
  readonly job: JobInfo;
  /** Aborts when the job is cancelled, times out, is lost to another worker, or its worker's time to drain is over. */
  readonly signal: AbortSignal;
  /**
   * A number that only grows from one claim of this job to the next. Give it to outside systems with each write: one
   * that remembers the highest it saw can refuse a worker that lost the job and does not know it yet.
   */
  readonly fence: number;
  /** Writes to the engine's logger, with the job's id; silent while history is replayed. */
  readonly log: Logger;

  /**
   * Runs a function once: its output is saved, and from then on the name stands for it.
   *
   * A crash before the output is saved runs the function again ("at least once, saved once"): what it does outside must
   * bear that, for which `key` and `fence` are there. Steps may run side by side.
   */
  step<T>(name: string, run: (step: StepContext) => T | Promise<T>, options?: StepOptions): Promise<T>;

  /** Waits; longer than a moment holds neither memory nor claim. */
  sleep(name: string, duration: Duration): Promise<void>;

  /** Waits until an instant: epoch ms, a `Date` or a `Temporal.Instant`; one in the past passes at once. */
  sleepUntil(name: string, at: number | Date | { readonly epochMilliseconds: number }): Promise<void>;

  /**
   * Waits for a signal of this name, sent before or after the wait began; each signal is taken by one wait.
   *
   * @returns its value; undefined when the timeout came first
   */
  waitFor<T = unknown>(name: string, options?: WaitOptions): Promise<T | undefined>;

  /**
   * Runs a task as a child job and waits for its output. Side by side with `Promise.all`.
   *
   * @throws BelfryError `JOB_FAILED`, `JOB_CANCELLED`, `JOB_EXPIRED` as the child ended; `cause` is its error
   */
  invoke<Output>(name: string, task: Task<undefined, Output>): Promise<Output>;
  invoke<Input, Output>(name: string, task: Task<Input, Output>, input: Input, options?: ChildOptions): Promise<Output>;
  invoke<Output = unknown>(name: string, task: string, input?: unknown, options?: ChildOptions): Promise<Output>;

  /**
   * Enqueues a job of its own: it is not waited for and outlives this one.
   *
   * @returns its id
   */
  spawn(name: string, task: Task<undefined, unknown>): Promise<string>;
  spawn<Input>(name: string, task: Task<Input, unknown>, input: Input, options?: ChildOptions): Promise<string>;
  spawn(name: string, task: string, input?: unknown, options?: ChildOptions): Promise<string>;

  /** The time, recorded: replay gets the same. Epoch ms. */
  now(): number;
  /** A number from [0, 1), recorded. */
  random(): number;
  /** A UUID (version 7), recorded. */
  uuid(): string;

  /**
   * Whether this job may take new code: true for jobs that had not passed this place when the code was changed (recorded,
   * so it stays true), false for those that had.
   */
  patched(name: string): boolean;

  /** Publishes how far the job is, for `getJob` and dashboards; the last value wins and is saved with the next write. */
  progress(value: unknown): void;
}
