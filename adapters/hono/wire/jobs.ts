/**
 * What travels about jobs: orders, lists, one job with its history, signals.
 */
import type { JobState, StepKind } from "../../../src/storage/port.ts";
import type { Failure } from "../../../src/task/failure.ts";
import type { JobOptions, LimitOptions } from "../../../src/task/options.ts";
import type { RetryOptions } from "../../../src/task/retry.ts";
import type { PageQuery, WireDuration } from "./common.ts";

/** A job to enqueue. */
export interface EnqueueBody {
  /** Name of the task; the server need not know it. */
  task: string;
  input?: unknown;
  key?: string;
  delay?: WireDuration;
  /** Epoch ms. */
  runAt?: number;
  priority?: number;
  queue?: string;
  expiresIn?: WireDuration;
  retry?: RetryOptions | number | false;
  timeout?: WireDuration;
  limit?: LimitOptions;
  tags?: string[];
}

/** What became of it. */
export interface EnqueueAnswer {
  id: string;
  /** False when its key gave an earlier job back. */
  created: boolean;
}

/** Which jobs to list. */
export interface JobsQuery extends PageQuery {
  /** One or several. */
  state?: JobState[];
  queue?: string;
  task?: string;
  schedule?: string;
  parent?: string;
  key?: string;
}

/** A job without its history. */
export interface JobAnswer {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  priority: number;
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
export interface StepAnswer {
  name: string;
  kind: StepKind;
  state: "pending" | "done" | "failed";
  tries: number;
  /** The job's attempt in which it was over; null while it is not. */
  attempt: number | null;
  output?: unknown;
  error: Failure | null;
  wakeAt: number | null;
  /** Id of the child job (`invoke`, `spawn`). */
  childId: string | null;
  /** Key of the signal that ended a `wait`. */
  signalKey: string | null;
  startedAt: number;
  finishedAt: number | null;
}

/** A signal that was sent to a job. */
export interface SignalAnswer {
  name: string;
  key: string;
  value?: unknown;
  sentAt: number;
}

/** A job with input, output and history. */
export interface JobDetail extends JobAnswer {
  input?: unknown;
  /** What its handler returned; absent unless completed. */
  output?: unknown;
  progress?: unknown;
  steps: StepAnswer[];
  signals: SignalAnswer[];
}

/** Why a job is cancelled. */
export interface CancelBody {
  reason?: string;
}

/** Ids that an order reached. */
export interface IdsAnswer {
  ids: string[];
}

/** A signal's value. */
export interface SignalBody {
  value?: unknown;
  /** The same key is taken once. */
  key?: string;
}

/** Whether a signal was new. */
export interface SignalOutcome {
  outcome: "accepted" | "duplicate";
}
