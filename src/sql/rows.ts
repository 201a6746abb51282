/**
 * How does a row become a record of the port? Integers arrive as numbers, as BigInt or, from Postgres, as text.
 */
import type {
  ChildOutcome,
  DueSchedule,
  JobRecord,
  JobState,
  LeaseRecord,
  OccurrenceRecord,
  QueueRecord,
  ScheduleRecord,
  ScheduleState,
  SignalRecord,
  SkipReason,
  StepKind,
  StepRecord,
  StepState,
} from "../storage/port.ts";
import type { Row } from "./driver.ts";

/** Reads an integer. */
export function int(value: unknown): number {
  return typeof value === "number" ? value : Number(value);
}

/** Reads an integer or null. */
export function intOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : int(value);
}

/** Reads a text or null. */
function textOrNull(value: unknown): string | null {
  return (value as string | null | undefined) ?? null;
}

/** Columns of a schedule, as {@link scheduleOf} reads them. */
export const SCHEDULE_COLUMNS: string =
  "name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures, watches_jobs, last_at, note, " +
  "owner, created_at, updated_at";

/** Reads a schedule. */
export function scheduleOf(row: Row): ScheduleRecord {
  return {
    name: row["name"] as string,
    definition: row["definition"] as string,
    state: row["state"] as ScheduleState,
    nextAt: intOrNull(row["next_at"]),
    revision: int(row["revision"]),
    fired: int(row["fired"]),
    skips: int(row["skips"]),
    failures: int(row["failures"]),
    pauseAfterFailures: intOrNull(row["pause_after_failures"]),
    watchesJobs: int(row["watches_jobs"]) === 1,
    lastAt: intOrNull(row["last_at"]),
    note: textOrNull(row["note"]),
    owner: textOrNull(row["owner"]),
    createdAt: int(row["created_at"]),
    updatedAt: int(row["updated_at"]),
  };
}

/** Reads a due schedule: the columns of a schedule and `busy`. */
export function dueScheduleOf(row: Row): DueSchedule {
  return { ...scheduleOf(row), busy: int(row["busy"]) === 1 };
}

/** Reads an outcome. */
export function occurrenceOf(row: Row): OccurrenceRecord {
  return {
    schedule: row["schedule"] as string,
    at: int(row["at"]),
    untilAt: int(row["until_at"]),
    count: int(row["count"]),
    jobId: textOrNull(row["job_id"]),
    reason: row["reason"] as SkipReason | null,
    recordedAt: int(row["recorded_at"]),
  };
}

/** Columns of a job, as {@link jobOf} reads them. */
export const JOB_COLUMNS: string =
  "id, task, queue, state, priority, available_at, expires_at, key, input, options, schedule, scheduled_at, " +
  "parent_id, limit_key, held, tied, attempt, claims, arrivals, claim_token, claim_expires_at, worker, result, error, " +
  "progress, notes, created_at, started_at, finished_at";

/** Reads a job. */
export function jobOf(row: Row): JobRecord {
  return {
    id: row["id"] as string,
    task: row["task"] as string,
    queue: row["queue"] as string,
    state: row["state"] as JobState,
    priority: int(row["priority"]),
    availableAt: intOrNull(row["available_at"]),
    expiresAt: intOrNull(row["expires_at"]),
    key: textOrNull(row["key"]),
    input: row["input"] as string,
    options: row["options"] as string,
    schedule: textOrNull(row["schedule"]),
    scheduledAt: intOrNull(row["scheduled_at"]),
    parentId: textOrNull(row["parent_id"]),
    limitKey: textOrNull(row["limit_key"]),
    held: int(row["held"]) === 1,
    attempt: int(row["attempt"]),
    claims: int(row["claims"]),
    arrivals: int(row["arrivals"]),
    claimToken: textOrNull(row["claim_token"]),
    claimExpiresAt: intOrNull(row["claim_expires_at"]),
    worker: textOrNull(row["worker"]),
    result: textOrNull(row["result"]),
    error: textOrNull(row["error"]),
    progress: textOrNull(row["progress"]),
    notes: textOrNull(row["notes"]),
    createdAt: int(row["created_at"]),
    startedAt: intOrNull(row["started_at"]),
    finishedAt: intOrNull(row["finished_at"]),
  };
}

/** Reads a step. */
export function stepOf(row: Row): StepRecord {
  return {
    jobId: row["job_id"] as string,
    name: row["name"] as string,
    kind: row["kind"] as StepKind,
    state: row["state"] as StepState,
    seq: intOrNull(row["seq"]),
    tries: int(row["tries"]),
    attempt: intOrNull(row["attempt"]),
    output: textOrNull(row["output"]),
    error: textOrNull(row["error"]),
    wakeAt: intOrNull(row["wake_at"]),
    childId: textOrNull(row["child_id"]),
    signalKey: textOrNull(row["signal_key"]),
    startedAt: int(row["started_at"]),
    finishedAt: intOrNull(row["finished_at"]),
  };
}

/** Reads a signal. */
export function signalOf(row: Row): SignalRecord {
  return {
    jobId: row["job_id"] as string,
    name: row["name"] as string,
    key: row["key"] as string,
    payload: row["payload"] as string,
    sentAt: int(row["sent_at"]),
    seq: int(row["seq"]),
  };
}

/** Reads how a child ended. */
export function childOf(row: Row): ChildOutcome {
  return {
    id: row["id"] as string,
    state: row["state"] as ChildOutcome["state"],
    result: textOrNull(row["result"]),
    error: textOrNull(row["error"]),
    finishedAt: int(row["finished_at"]),
  };
}

/** Reads the settings of a queue. */
export function queueOf(row: Row): QueueRecord {
  const count = intOrNull(row["rate_count"]);
  return {
    name: row["name"] as string,
    paused: int(row["paused"]) === 1,
    concurrency: intOrNull(row["concurrency"]),
    rate: count === null ? null : { count, perMs: int(row["rate_per_ms"]) },
  };
}

/** Reads the lease; null when nobody holds it. */
export function leaseOf(row: Row | undefined): LeaseRecord | null {
  if (!row || row["holder"] === null) return null;
  return { holder: row["holder"] as string, token: int(row["token"]), expiresAt: int(row["expires_at"]) };
}
