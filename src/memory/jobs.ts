/**
 * How are jobs stored and found? The jobs of a memory storage with an index for each order in which they are read.
 *
 * By its state a job is in at most one index: of its queue and task, the ready jobs in claim order, or those that time
 * alone makes claimable (delayed jobs, timeouts of waiting ones, claims that run out); or an index of its limit, while
 * it is held. So a claim reads the first entries of indexes and never finished, future or held jobs. Every change of a
 * job goes through {@link JobTable.change}, which moves it to its index.
 */
import type {
  ChildOutcome,
  ClaimedJob,
  JobLimit,
  JobRecord,
  JobState,
  QueueRecord,
  SignalRecord,
  StepRecord,
} from "../storage/port.ts";
import { compareText, SortedSet } from "./sorted_set.ts";

/** A job with all that belongs to it. */
export interface Job {
  readonly row: JobRecord;
  /** The next claim goes on with the same attempt. */
  resuming: boolean;
  /** The batch that inserted it; null when it was imported. */
  readonly insertedBy: string | null;
  /** The limit as it was given with the job. */
  readonly limit: JobLimit | null;
  /** The op of the batch that last wrote the job; null after a claim. */
  op: string | null;
  steps: Map<string, StepRecord>;
  /** By name and key, in order of arrival. */
  signals: Map<string, SignalRecord>;
  /** The index that it is in. */
  index: SortedSet<Job> | null;
  /** When time makes it claimable, while it is in an index by time. */
  timedAt: number;
}

/** The jobs of one task in one queue that can be claimed now, or will be by time alone. */
export interface TaskJobs {
  ready: SortedSet<Job>;
  timed: SortedSet<Job>;
  /** Jobs that expire unless an attempt begins before. */
  expiring: SortedSet<Job>;
}

/** A queue: its jobs by task, and what its settings count. */
export interface Queue {
  readonly name: string;
  settings: QueueRecord | null;
  tasks: Map<string, TaskJobs>;
  running: number;
  /** Instants of the claims that its rate may count, oldest first; kept until a purge, as a rate may be changed. */
  starts: number[];
}

// Most jobs have none; these are shared until a job gets its first one.
const NO_STEPS: Map<string, StepRecord> = new Map();
const NO_SIGNALS: Map<string, SignalRecord> = new Map();

/** Tells whether a job in this state is over. */
export function isFinished(state: JobState): boolean {
  return state !== "ready" && state !== "running" && state !== "waiting";
}

/** Claim order: highest priority, then earliest available, then id. */
export function byClaimOrder(a: Job, b: Job): number {
  return b.row.priority - a.row.priority || a.row.availableAt! - b.row.availableAt! || compareText(a.row.id, b.row.id);
}

/** Order of the instants at which time makes jobs claimable. */
export function byTime(a: Job, b: Job): number {
  return a.timedAt - b.timedAt || compareText(a.row.id, b.row.id);
}

const byId = (a: Job, b: Job): number => compareText(a.row.id, b.row.id);
const byExpiry = (a: Job, b: Job): number => a.row.expiresAt! - b.row.expiresAt! || byId(a, b);
const byEnd = (a: Job, b: Job): number => a.row.finishedAt! - b.row.finishedAt! || byId(a, b);

/** Gives the index of its limit in which a held job belongs. */
export type HeldIndex = (job: Job, now: number) => SortedSet<Job>;

/** Called after each change of a job's row: `before` is null for a new one, `after` for one that was removed. */
export type WatchJob = (before: Readonly<JobRecord> | null, after: Readonly<JobRecord> | null) => void;

/** All jobs, and their indexes. */
export class JobTable {
  readonly byId: Map<string, Job> = new Map();
  /** All jobs in order of id. */
  readonly inOrder: SortedSet<Job> = new SortedSet(byId);
  readonly queues: Map<string, Queue> = new Map();
  /** Unfinished and failed jobs: those that `stats` counts. */
  readonly counted: Set<Job> = new Set();
  /** Finished jobs but failed ones, by when they ended. */
  readonly settled: SortedSet<Job> = new SortedSet(byEnd);
  /** Failed jobs, by when they ended. */
  readonly failed: SortedSet<Job> = new SortedSet(byEnd);
  readonly #byKey = new Map<string, Job>();
  readonly #children = new Map<string, Set<Job>>();
  readonly #unfinishedOf = new Map<string, Set<Job>>();
  readonly #byToken = new Map<string, Set<Job>>();
  readonly #heldIndex: HeldIndex;
  /** Called for each change of a row, for the oracle of the simulator. */
  watch: WatchJob | null = null;

  /** @param heldIndex gives the index of its limit in which a held job belongs */
  constructor(heldIndex: HeldIndex) {
    this.#heldIndex = heldIndex;
  }

  /** The job of this task that was stored with this key. */
  withKey(task: string, key: string): Job | undefined {
    return this.#byKey.get(keyOf(task, key));
  }

  childrenOf(id: string): Iterable<Job> {
    return this.#children.get(id) ?? [];
  }

  /** Unfinished jobs of a schedule. */
  unfinishedOf(schedule: string): Set<Job> | undefined {
    return this.#unfinishedOf.get(schedule);
  }

  /** Jobs running under a claim token. */
  runningUnder(token: string): Set<Job> | undefined {
    return this.#byToken.get(token);
  }

  /** The queue of this name, made when it is not there. */
  queue(name: string): Queue {
    let queue = this.queues.get(name);
    if (!queue) {
      queue = {
        name,
        settings: null,
        tasks: new Map(),
        running: 0,
        starts: [],
      };
      this.queues.set(name, queue);
    }
    return queue;
  }

  /** Stores a new job. @param now a job that is available at or before it can be claimed at once */
  insert(row: JobRecord, limit: JobLimit | null, op: string | null, now: number): Job {
    const job: Job = {
      row,
      insertedBy: op,
      limit,
      resuming: false,
      op,
      steps: NO_STEPS,
      signals: NO_SIGNALS,
      index: null,
      timedAt: 0,
    };
    this.byId.set(row.id, job);
    this.inOrder.add(job);
    if (row.key !== null) this.#byKey.set(keyOf(row.task, row.key), job);
    if (row.parentId !== null) addTo(this.#children, row.parentId, job);
    this.#enter(job, now);
    this.watch?.(null, row);
    return job;
  }

  /**
   * Changes a job and moves it to the index in which it then belongs. The id, task, queue, key, schedule and parent
   * stay.
   */
  change(job: Job, now: number, mutate: (row: JobRecord) => void): void {
    const before = this.watch && { ...job.row };
    this.#leave(job);
    mutate(job.row);
    this.#enter(job, now);
    this.watch?.(before, job.row);
  }

  /** Removes a finished job with its steps and signals. */
  remove(job: Job): void {
    this.#leave(job);
    const { row } = job;
    this.byId.delete(row.id);
    this.inOrder.delete(job);
    if (row.key !== null) this.#byKey.delete(keyOf(row.task, row.key));
    if (row.parentId !== null) deleteFrom(this.#children, row.parentId, job);
    this.watch?.(row, null);
  }

  /** Inserts a step, or overwrites the one of its name unless that is done. */
  putStep(job: Job, step: StepRecord): void {
    if (job.steps.get(step.name)?.state === "done") return;
    if (job.steps === NO_STEPS) job.steps = new Map();
    job.steps.set(step.name, { ...step, jobId: job.row.id });
  }

  /** Tells whether a signal of this name and key has come. */
  hasSignal(job: Job, name: string, key: string): boolean {
    return job.signals.has(keyOf(name, key));
  }

  /** Stores a signal that has not come before. */
  putSignal(job: Job, signal: SignalRecord): void {
    if (job.signals === NO_SIGNALS) job.signals = new Map();
    job.signals.set(keyOf(signal.name, signal.key), { ...signal });
  }

  /** A job with its history, as a copy. */
  claimed(job: Job): ClaimedJob {
    const children: ChildOutcome[] = [];
    for (const { row } of this.childrenOf(job.row.id)) {
      if (!isFinished(row.state)) continue;
      const state = row.state as ChildOutcome["state"];
      children.push({ id: row.id, state, result: row.result, error: row.error, finishedAt: row.finishedAt! });
    }
    const steps: StepRecord[] = [];
    for (const step of job.steps.values()) steps.push({ ...step });
    const signals: SignalRecord[] = [];
    for (const signal of job.signals.values()) signals.push({ ...signal });
    return { ...job.row, steps, signals, children };
  }

  #leave(job: Job): void {
    const { row } = job;
    job.index?.delete(job);
    job.index = null;
    const queue = this.queue(row.queue);
    switch (row.state) {
      case "running":
        queue.running--;
        deleteFrom(this.#byToken, row.claimToken!, job);
        break;
      case "ready":
        if (row.expiresAt !== null && row.attempt === 0) jobsOf(queue, row.task).expiring.delete(job);
        break;
      case "failed":
        this.failed.delete(job);
        this.counted.delete(job);
        return;
      case "completed":
      case "cancelled":
      case "expired":
        this.settled.delete(job);
        return;
    }
    this.counted.delete(job);
    if (row.schedule !== null) deleteFrom(this.#unfinishedOf, row.schedule, job);
  }

  #enter(job: Job, now: number): void {
    const { row } = job;
    const queue = this.queue(row.queue);
    switch (row.state) {
      case "running":
        queue.running++;
        addTo(this.#byToken, row.claimToken!, job);
        this.#addByTime(job, queue, row.claimExpiresAt!);
        break;
      case "waiting":
        if (row.availableAt !== null) this.#addByTime(job, queue, row.availableAt);
        break;
      case "ready":
        if (row.expiresAt !== null && row.attempt === 0) jobsOf(queue, row.task).expiring.add(job);
        if (row.held) this.#addTo(job, this.#heldIndex(job, now));
        else if (row.availableAt! <= now) this.#addTo(job, jobsOf(queue, row.task).ready);
        else this.#addByTime(job, queue, row.availableAt!);
        break;
      case "failed":
        this.failed.add(job);
        this.counted.add(job);
        return;
      default:
        this.settled.add(job);
        return;
    }
    this.counted.add(job);
    if (row.schedule !== null) addTo(this.#unfinishedOf, row.schedule, job);
  }

  #addByTime(job: Job, queue: Queue, at: number): void {
    job.timedAt = at;
    this.#addTo(job, jobsOf(queue, job.row.task).timed);
  }

  #addTo(job: Job, index: SortedSet<Job>): void {
    job.index = index;
    index.add(job);
  }
}

/** The jobs of a task in a queue, made when there are none. */
function jobsOf(queue: Queue, task: string): TaskJobs {
  let jobs = queue.tasks.get(task);
  if (!jobs) {
    jobs = { ready: new SortedSet(byClaimOrder), timed: new SortedSet(byTime), expiring: new SortedSet(byExpiry) };
    queue.tasks.set(task, jobs);
  }
  return jobs;
}

/** One text for a pair; the length keeps `("a", "bc")` and `("ab", "c")` apart. */
function keyOf(name: string, key: string): string {
  return `${name.length}:${name}${key}`;
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  if (set) set.add(item);
  else sets.set(key, new Set([item]));
}

function deleteFrom<T>(sets: Map<string, Set<T>>, key: string, item: T): void {
  const set = sets.get(key);
  if (set?.delete(item) && set.size === 0) sets.delete(key);
}
