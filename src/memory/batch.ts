/**
 * What follows from the end of jobs? One batch of writes to a memory storage, and the effects of what it ended.
 *
 * A batch first makes its own writes and notes which jobs ended and which limits have room. Then `finish` applies the
 * effects for all of them, so the order of writes within a batch does not matter: unfinished descendants of jobs that
 * did not complete are cancelled, waiting parents become ready, schedules count failures, limits admit jobs.
 */
import type { JobLimit, JobRecord, JobState, NewJob, OccurrenceRecord, ScheduleRecord, Wake } from "../storage/port.ts";
import { isFinished, type Job, type JobTable } from "./jobs.ts";
import type { LimitTable } from "./limits.ts";
import type { Lease, Schedule, ScheduleTable } from "./schedules.ts";

/** All that one memory storage holds. */
export interface Tables {
  readonly jobs: JobTable;
  readonly limits: LimitTable;
  readonly schedules: ScheduleTable;
  readonly lease: Lease;
}

/** How a job ends. */
export interface End {
  state: "completed" | "failed" | "cancelled" | "expired";
  /** Encoded result of a completed one. */
  result?: string;
  /** JSON error of the others; undefined: the last error stays. */
  error?: string | null;
}

/** The error of a job that was cancelled because the next occurrence of its schedule fired (overlap `cancel`). */
export const OVERLAP_ERROR: string = errorText("JOB_CANCELLED", "the next occurrence of its schedule cancelled it");
/** The error of a job whose first attempt did not begin in time. */
export const EXPIRY_ERROR: string = errorText("JOB_EXPIRED", "it was not started before it expired");

function errorText(code: string, message: string): string {
  return JSON.stringify({ name: "BelfryError", code, message });
}

/** One batch. */
export class Batch {
  readonly #tables: Tables;
  readonly #now: number;
  readonly #op: string | null;
  readonly #ended: Job[] = [];
  readonly #limits = new Set<string>();
  /** What listeners are to be called with. */
  readonly wakes: Set<Wake> = new Set();

  /** @param op set on the jobs that the batch writes */
  constructor(tables: Tables, now: number, op: string | null) {
    this.#tables = tables;
    this.#now = now;
    this.#op = op;
  }

  /** Inserts a job, unless its id or its key is stored. @returns the stored job */
  insert(job: NewJob): Job {
    const { jobs, limits } = this.#tables;
    const stored = jobs.byId.get(job.id) ?? (job.key === null ? undefined : jobs.withKey(job.task, job.key));
    if (stored) return stored;
    if (job.limit) {
      const limit = limits.get(job.limit.key);
      Object.assign(limit, copyOf(job.limit));
      this.#limits.add(limit.key);
    }
    this.wakes.add("jobs");
    return jobs.insert(newRow(job, this.#now), job.limit && copyOf(job.limit), this.#op, this.#now);
  }

  /** Records outcomes and inserts the jobs of those that had none. */
  fireJobs(schedule: string, jobs: NewJob[], occurrences: OccurrenceRecord[]): void {
    const { schedules } = this.#tables;
    // Looked up before the outcomes of this batch are recorded: each job would find its own.
    const fresh = jobs.filter(
      ({ scheduledAt }) => scheduledAt === null || !schedules.hasOutcome(schedule, scheduledAt),
    );
    for (const occurrence of occurrences) schedules.record(occurrence);
    for (const job of fresh) this.insert(job);
  }

  /** Ends a job. */
  end(job: Job, end: End): void {
    const { row } = job;
    if (row.limitKey !== null) {
      this.#limits.add(row.limitKey);
      if (!row.held) this.#tables.limits.get(row.limitKey).admitted--;
    }
    this.#ended.push(job);
    job.resuming = false;
    this.change(job, end.state, () => {
      row.finishedAt = this.#now;
      row.held = false;
      row.availableAt = null;
      row.result = end.result ?? null;
      if (end.error !== undefined) row.error = end.error;
    });
  }

  /** Makes a job claimable at an instant. */
  ready(job: Job, availableAt: number, resuming: boolean): void {
    this.wakes.add("jobs");
    job.resuming = resuming;
    this.change(job, "ready", (row) => {
      row.availableAt = availableAt;
    });
  }

  /** Makes a finished job ready again; its limit has to admit it again. */
  putBack(job: Job): void {
    const { row } = job;
    if (job.limit) {
      Object.assign(this.#tables.limits.get(job.limit.key), copyOf(job.limit));
      this.#limits.add(job.limit.key);
    }
    job.op = this.#op;
    this.wakes.add("jobs");
    job.resuming = false;
    this.change(job, "ready", () => {
      row.held = row.limitKey !== null;
      row.attempt = 0;
      row.availableAt = this.#now;
      row.expiresAt = null;
      row.finishedAt = null;
      row.result = null;
      row.error = null;
    });
  }

  /** Moves a job to a state in which no claim is held. */
  change(job: Job, state: Exclude<JobState, "running">, mutate: (row: JobRecord) => void): void {
    this.#tables.jobs.change(job, this.#now, (row) => {
      row.state = state;
      row.claimToken = null;
      row.claimExpiresAt = null;
      mutate(row);
    });
  }

  /** Counts a signal or an ended child that reached a job, which becomes ready if it waits. */
  reach(job: Job): void {
    job.row.arrivals++;
    if (job.row.state === "waiting") this.ready(job, this.#now, true);
  }

  /** Cancels unfinished jobs and their descendants, as far as unfinished jobs lead, and sets an op on them. */
  cancel(roots: Iterable<Job>, error: string, mark: string | null = this.#op): void {
    const { jobs } = this.#tables;
    const stack = [...roots];
    for (let job = stack.pop(); job; job = stack.pop()) {
      if (isFinished(job.row.state)) continue;
      job.op = mark;
      this.end(job, { state: "cancelled", error });
      stack.push(...jobs.childrenOf(job.row.id));
    }
  }

  /** Applies the effects of what ended. Nothing may be written after it. */
  finish(): void {
    const { jobs, limits } = this.#tables;
    for (const job of [...this.#ended]) {
      const { id, state } = job.row;
      if (state === "completed") continue;
      // Not with the op of the batch: a write of such a child in the same batch lost its claim.
      this.cancel(jobs.childrenOf(id), errorText("JOB_CANCELLED", `its parent job ended as ${state}`), null);
    }
    for (const { row } of this.#ended) {
      const parent = row.parentId === null ? undefined : jobs.byId.get(row.parentId);
      if (parent && !isFinished(parent.row.state)) this.reach(parent);
    }
    this.#countFailures();
    for (const key of this.#limits) {
      limits.admit(limits.get(key), jobs, this.#now);
      this.wakes.add("jobs");
    }
  }

  #countFailures(): void {
    const { schedules } = this.#tables;
    const touched = new Map<Schedule, { completed: boolean; failed: number }>();
    for (const { row } of this.#ended) {
      const schedule = row.schedule === null ? undefined : schedules.byName.get(row.schedule);
      if (!schedule) continue;
      const counts = touched.get(schedule) ?? { completed: false, failed: 0 };
      if (row.state === "completed") counts.completed = true;
      else if (row.state === "failed") counts.failed++;
      touched.set(schedule, counts);
    }
    for (const [schedule, counts] of touched) {
      const { state, pauseAfterFailures, revision } = schedule.row;
      const failures = counts.completed ? 0 : schedule.row.failures + counts.failed;
      if (failures === schedule.row.failures) continue;
      const change: Partial<ScheduleRecord> = { failures, revision: revision + 1, updatedAt: this.#now };
      if (state === "active" && pauseAfterFailures !== null && failures >= pauseAfterFailures) {
        change.state = "paused";
        change.note = `paused after ${failures} failed jobs in a row`;
      }
      schedules.change(schedule, change);
    }
  }
}

function copyOf(limit: JobLimit): JobLimit {
  return { ...limit, rate: limit.rate && { ...limit.rate } };
}

function newRow(job: NewJob, now: number): JobRecord {
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    state: "ready",
    priority: job.priority,
    availableAt: job.availableAt,
    expiresAt: job.expiresAt,
    key: job.key,
    input: job.input,
    options: job.options,
    schedule: job.schedule,
    scheduledAt: job.scheduledAt,
    parentId: job.parentId,
    limitKey: job.limit?.key ?? null,
    held: job.limit !== null,
    attempt: 0,
    claims: 0,
    arrivals: 0,
    claimToken: null,
    claimExpiresAt: null,
    worker: null,
    result: null,
    error: null,
    progress: null,
    notes: null,
    createdAt: now,
    startedAt: null,
    finishedAt: null,
  };
}
