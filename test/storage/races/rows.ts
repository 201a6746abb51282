/** Rows that races write: plain jobs and schedules, named after the round, at instants far from those of other rounds. */
import type { ClaimRequest, Firing, NewJob, SaveRequest, ScheduleRecord, Storage } from "../../../src/storage/port.ts";

/** A race: one round of it, repeated. */
export interface Race {
  title: string;
  /** @param n number of the round, for names; throws when the race was lost */
  round(competitors: readonly Storage[], n: number): Promise<void>;
}

/** The instant of a round; rounds are so far apart that leases and claims of earlier ones have run out. */
export function instant(n: number): number {
  return 1_800_000_000_000 + n * 1_000_000;
}

/** Rounds between the first ones of two races. */
export const APART = 100_000;

/** The queue of a round: each race has one of its own, so that jobs left by a lost race disturb no other. */
export function queueAt(now: number): string {
  return `race ${Math.floor((now - instant(0)) / 1_000_000 / APART)}`;
}

/** How long claims of races last, ms. */
export const CLAIM_MS = 30_000;

/** A job to insert. */
export function job(id: string, now: number, more: Partial<NewJob> = {}): NewJob {
  return {
    id,
    task: "race",
    queue: queueAt(now),
    priority: 0,
    availableAt: now,
    expiresAt: null,
    key: null,
    input: "{}",
    options: "{}",
    schedule: null,
    scheduledAt: null,
    parentId: null,
    limit: null,
    ...more,
  };
}

/** An active schedule that is due at an instant. */
export function schedule(name: string, nextAt: number, more: Partial<ScheduleRecord> = {}): ScheduleRecord {
  return {
    name,
    definition: "{}",
    state: "active",
    nextAt,
    revision: 1,
    fired: 0,
    skips: 0,
    failures: 0,
    pauseAfterFailures: null,
    watchesJobs: false,
    lastAt: null,
    note: null,
    owner: null,
    createdAt: 0,
    updatedAt: 0,
    ...more,
  };
}

/** A schedule that moves on from a revision, with the job of one occurrence. */
export function firing(name: string, revision: number, at: number, jobId: string): Firing {
  return {
    name,
    revision,
    state: "active",
    // Far ahead, so that it is not due in later rounds.
    nextAt: instant(10_000_000),
    fired: 1,
    skips: 0,
    lastAt: at,
    note: null,
    cancelUnfinished: false,
    jobs: [job(jobId, at, { schedule: name, scheduledAt: at })],
    occurrences: [{ schedule: name, at, untilAt: at, count: 1, jobId, reason: null, recordedAt: at }],
  };
}

/** Creates a schedule. */
export async function create(storage: Storage, now: number, record: ScheduleRecord): Promise<void> {
  const puts = [{ revision: null, record, jobs: [], occurrences: [] }];
  await storage.putSchedules({ op: `create ${record.name}`, now, puts, removes: [], owner: null });
}

/** A claim of jobs of the queue of the race. */
export function claiming(token: string, now: number, more: Partial<ClaimRequest> = {}): ClaimRequest {
  return { token, worker: token, queues: [queueAt(now)], tasks: null, limit: 1, now, claimMs: CLAIM_MS, ...more };
}

/** A save of jobs under one token. */
export function saving(
  op: string,
  now: number,
  writes: (Partial<SaveRequest["writes"][number]> & JobClaim)[],
): SaveRequest {
  return {
    op,
    now,
    claimMs: CLAIM_MS,
    writes: writes.map((write) => ({ steps: [], forget: [], children: [], transition: null, ...write })),
  };
}

/** A claim on a job. */
export interface JobClaim {
  id: string;
  token: string;
}

/** Cancels jobs, so that they do not disturb later rounds. */
export async function clear(storage: Storage, n: number, ids: readonly string[]): Promise<void> {
  await storage.cancel({ op: `clear ${ids[0]}`, now: instant(n), ids: [...ids], error: "{}" });
}
