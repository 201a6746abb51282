/**
 * What travels: the bodies, queries and answers of every route, as types. Here: tick, health, events, jobs and queues.
 *
 * Instants are epoch milliseconds and end in `At`; durations are `"10m"`, `"1h30m"` or a number of milliseconds. Payloads
 * (inputs, outputs, signals) are JSON as it is, decoded by the server's codec, except in the batch protocol of
 * `belfry/client`, where they stay as they are stored, so that a worker with the key can use a server without it.
 * `openapi.json` says the same in JSON Schema.
 */

import type { JobOptions, LimitOptions } from "../../../src/job/make.ts";
import type { ProblemCode as HealthProblemCode } from "../../../src/schedule/health.ts";
import type { JobState, LeaseRecord, ScheduleState, StepKind } from "../../../src/storage/port.ts";
import type { Failure } from "../../../src/task/failure.ts";
import type { RetryOptions } from "../../../src/task/retry.ts";

export type * from "./schedules.ts";
export type * from "./worker.ts";

/** A duration: text such as `"1h30m"`, or milliseconds. */
export type WireDuration = string | number;

/** A page of a list. */
export interface Page<Item> {
  items: Item[];
  /** Send it as `cursor` for the next page; null: this was the last. */
  next: string | null;
}

/** Which page of a list. */
export interface PageQuery {
  /** How many at most, 1 to 200. @default 50 */
  limit?: number;
  /** `next` of the page before. */
  cursor?: string;
}

/** How far a tick may go. */
export interface TickQuery {
  /** Keep ticking and running for this long, for schedules finer than the trigger. @default one pass */
  for?: string;
  /** Whether to run jobs too, where this program has tasks. @default true */
  work?: boolean;
}

/** What a tick did. */
export interface TickAnswer {
  /** Whether it led; another one may hold the lease, which is no fault. */
  leader: boolean;
  /** How many jobs it made of occurrences. */
  fired: number;
  /** How many occurrences it skipped. */
  skipped: number;
  /** How many runs of jobs it brought to an end or a wait. */
  ran: number;
  /** More is due or ready: call again at once. */
  more: boolean;
  /** The next occurrence of any schedule; null where there is none. */
  nextAt: number | null;
  /** When some job can be claimed; null where none waits for time. */
  jobsAt: number | null;
  /** The storage's clock minus this host's, ms; 0 without a server. */
  skewMs: number;
}

/** How closely to look. */
export interface HealthQuery {
  /** Read every schedule, to name those that would break or have nothing ahead; needs the scope `read`. */
  deep?: boolean;
  /** How long an occurrence may be due before that is a problem, ms. @default 90,000 */
  maxLagMs?: number;
}

/** How the engine is; all but `ok` is only told to callers with the scope `read`. */
export interface HealthAnswer {
  /** Nothing is wrong. Where something is, the answer's status is 503. */
  ok: boolean;
  problems?: { code: HealthProblemCode; schedule: string | null; message: string }[];
  /** How many schedules there are, by state. */
  schedules?: Record<ScheduleState, number>;
  /** The earliest occurrence of any active schedule; in the past when the ticker lags. */
  nextAt?: number | null;
  /** For how long it has been due, ms. */
  lagMs?: number;
  /** Who leads; null between one-shot ticks. */
  lease?: LeaseRecord | null;
  skewMs?: number;
}

/** Which events to hear. */
export interface EventsQuery {
  /** Names such as `job:completed`, or their first halves (`job`). @default all */
  name?: string[];
  /** Only of this job. */
  job?: string;
  /** Only of this schedule. */
  schedule?: string;
}

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
  output?: unknown;
  error: Failure | null;
  wakeAt: number | null;
  ref: string | null;
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

/** A queue, its depths and settings. */
export interface QueueAnswer {
  queue: string;
  ready: number;
  scheduled: number;
  held: number;
  running: number;
  waiting: number;
  failed: number;
  oldestReadyAt: number | null;
  paused: boolean;
  concurrency: number | null;
  rate: { count: number; perMs: number } | null;
}

/** Settings of a queue to change; what is absent stays. */
export interface QueueBody {
  paused?: boolean;
  /** Null: no limit. */
  concurrency?: number | null;
  rate?: { count: number; per: WireDuration } | null;
}

/** A queue's settings. */
export interface QueueSettings {
  name: string;
  paused: boolean;
  concurrency: number | null;
  rate: { count: number; perMs: number } | null;
}
