/**
 * What does the engine ask of a database? The storage port: types and their contract, no code.
 *
 * Every method is one operation of the domain and **one atomic batch in one round trip**: all of it happens or nothing,
 * and no other caller sees a part of it. There are no interactive transactions.
 *
 * - **A lost race is a value** (`null`, `false`, a shorter list), never an exception. An exception means that the
 *   database is broken, unreachable or refuses; then the operation may or may not have happened.
 * - **Every write may be sent twice**. The second send must change nothing and give the same answer as the first, as
 *   far as that is still known. `op` names the write: the first statement of a batch decides, locks and writes the op
 *   as a mark on the rows that it won; the rest of the batch, and the answer, follow the mark.
 * - **`now` is an argument** (epoch ms, an integer). A storage that is a server also reports its own time as `time`, by
 *   which the engine corrects its clock. No method decides by a clock of its own.
 * - Instants are epoch milliseconds, durations are milliseconds, payloads are text that the engine has encoded.
 * - Ids, tokens and ops come from the caller and from one random source: an op never equals a claim's token. Names are
 *   compared byte for byte.
 */

import type { JobState, ScheduleState, SkipReason, StepKind, StepState } from "./states.ts";

export type { JobState, ScheduleState, SkipReason, StepKind, StepState } from "./states.ts";

/** Epoch milliseconds. */
export type Instant = number;

/** What an adapter can do beyond the minimum of the port; the engine and the conformance kit read this, never the name. */
export interface StorageCapabilities {
  /** The database is a server with a clock of its own, which `time` in replies reports. */
  readonly serverClock: boolean;
  /** The data outlives the process. */
  readonly durable: boolean;
  /** Several processes may use the same data at once. */
  readonly shared: boolean;
  /** {@link Storage.enqueueStatements} works: jobs can be enqueued inside the user's own transaction or batch. */
  readonly statements: boolean;
  /** The most rows (due schedules, jobs) that one batch should carry. */
  readonly maxBatchRows: number;
  /** The most bytes of JSON that one batch should carry. */
  readonly maxBatchBytes: number;
}

/** Present in replies of storages with `serverClock`: the server's own time at the batch. */
export interface Timed {
  /** The server's time, epoch ms; absent where the storage has no clock of its own. */
  time?: Instant;
}

// ---------------------------------------------------------------- schedules

/** A schedule as it is stored. */
export interface ScheduleRecord {
  name: string;
  /** Canonical JSON of the definition; storages compare it and return it, and never parse it. */
  definition: string;
  state: ScheduleState;
  /** The next occurrence to fire; null when there is none. */
  nextAt: Instant | null;
  /** Grows by one with every change of this row; every change names the revision that it was made from. */
  revision: number;
  /** How many occurrences have fired. */
  fired: number;
  /**
   * How many times in a row a fire decided all due occurrences and none of them became a job: skipped as too late, as
   * excluded, or because of an unfinished job.
   */
  skips: number;
  /** How many jobs of this schedule failed in a row, up to now. */
  failures: number;
  /** After this many failed jobs in a row the schedule pauses by itself; null: never. */
  pauseAfterFailures: number | null;
  /** True where beginTick must say whether a job of this schedule is unfinished (`busy`). */
  watchesJobs: boolean;
  /** The last occurrence that got an outcome; null before the first. */
  lastAt: Instant | null;
  /** Why it is paused or broken; null otherwise. */
  note: string | null;
  /** Who declared it with `sync`; null for a schedule registered by itself. */
  owner: string | null;
  /** When it was first registered: the anchor of `@every`. */
  createdAt: Instant;
  updatedAt: Instant;
}

/** A due schedule, as beginTick reads it. */
export interface DueSchedule extends ScheduleRecord {
  /** A job of this schedule is unfinished. Only looked up where `watchesJobs`; otherwise false. */
  busy: boolean;
}

/** The outcome of an occurrence, or of a run of skipped ones. Unique by `(schedule, at)`. */
export interface OccurrenceRecord {
  schedule: string;
  /** The occurrence; of a run the first. */
  at: Instant;
  /** The last occurrence of the run; equal to `at` for a single one. */
  untilAt: Instant;
  /** How many occurrences this row stands for. */
  count: number;
  /** The job it became; null where it was skipped. */
  jobId: string | null;
  /** Why it was skipped; null where it fired. */
  reason: SkipReason | null;
  /** When the outcome was decided. */
  recordedAt: Instant;
}

/** A term of leadership, as it is stored. */
export interface LeaseRecord {
  holder: string;
  /** Fencing token: grows by one with every change of holder, never goes back. */
  token: number;
  expiresAt: Instant;
}

/** Asks for the lease, and for what is due. */
export interface BeginTickRequest {
  holder: string;
  /** The token of the lease that this holder believes it has; null when it asks for a new one. */
  token: number | null;
  now: Instant;
  ttlMs: number;
  /** At most this many due schedules, oldest `nextAt` first. */
  maxDue: number;
  /** Give the lease up in this batch when nothing is due (a one-shot tick). */
  resignIfIdle: boolean;
}

/** What {@link Storage.beginTick} found. */
export interface BeginTickReply extends Timed {
  /** The lease after the batch; the caller's when `holder` is its own. Null only after `resignIfIdle`. */
  lease: LeaseRecord | null;
  /** Whether the caller leads (or led, and resigned because nothing was due). */
  leads: boolean;
  /** Due active schedules, oldest first; empty when the caller does not lead. */
  due: DueSchedule[];
  /** The earliest `nextAt` of any active schedule not in `due`; null when there is none. */
  nextAt: Instant | null;
  /**
   * The earliest instant at which some job could be claimed: at or before `now` when one is ready (or its claim has run
   * out), later for delayed and sleeping jobs and running claims; null when nothing waits for time.
   */
  jobsAt: Instant | null;
}

/** One schedule that moves on: its new state, and the jobs and outcomes of the occurrences that it passes. */
export interface Firing {
  name: string;
  /**
   * The revision that was read; when the stored one differs, another caller changed the schedule, and nothing of this
   * happens.
   */
  revision: number;
  state: ScheduleState;
  nextAt: Instant | null;
  fired: number;
  skips: number;
  lastAt: Instant | null;
  note: string | null;
  /** Cancel the unfinished jobs of this schedule (overlap `cancel`), before the new ones are inserted. */
  cancelUnfinished: boolean;
  /** A job is inserted only if its occurrence has no outcome yet. */
  jobs: NewJob[];
  occurrences: OccurrenceRecord[];
}

/** Moves schedules on and inserts their jobs, under the lease. */
export interface FireRequest {
  op: string;
  now: Instant;
  /**
   * Nothing happens unless this holder and token are those of the current lease. Null: without lease (trigger,
   * backfill, the outcomes that an edit decides), by revision alone.
   */
  lease: { holder: string; token: number } | null;
  firings: Firing[];
  /** Give the lease up in this batch (the last one of a one-shot tick). */
  resign: boolean;
}

/** What a fire changed. */
export interface FireReply extends Timed {
  /** Whether the lease was still the caller's (always true without lease). */
  leads: boolean;
  /** Names of the schedules that moved. */
  fired: string[];
  /** Ids of the jobs that were inserted (fewer than asked where an occurrence had its outcome already). */
  jobs: string[];
}

/** A schedule to write as a whole. */
export interface SchedulePut {
  /** The revision that was read; null: there was none, so it is created. */
  revision: number | null;
  /** The row to write; its `revision` is ignored (the storage sets 1, or one more than was read). */
  record: ScheduleRecord;
  /** Jobs and outcomes of occurrences that the change decides (those that an edited or resumed schedule had missed). */
  jobs: NewJob[];
  occurrences: OccurrenceRecord[];
}

/** Writes schedules, each only from the state that was read. */
export interface PutSchedulesRequest {
  op: string;
  now: Instant;
  puts: SchedulePut[];
  /** Names to remove, each at the revision that was read. Unfinished jobs stay and run. */
  removes: { name: string; revision: number }[];
  /**
   * For the batch of a `sync`: nothing happens when this owner has already synced a later generation; otherwise the
   * generation is recorded. Null outside `sync`.
   */
  owner: { owner: string; generation: number } | null;
}

/** What of a {@link PutSchedulesRequest} was written. */
export interface PutSchedulesReply extends Timed {
  /** False when the owner has synced a later generation: nothing was written. */
  current: boolean;
  /** Names that were written; one that is missing was changed by another caller and must be read again. */
  written: string[];
  removed: string[];
}

/** Which schedules to list, in order of name. */
export interface ListSchedulesRequest {
  names?: string[];
  owner?: string;
  state?: ScheduleState;
  /** Only those with at least so many `skips`. */
  minSkips?: number;
  /** Only names after this one. */
  after?: string;
  limit: number;
}

/** The fields of a stored schedule that a sync compares. */
export type StoredDefinition = Pick<ScheduleRecord, "name" | "definition" | "state">;

/** Which outcomes to list. */
export interface ListOccurrencesRequest {
  schedule: string;
  /** Runs that end at or after this instant. */
  from?: Instant;
  /** Runs that begin at or before this instant. */
  to?: Instant;
  /** Newest first. */
  newestFirst?: boolean;
  limit: number;
}

// ---------------------------------------------------------------- jobs

/** A global limit that a job counts against while it is admitted (from admission until it is finished). */
export interface JobLimit {
  key: string;
  /**
   * How many unfinished jobs of this key are admitted at once; others are held until one ends, highest priority first,
   * then oldest.
   */
  concurrency: number | null;
  /** At most `count` jobs of this key become available in any `perMs`; null: no rate. */
  rate: { count: number; perMs: number } | null;
}

/** A job to insert. */
export interface NewJob {
  id: string;
  task: string;
  queue: string;
  /** Higher runs first. */
  priority: number;
  availableAt: Instant;
  /** It cannot be claimed for its first attempt at or after this instant; null: never expires. */
  expiresAt: Instant | null;
  /** Idempotency key, unique per task among the jobs stored; null: none. */
  key: string | null;
  /** Encoded input. */
  input: string;
  /** JSON of what the engine needs to run the job (retry policy, timeout, version, tags, trace); opaque to storages. */
  options: string;
  schedule: string | null;
  /** The occurrence; null without schedule. */
  scheduledAt: Instant | null;
  /** The job that invoked it and is notified of its end; null for a job without parent. */
  parentId: string | null;
  limit: JobLimit | null;
}

/** A job as it is stored. */
export interface JobRecord {
  id: string;
  task: string;
  queue: string;
  state: JobState;
  priority: number;
  availableAt: Instant | null;
  expiresAt: Instant | null;
  key: string | null;
  input: string;
  options: string;
  schedule: string | null;
  scheduledAt: Instant | null;
  parentId: string | null;
  limitKey: string | null;
  /** Ready, but held back by its limit. */
  held: boolean;
  /** Number of the try, 1-based; 0 before the first. */
  attempt: number;
  /** How often it was claimed; only grows, so it serves as fencing number. */
  claims: number;
  /** How many signals and ends of children have reached it. */
  arrivals: number;
  claimToken: string | null;
  claimExpiresAt: Instant | null;
  worker: string | null;
  /** Encoded output; null unless completed. */
  result: string | null;
  /** JSON of the last error; null where none. */
  error: string | null;
  /** Encoded value of the last `ctx.progress`. */
  progress: string | null;
  /** JSON of what the engine notes about the job from one run to the next; opaque here. Null until the first note. */
  notes: string | null;
  createdAt: Instant;
  /** When it was first claimed. */
  startedAt: Instant | null;
  finishedAt: Instant | null;
}

/**
 * A step as it is stored: unique by `(jobId, name)`. Names of values and patches, which the engine gives, begin with a
 * space, which no name given by a user does.
 */
export interface StepRecord {
  jobId: string;
  name: string;
  kind: StepKind;
  state: StepState;
  /** Place in the job's history in the order in which steps were over, from 0; null while pending. */
  seq: number | null;
  /** Number of tries that are over. */
  tries: number;
  /** The job's attempt in which the step was over; null while pending, and where the writer did not say. */
  attempt: number | null;
  /** Output when done, encoded (of a `value`: plain JSON, which no codec has touched); null otherwise. */
  output: string | null;
  /** JSON of the error when failed, or of the last failed try while pending. */
  error: string | null;
  /** While pending: when it is over or tried again (wake-up, timeout, retry); null: not by time. */
  wakeAt: Instant | null;
  /** Id of the child of an `invoke` or a `spawn`; null for other kinds, and while the child is not made. */
  childId: string | null;
  /** Key of the signal that a `wait` consumed; null for other kinds, while it waits, and where its timeout came first. */
  signalKey: string | null;
  startedAt: Instant;
  finishedAt: Instant | null;
}

/** A signal as it is stored: unique by `(jobId, name, key)`. */
export interface SignalRecord {
  jobId: string;
  name: string;
  key: string;
  /** Encoded value. */
  payload: string;
  sentAt: Instant;
  /** Order of arrival at its job, from 1: the job's `arrivals` after it arrived. */
  seq: number;
}

/** How a child job ended, for the parent that invoked it. */
export interface ChildOutcome {
  id: string;
  state: "completed" | "failed" | "cancelled" | "expired";
  result: string | null;
  error: string | null;
  finishedAt: Instant;
}

/** A job with everything that is needed to run it. */
export interface ClaimedJob extends JobRecord {
  /** All steps of the job, in no particular order. */
  steps: StepRecord[];
  /** All signals sent to it, consumed ones included, in order of arrival. */
  signals: SignalRecord[];
  /** Its children that have ended. */
  children: ChildOutcome[];
}

/** Inserts jobs. */
export interface EnqueueRequest {
  op: string;
  now: Instant;
  jobs: NewJob[];
  /** A piggybacked claim: done in the same batch right after, as {@link Storage.claim} would do it. */
  claim?: ClaimRequest;
}

/** What became of each job, in the order of the request. */
export interface EnqueueReply extends Timed {
  /** The id of the stored job: the given one, or that of the job that had the key before. */
  jobs: { id: string; created: boolean }[];
  /** What the piggybacked claim found, without a time of its own; absent without one. */
  claimed?: ClaimReply;
}

/** Claims jobs for a worker. */
export interface ClaimRequest {
  /**
   * Names this claim; the same token sent again returns the same jobs (those whose claim is still kept), and claims no
   * others.
   */
  token: string;
  worker: string;
  /** Queues, in the order of their first turn; they take turns, so no queue starves. */
  queues: string[];
  /** The tasks this worker can run now; null: any. */
  tasks: string[] | null;
  limit: number;
  now: Instant;
  claimMs: number;
}

/** What was claimed. */
export interface ClaimReply extends Timed {
  /**
   * In the order in which they should start. Each is `running` under `token`, with this claim counted in `attempt` and
   * `claims`.
   */
  jobs: ClaimedJob[];
  /** The earliest instant at which another job of these queues could be claimed: see {@link BeginTickReply.jobsAt}. */
  nextAt: Instant | null;
}

/** Prolongs claims. */
export interface RenewRequest {
  now: Instant;
  claimMs: number;
  claims: { id: string; token: string }[];
}

/** Which claims were kept. */
export interface RenewReply extends Timed {
  /** Ids of claims that were kept; a missing one is lost: run out and taken, cancelled, or settled by another. */
  kept: string[];
}

/** How a running job goes on. */
export type JobTransition =
  /** It ended, with its encoded result. */
  | { to: "completed"; result: string }
  /** It ended without a result: attempts used up, a fatal error, cancelled or expired. */
  | { to: "failed" | "cancelled" | "expired"; error: string }
  /**
   * It can be claimed again at `availableAt`. `resuming`: the next claim goes on with the same attempt (a sleep, a job
   * given back).
   */
  | { to: "ready"; availableAt: Instant; resuming: boolean; error: string | null }
  /**
   * It waits until a signal or the end of a child reaches it, or until `availableAt` (the nearest timeout; null: none);
   * always resuming. It becomes `ready` at once when its stored `arrivals` differs from the one given here: something
   * has reached it since.
   */
  | { to: "waiting"; availableAt: Instant | null; arrivals: number };

/** What one running job writes. */
export interface JobWrite {
  id: string;
  token: string;
  /**
   * Steps to insert, or to overwrite by name. A step that is stored as done stays as it is unless this write forgets
   * it, so an older write of the same claim that arrives late undoes nothing.
   */
  steps: StepRecord[];
  /** Names of steps to delete (failed ones, which the next attempt runs again). */
  forget: string[];
  /** Children to insert (ids that exist already are left alone). */
  children: NewJob[];
  /** Encoded progress; undefined: unchanged. */
  progress?: string | null;
  /** What the engine notes about the job; undefined: unchanged. */
  notes?: string;
  /** How it goes on; null: it stays running and its claim is prolonged by `claimMs`. */
  transition: JobTransition | null;
}

/** Saves steps and transitions of running jobs, many jobs together. */
export interface SaveRequest {
  op: string;
  now: Instant;
  claimMs: number;
  writes: JobWrite[];
  /** A piggybacked claim: done in the same batch right after, so that it finds what the writes have made ready. */
  claim?: ClaimRequest;
}

/** Which writes were saved. */
export interface SaveReply extends Timed {
  /** The state of each job whose claim was still owned; a missing id lost its claim and wrote nothing. */
  saved: { id: string; state: JobState; arrivals: number }[];
  /** What the piggybacked claim found, without a time of its own; absent without one. */
  claimed?: ClaimReply;
}

/** Sends signals. */
export interface SignalRequest {
  now: Instant;
  signals: { jobId: string; name: string; key: string; payload: string }[];
}

/** What became of each signal, in the order sent. */
export interface SignalReply extends Timed {
  /** `duplicate`: this key was sent before (nothing changed). `finished`: the job is over. `unknown`: no such job. */
  outcomes: ("accepted" | "duplicate" | "finished" | "unknown")[];
}

/** Cancels jobs and all their unfinished descendants. */
export interface CancelRequest {
  op: string;
  now: Instant;
  ids: string[];
  /** JSON error to keep with them. */
  error: string;
}

/** Puts finished jobs back: `failed`, `cancelled` or `expired` become `ready`, with `attempt` 0 and their done steps. */
export interface RetryRequest {
  op: string;
  now: Instant;
  /** `forget`: names of steps to forget. `notes`: the engine's notes from now on. */
  jobs: { id: string; forget: string[]; notes: string | null }[];
}

/** Which jobs to list, newest first (by id). */
export interface ListJobsRequest {
  states?: JobState[];
  queue?: string;
  task?: string;
  schedule?: string;
  parentId?: string;
  key?: string;
  /** Only ids before this one. */
  before?: string;
  limit: number;
}

/** Settings of a queue; a queue without settings needs no row. */
export interface QueueRecord {
  name: string;
  paused: boolean;
  /** At most this many of its jobs run at once, over all workers; null: no limit. */
  concurrency: number | null;
  /** At most `count` of its jobs start in any window of `perMs`; null: no limit. */
  rate: { count: number; perMs: number } | null;
}

/** Settings of a queue to write; what is absent stays as it is, and has its default where the queue has none yet. */
export interface QueueChange extends Partial<QueueRecord> {
  name: string;
}

/** Removes finished jobs (with steps and signals) and old outcomes, a bounded chunk at a time. */
export interface PurgeRequest {
  now: Instant;
  /** Completed, cancelled and expired jobs that finished before this instant. */
  finishedBefore: Instant;
  /** Failed jobs that finished before this instant. */
  failedBefore: Instant;
  /** Outcomes whose (last) occurrence lies before this instant. */
  occurrencesBefore: Instant;
  limit: number;
}

/** What was removed; more may be left when a number reaches the limit. A job with an unfinished parent is kept. */
export interface PurgeReply {
  jobs: number;
  occurrences: number;
}

/** Counts, for dashboards and metrics; of unfinished and failed jobs only, so that they do not slow as history grows. */
export interface StatsReply extends Timed {
  queues: {
    queue: string;
    /** Claimable now. */
    ready: number;
    /** Ready later: delayed, sleeping, backing off. */
    scheduled: number;
    /** Held back by a limit. */
    held: number;
    running: number;
    waiting: number;
    failed: number;
    /** When the oldest claimable job became available; null when none is. */
    oldestReadyAt: Instant | null;
    paused: boolean;
  }[];
  schedules: Record<ScheduleState, number>;
  /** How many active schedules have {@link import("./states.ts").ONLY_SKIPS_FROM} or more `skips`. */
  onlySkips: number;
  /** The earliest `nextAt` of any active schedule; null when there is none. */
  nextAt: Instant | null;
  lease: LeaseRecord | null;
}

/** What {@link Storage.migrate} found and did. */
export interface MigrateReply extends Timed {
  /** Schema version before; 0 where there was none. */
  from: number;
  /** Schema version now. */
  to: number;
  /** Sentences for the log on settings of the database that are wrong but not fatal. */
  warnings: string[];
}

/** One statement for the user's own transaction or batch. Placeholders are those of the database. */
export interface Statement {
  sql: string;
  params: (string | number | null)[];
}

/** What has changed when a listener is called. */
export type Wake = "schedules" | "jobs" | "any";

/** A page of {@link Storage.exportPage} and {@link Storage.importPage}: the name of a table, and rows of it. */
export interface StoragePage {
  table: string;
  rows: Record<string, string | number | null>[];
}

/** What goes with a call besides its request. */
export interface CallOptions {
  /**
   * Aborts when the caller no longer waits for the answer. An adapter over a network then ends the call and destroys
   * the connection that it went over, since an answer may never come on it. The operation may have happened.
   */
  readonly signal: AbortSignal;
}

/**
 * A database that can hold schedules and jobs. Each call may be given {@link CallOptions} as its second argument.
 *
 * Adapter authors: run the conformance kit of `belfry/conformance` against it; it says what these words leave open.
 */
export interface Storage {
  /** The adapter's name, for messages: `"sqlite"`. */
  readonly name: string;
  readonly capabilities: StorageCapabilities;

  /**
   * Opens the database: checks its settings, and brings the schema up to date, forward only. Safe when many processes
   * start at once: each returns when the schema is current. One round trip when there is nothing to do.
   *
   * @throws `SCHEMA_NEWER` the stored schema is of a newer Belfry; `SCHEMA_INVALID`, `STORAGE_UNUSABLE`: see there
   */
  migrate(request: { now: Instant }, options?: CallOptions): Promise<MigrateReply>;

  /**
   * Acquires or renews the lease and reads what is due. The lease is granted when it is free, when it has run out
   * (`expiresAt <= now`), or when `holder` and `token` are the current ones (then the token stays; otherwise it grows).
   * A holder whose token is no longer current does not lead while another holds the lease. When the same holder asks
   * again with `token: null` after it was granted the lease, it is granted again, with a grown token.
   */
  beginTick(request: BeginTickRequest, options?: CallOptions): Promise<BeginTickReply>;

  /**
   * Moves schedules on, records their outcomes and inserts their jobs: each schedule only at the revision that was read
   * and all of them only under the lease. An occurrence that has an outcome already gets no second one and no job; its
   * schedule still moves. Sent again with the same `op`: nothing changes, and the same `fired` is returned.
   */
  fire(request: FireRequest, options?: CallOptions): Promise<FireReply>;

  /** Gives the lease up, so that another holder can take it at once. @returns false when this holder had it no more */
  resign(request: { holder: string; token: number; now: Instant }, options?: CallOptions): Promise<boolean>;

  /** Creates, replaces and removes schedules, each only from the revision that was read. */
  putSchedules(request: PutSchedulesRequest, options?: CallOptions): Promise<PutSchedulesReply>;
  listSchedules(request: ListSchedulesRequest, options?: CallOptions): Promise<ScheduleRecord[]>;
  /**
   * Lists an owner's schedules in order of name, with only the fields that a sync compares. Absent where that is no
   * cheaper than {@link listSchedules}.
   */
  listDefinitions?(
    request: { owner: string; after?: string; limit: number },
    options?: CallOptions,
  ): Promise<StoredDefinition[]>;
  listOccurrences(request: ListOccurrencesRequest, options?: CallOptions): Promise<OccurrenceRecord[]>;

  /**
   * Inserts jobs; a job whose id or whose `(task, key)` is stored already is left as it is. With `claim`, a claim
   * follows in the same batch: all of it happens or nothing. Sent again with the same `op` and the same token of the
   * claim: nothing changes.
   */
  enqueue(request: EnqueueRequest, options?: CallOptions): Promise<EnqueueReply>;

  /** The statements of {@link enqueue} for the user's own transaction; only where `capabilities.statements`. */
  enqueueStatements?(request: EnqueueRequest): Statement[];

  /**
   * Claims up to `limit` jobs, highest priority first, then earliest `availableAt`, then id, taking turns between the
   * queues, and reads their history in the same batch. Before that, in the same batch, it makes ready the jobs that
   * have become available (also waiting jobs whose timeout has come), frees claims that have run out, and expires jobs
   * that are past `expiresAt`. Paused queues and full limits give no job. The work of a claim is bounded by `limit`,
   * not by what is stored.
   */
  claim(request: ClaimRequest, options?: CallOptions): Promise<ClaimReply>;

  /**
   * Prolongs claims to `now + claimMs`. A claim that has run out is prolonged too, unless the job was freed or claimed
   * since.
   */
  renew(request: RenewRequest, options?: CallOptions): Promise<RenewReply>;

  /**
   * Saves what running jobs wrote, each only while `(id, token)` is its current claim. Where a job ends, its parent
   * becomes ready if it waits, its limit admits the next job, its schedule counts the failure (or forgets earlier
   * ones), and, unless it completed, its unfinished descendants are cancelled. Sent again with the same `op`: nothing
   * changes, and the answer is the same as long as no other batch has written the job since. With `claim`, a claim
   * follows in the same batch, also when no write was saved.
   */
  save(request: SaveRequest, options?: CallOptions): Promise<SaveReply>;

  /** Stores signals; a job that waits becomes ready, a job that is running finds them when it next suspends. */
  signal(request: SignalRequest, options?: CallOptions): Promise<SignalReply>;

  /** Cancels jobs; running ones lose their claims. @returns the ids that were cancelled, descendants included */
  cancel(request: CancelRequest, options?: CallOptions): Promise<string[]>;

  /** Puts jobs back. @returns the ids that were put back */
  retry(request: RetryRequest, options?: CallOptions): Promise<string[]>;

  /** One job with its history; null when there is none. */
  getJob(request: { id: string }, options?: CallOptions): Promise<ClaimedJob | null>;
  listJobs(request: ListJobsRequest, options?: CallOptions): Promise<JobRecord[]>;

  /** Writes settings of queues, each given one by itself: two callers that change different ones lose nothing. */
  putQueues(request: { now: Instant; queues: QueueChange[] }, options?: CallOptions): Promise<void>;
  listQueues(request?: undefined, options?: CallOptions): Promise<QueueRecord[]>;

  purge(request: PurgeRequest, options?: CallOptions): Promise<PurgeReply>;
  stats(request: { now: Instant }, options?: CallOptions): Promise<StatsReply>;

  /**
   * Calls back soon after schedules were registered or jobs became claimable, in this process or another. Only a hint:
   * a call may be missing, or come although nothing changed, and the engine polls as well. @returns a function that
   * stops listening
   */
  listen?(onWake: (wake: Wake) => void): Promise<() => Promise<void>>;

  /**
   * Exports all rows, page by page. For `copyStorage`.
   *
   * @returns the page, and the cursor of the next; null after the last page
   */
  exportPage(
    request: { cursor: string | null; limit: number },
    options?: CallOptions,
  ): Promise<{ page: StoragePage; cursor: string | null }>;
  /** Imports a page; rows that exist already are left as they are. For `copyStorage`. */
  importPage(request: { page: StoragePage }, options?: CallOptions): Promise<void>;

  /** Releases what the adapter opened; a client that the user passed in stays open. A second call does nothing. */
  close(): Promise<void>;
}
