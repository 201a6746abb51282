/**
 * What travels: the bodies, queries and answers of every route, as types.
 *
 * Instants are epoch milliseconds and end in `At`; durations are `"10m"`, `"1h30m"` or a number of milliseconds. Payloads
 * (inputs, outputs, signals) are JSON as it is, decoded by the server's codec, except in the batch protocol of
 * `belfry/client`, where they stay as they are stored, so that a worker with the key can use a server without it.
 * `openapi.json` says the same in JSON Schema.
 */

import type { Outcome } from "../../src/explain.ts";
import type { Failure } from "../../src/failure.ts";
import type { ProblemCode as HealthProblemCode } from "../../src/health.ts";
import type { JobOptions, LimitOptions } from "../../src/job.ts";
import type { RetryOptions } from "../../src/retry.ts";
import type { ScheduleInfo } from "../../src/schedule/info.ts";
import type { ScheduleDefinition } from "../../src/schedule.ts";
import type { JobState, LeaseRecord, ScheduleState, SkipReason, StepKind } from "../../src/storage.ts";

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

// ---------------------------------------------------------------- tick, health

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

// ---------------------------------------------------------------- jobs

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

// ---------------------------------------------------------------- queues

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

// ---------------------------------------------------------------- worker protocol

/** Asks for jobs of one queue. */
export interface ClaimBody {
  /** The worker's name, for people. */
  worker: string;
  /** How many jobs at most, 1 to 100. @default 1 */
  limit?: number;
  /** The tasks this worker can run. @default any */
  tasks?: string[];
  /** How long the claim lasts unless renewed. @default "30s" */
  for?: WireDuration;
  /**
   * Names this claim: 16 to 100 characters that nobody guesses. Sent again (because no answer came), it gives the same
   * jobs and claims no others. @default the server makes one
   */
  token?: string;
}

/** A job to run. */
export interface ClaimedJobAnswer {
  id: string;
  task: string;
  queue: string;
  /** Number of the try. */
  attempt: number;
  /** Only grows from claim to claim: give it to outside systems, so that they can refuse a late writer. */
  fence: number;
  priority: number;
  schedule: string | null;
  /** The occurrence, however late it runs. */
  scheduledAt: number | null;
  createdAt: number;
  key: string | null;
  parentId: string | null;
  options: JobOptions;
  input?: unknown;
  /** What earlier runs saved: a step that is done is not run again. */
  steps: StepAnswer[];
  signals: SignalAnswer[];
  /** Count of what has reached the job; given back when it settles as `waiting`. */
  wakes: number;
  claimExpiresAt: number;
}

/** What was claimed. */
export interface ClaimAnswer {
  /** Goes with every later call about these jobs. */
  token: string;
  jobs: ClaimedJobAnswer[];
  /** When another job of this queue could be claimed; null: when somebody enqueues one. */
  nextAt: number | null;
}

/** Keeps a claim alive. */
export interface RenewBody {
  token: string;
  for?: WireDuration;
}

/** Until when the claim lasts now. */
export interface RenewAnswer {
  claimExpiresAt: number;
}

/** A step that is over. */
export interface StepBody {
  /** Unique in its job. */
  name: string;
  output?: unknown;
  /** When it began, epoch ms. @default now */
  startedAt?: number;
}

/** Saves steps of a running job, and prolongs its claim. */
export interface StepsBody {
  token: string;
  steps: StepBody[];
  progress?: unknown;
  for?: WireDuration;
}

/** An error, as a worker in any language can tell it. */
export interface ErrorBody {
  name?: string;
  message: string;
  code?: string;
  stack?: string;
}

/** How a job goes on; steps that were not saved yet travel with it. */
export type SettleBody = { token: string; steps?: StepBody[]; progress?: unknown } & (
  | { outcome: "completed"; output?: unknown }
  /** Its retry policy decides what comes next, unless `fatal` (no more attempts) or `retryIn` (the delay) say it. */
  | { outcome: "failed"; error: ErrorBody; fatal?: boolean; retryIn?: WireDuration }
  /** Given back unfinished (shutdown): claimable at once, same attempt. */
  | { outcome: "released" }
  /** Claimable again after this long, same attempt. */
  | { outcome: "sleeping"; for: WireDuration }
  /** Claimable again when a signal comes, or after this long. `wakes`: as claimed. */
  | { outcome: "waiting"; wakes: number; for?: WireDuration }
);

/** The job's state after a save. */
export interface SettleAnswer {
  state: JobState;
  wakes: number;
  /** When it can be claimed again; null where it is over or no time is set. */
  availableAt: number | null;
}

// ---------------------------------------------------------------- schedules' outcomes

/** The outcome of an occurrence, or of a run of skipped ones. */
export interface OccurrenceAnswer {
  schedule: string;
  at: number;
  untilAt: number;
  count: number;
  jobId: string | null;
  reason: SkipReason | null;
  recordedAt: number;
}

// ---------------------------------------------------------------- schedules

/** An instant in a definition: epoch ms, or ISO text (without offset: in the schedule's zone). */
export type WireWhen = number | string;

/** Catch-up as it is written. */
export type WireCatchUp = "all" | "latest" | "none" | { within?: WireDuration; max?: number };

/** A rate as it is written. */
export interface WireRate {
  count: number;
  per: WireDuration;
}

/** Options of a schedule. */
export interface ScheduleOptionsBody {
  input?: unknown;
  timeZone?: string;
  days?: "or" | "and";
  dst?: "once" | "vixie";
  startAt?: WireWhen;
  endAt?: WireWhen;
  maxFires?: number;
  /** Days, instants, `from/to` ranges of either. */
  exclude?: (WireWhen | { from: WireWhen; to: WireWhen })[];
  catchUp?: WireCatchUp;
  expiresIn?: WireDuration;
  overlap?: "allow" | "skip" | "queue" | "cancel";
  jitter?: WireDuration;
  spread?: WireDuration;
  queue?: string;
  priority?: number;
  retry?: RetryOptions | number | false;
  timeout?: WireDuration;
  tags?: string[];
  pauseAfterFailures?: number;
  paused?: boolean;
}

/** A schedule to register. */
export interface ScheduleBody extends ScheduleOptionsBody {
  /** Cron text, `@every 90s`, `@at 2026-12-24T18:00:00Z`, or one instant. */
  expression: string | { at: WireWhen };
  /** Name of the task; the server need not know it. */
  task: string;
}

/** What to change; null takes an option back to its default. */
export type SchedulePatchBody = { [Option in keyof ScheduleOptionsBody]?: ScheduleOptionsBody[Option] | null } & {
  expression?: string | { at: WireWhen };
  task?: string;
};

/** A definition as it is stored, its input decoded. */
export interface DefinitionAnswer extends Omit<ScheduleDefinition, "input" | "exclude" | "tags" | "catchUp"> {
  readonly input?: unknown;
  readonly exclude: string[];
  readonly tags: string[];
  readonly catchUp: "all" | "latest" | "none" | { withinMs?: number; max?: number };
}

/** A schedule: where it stands and what it does. */
export interface ScheduleAnswer extends Omit<ScheduleInfo, "definition"> {
  /** Null where this version cannot read it. */
  readonly definition: DefinitionAnswer | null;
}

/** What registering did. */
export interface RegisteredAnswer {
  status: "created" | "updated" | "unchanged";
  /** What may surprise, in sentences. */
  warnings: string[];
  schedule: ScheduleAnswer;
}

/** Which schedules to list. */
export interface SchedulesQuery extends PageQuery {
  state?: ScheduleState;
  owner?: string;
}

/** Why a schedule is paused. */
export interface PauseBody {
  note?: string;
}

/** How it goes on. */
export interface ResumeBody {
  /** Make up for what was missed. @default false */
  catchUp?: boolean;
}

/** A job of a schedule, now. */
export interface TriggerBody {
  /** Another input for this job alone. */
  input?: unknown;
  overlap?: "allow" | "skip" | "queue" | "cancel";
}

/** What a trigger did. */
export interface TriggerAnswer {
  /** Null where overlap `skip` found another job unfinished. */
  jobId: string | null;
  at: number;
}

/** Which outcomes to list. */
export interface OccurrencesQuery {
  from?: number;
  to?: number;
  limit?: number;
}

/** Which occurrences to look ahead at. */
export interface PreviewQuery {
  /** How many, 1 to 1,000. @default 10 */
  count?: number;
  /** After which instant. @default now */
  from?: number;
}

/** Occurrences to come. */
export interface PreviewAnswer {
  /** `local` is for people; `availableAt` is later where there is jitter; `excluded` ones do not fire. */
  items: { at: number; local: string; availableAt: number; excluded: boolean }[];
}

/** Which occurrence to explain. */
export interface ExplainQuery {
  /** Epoch ms, or text: without offset it is local time of the schedule's zone. */
  at: string;
}

/** What became of an occurrence. */
export interface ExplainAnswer {
  schedule: string;
  at: number;
  outcome: Outcome;
  reason: SkipReason | null;
  /** All of it in words. */
  text: string;
  previousAt: number | null;
  nextAt: number | null;
  record: OccurrenceAnswer | null;
  /** Its job, where it is still stored. */
  job: { id: string; state: JobState; attempt: number; startedAt: number | null; finishedAt: number | null } | null;
}

/** A range whose occurrences become jobs now. */
export interface BackfillBody {
  from: WireWhen;
  to: WireWhen;
  /** Whether the jobs may run beside others of the schedule or wait for them. */
  overlap?: "allow" | "queue";
  /** At most `count` jobs become available in each `per`. @default all at once */
  rate?: WireRate;
  /** More occurrences than this are refused. @default 10,000 */
  max?: number;
}

/** What a backfill did. */
export interface BackfillAnswer {
  /** Jobs that were made. */
  enqueued: number;
  /** Occurrences that had fired, or were backfilled before. */
  existing: number;
  /** Occurrences that the schedule excludes. */
  excluded: number;
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

/** Whether there was one to remove. */
export interface RemovedAnswer {
  removed: boolean;
}

/** Outcomes, newest first. */
export interface OccurrencesAnswer {
  items: OccurrenceAnswer[];
}

/** A queue's settings. */
export interface QueueSettings {
  name: string;
  paused: boolean;
  concurrency: number | null;
  rate: { count: number; perMs: number } | null;
}

/** How closely to look. */
export interface HealthQuery {
  /** Read every schedule, to name those that would break or have nothing ahead; needs the scope `read`. */
  deep?: boolean;
  /** How long an occurrence may be due before that is a problem, ms. @default 90,000 */
  maxLagMs?: number;
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
