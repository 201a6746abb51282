/**
 * Which lists travel to the database, and how are records laid out in them? One JSON parameter each.
 */
import type { JobTransition, JobWrite, NewJob, OccurrenceRecord, SchedulePut, StepRecord } from "../../storage/port.ts";
import type { Dialect, ListColumns } from "../dialect.ts";
import { type Cell, List } from "../driver.ts";
import { TIED } from "../schema.ts";

/** A kind of list: its columns and how an item is laid out. */
export interface ListKind<T> {
  readonly columns: ListColumns;
  readonly cells: (item: T, now: number) => Cell[];
}

/** Lays items out as a list parameter of a batch at `now`. */
export function listOf<T>(dialect: Dialect, kind: ListKind<T>, items: readonly T[], now: number = 0): List {
  const rows = items.map((item) => kind.cells(item, now));
  return new List(rows, () => dialect.encodeList(kind.columns, rows));
}

/** Jobs to insert. */
export const JOBS: ListKind<NewJob> = {
  columns: [
    ["id", "text"],
    ["task", "text"],
    ["queue", "text"],
    ["priority", "int"],
    ["available_at", "int"],
    ["expires_at", "int"],
    ["key", "text"],
    ["input", "text"],
    ["options", "text"],
    ["schedule", "text"],
    ["scheduled_at", "int"],
    ["parent_id", "text"],
    ["limit_key", "text"],
    ["limit_concurrency", "int"],
    ["limit_count", "int"],
    ["limit_per_ms", "int"],
    ["tied", "int"],
    ["held", "int"],
    ["due", "int"],
    ["alarm_at", "int"],
  ],
  cells: (job, now) => [
    job.id,
    job.task,
    job.queue,
    job.priority,
    job.availableAt,
    job.expiresAt,
    job.key,
    job.input,
    job.options,
    job.schedule,
    job.scheduledAt,
    job.parentId,
    job.limit?.key ?? null,
    job.limit?.concurrency ?? null,
    job.limit?.rate?.count ?? null,
    job.limit?.rate?.perMs ?? null,
    (job.schedule === null ? 0 : TIED.schedule) |
      (job.parentId === null ? 0 : TIED.parent) |
      (job.limit === null ? 0 : TIED.limit),
    job.limit === null ? 0 : 1,
    job.availableAt <= now ? 1 : 0,
    // A held job waits for its limit, which knows when it comes due.
    job.limit === null && job.availableAt > now && (job.expiresAt === null || job.availableAt < job.expiresAt)
      ? job.availableAt
      : job.expiresAt,
  ],
};

/** Jobs to insert with what a running job writes; `writer` is that job. */
export const CHILDREN: ListKind<{ writer: string; job: NewJob }> = {
  columns: [...JOBS.columns, ["writer", "text"]],
  cells: ({ writer, job }, now) => [...JOBS.cells(job, now), writer],
};

/** Outcomes to record. */
export const OCCURRENCES: ListKind<OccurrenceRecord> = {
  columns: [
    ["schedule", "text"],
    ["at", "int"],
    ["until_at", "int"],
    ["count", "int"],
    ["job_id", "text"],
    ["reason", "text"],
    ["recorded_at", "int"],
  ],
  cells: (o) => [o.schedule, o.at, o.untilAt, o.count, o.jobId, o.reason, o.recordedAt],
};

/** Schedules to write; `expected` is the revision that was read. */
export const SCHEDULES: ListKind<SchedulePut> = {
  columns: [
    ["name", "text"],
    ["expected", "int"],
    ["definition", "text"],
    ["state", "text"],
    ["next_at", "int"],
    ["fired", "int"],
    ["failures", "int"],
    ["pause_after_failures", "int"],
    ["watches_jobs", "int"],
    ["last_at", "int"],
    ["note", "text"],
    ["owner", "text"],
    ["created_at", "int"],
    ["updated_at", "int"],
  ],
  cells: ({ revision, record: r }) => [
    r.name,
    revision,
    r.definition,
    r.state,
    r.nextAt,
    r.fired,
    r.failures,
    r.pauseAfterFailures,
    r.watchesJobs ? 1 : 0,
    r.lastAt,
    r.note,
    r.owner,
    r.createdAt,
    r.updatedAt,
  ],
};

/** A job to write whose attempt is over for good. */
export const ENDS: ListKind<JobWrite> = {
  columns: [
    ["id", "text"],
    ["token", "text"],
    ["state", "text"],
    ["result", "text"],
    ["error", "text"],
    ["reports", "int"],
    ["progress", "text"],
    ["tied", "int"],
  ],
  cells: (write) => {
    const go = write.transition as Extract<JobTransition, { to: "completed" | "failed" | "cancelled" | "expired" }>;
    return [
      write.id,
      write.token,
      go.to,
      go.to === "completed" ? go.result : null,
      go.to === "completed" ? null : go.error,
      write.progress === undefined ? 0 : 1,
      write.progress ?? null,
      write.children.length > 0 ? TIED.children : 0,
    ];
  },
};

/** A job to write that goes on: `running`, `ready` or `waiting`. */
export const GOES_ON: ListKind<JobWrite> = {
  columns: [
    ["id", "text"],
    ["token", "text"],
    ["state", "text"],
    ["available_at", "int"],
    ["alarm_at", "int"],
    ["due", "int"],
    ["resuming", "int"],
    ["wakes", "int"],
    ["error", "text"],
    ["reports", "int"],
    ["progress", "text"],
    ["tied", "int"],
  ],
  cells: (write, now) => {
    const go = write.transition as Extract<JobTransition, { to: "ready" | "waiting" }> | null;
    const at = go?.availableAt ?? null;
    const due = go?.to === "ready" && go.availableAt <= now;
    return [
      write.id,
      write.token,
      go?.to ?? "running",
      at,
      due ? null : at,
      due ? 1 : 0,
      go?.to === "waiting" || (go?.to === "ready" && go.resuming) ? 1 : 0,
      go?.to === "waiting" ? go.wakes : null,
      go?.to === "ready" ? go.error : null,
      write.progress === undefined ? 0 : 1,
      write.progress ?? null,
      write.children.length > 0 ? TIED.children : 0,
    ];
  },
};

/** Jobs named by their writes, to be read back. */
export const WRITTEN: ListKind<JobWrite> = { columns: [["id", "text"]], cells: (write) => [write.id] };

/** Steps to save. */
export const STEPS: ListKind<StepRecord> = {
  columns: [
    ["job_id", "text"],
    ["name", "text"],
    ["kind", "text"],
    ["state", "text"],
    ["seq", "int"],
    ["attempt", "int"],
    ["output", "text"],
    ["error", "text"],
    ["wake_at", "int"],
    ["ref", "text"],
    ["started_at", "int"],
    ["finished_at", "int"],
  ],
  cells: (s) => [
    s.jobId,
    s.name,
    s.kind,
    s.state,
    s.seq,
    s.attempt,
    s.output,
    s.error,
    s.wakeAt,
    s.ref,
    s.startedAt,
    s.finishedAt,
  ],
};

/** Names of steps of jobs. */
export const STEP_NAMES: ListKind<{ jobId: string; name: string }> = {
  columns: [
    ["job_id", "text"],
    ["name", "text"],
  ],
  cells: ({ jobId, name }) => [jobId, name],
};

/** Names of the columns of a list, with a table's alias before each where one is given. */
export function columnsOf<T>(kind: ListKind<T>, alias?: string): string {
  return kind.columns.map(([name]) => (alias ? `${alias}.${name}` : name)).join(", ");
}
