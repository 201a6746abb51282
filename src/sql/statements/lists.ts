/**
 * Which lists travel to the database, and how are records laid out in them?
 */
import type {
  JobTransition,
  JobWrite,
  NewJob,
  OccurrenceRecord,
  RetryRequest,
  SchedulePut,
  StepRecord,
} from "../../storage/port.ts";
import { type Item, type ListKind, listKind, listWith } from "../list.ts";
import { TIED } from "../schema.ts";

/** Jobs to insert. */
export const JOBS = listKind<NewJob>()({
  id: ["text", (job) => job.id],
  task: ["text", (job) => job.task],
  queue: ["text", (job) => job.queue],
  priority: ["int", (job) => job.priority],
  available_at: ["int", (job) => job.availableAt],
  expires_at: ["int", (job) => job.expiresAt],
  key: ["text", (job) => job.key],
  input: ["text", (job) => job.input],
  options: ["text", (job) => job.options],
  schedule: ["text", (job) => job.schedule],
  scheduled_at: ["int", (job) => job.scheduledAt],
  parent_id: ["text", (job) => job.parentId],
  limit_key: ["text", (job) => job.limit?.key ?? null],
  limit_concurrency: ["int", (job) => job.limit?.concurrency ?? null],
  limit_count: ["int", (job) => job.limit?.rate?.count ?? null],
  limit_per_ms: ["int", (job) => job.limit?.rate?.perMs ?? null],
  tied: ["int", tiedOf],
  held: ["int", (job) => (job.limit === null ? 0 : 1)],
  due: ["int", (job, now) => (job.availableAt <= now ? 1 : 0)],
  alarm_at: ["int", alarmOf],
});

function tiedOf(job: NewJob): number {
  return (
    (job.schedule === null ? 0 : TIED.schedule) |
    (job.parentId === null ? 0 : TIED.parent) |
    (job.limit === null ? 0 : TIED.limit)
  );
}

function alarmOf({ limit, availableAt, expiresAt }: NewJob, now: number): number | null {
  // A held job becomes due by its limit's `next_at`.
  const waits = limit === null && availableAt > now;
  return waits && (expiresAt === null || availableAt < expiresAt) ? availableAt : expiresAt;
}

/** Jobs to insert with what a running job writes; `writer` is that job. */
export const CHILDREN = listWith(
  JOBS,
  ({ job }: { writer: string; job: NewJob }) => job,
  listKind<{ writer: string; job: NewJob }>()({ writer: ["text", ({ writer }) => writer] }),
);

/** Outcomes to record. */
export const OCCURRENCES = listKind<OccurrenceRecord>()({
  schedule: ["text", (occurrence) => occurrence.schedule],
  at: ["int", (occurrence) => occurrence.at],
  until_at: ["int", (occurrence) => occurrence.untilAt],
  count: ["int", (occurrence) => occurrence.count],
  job_id: ["text", (occurrence) => occurrence.jobId],
  reason: ["text", (occurrence) => occurrence.reason],
  recorded_at: ["int", (occurrence) => occurrence.recordedAt],
});

/** Schedules to write; `expected` is the revision that was read. */
export const SCHEDULES = listKind<SchedulePut>()({
  name: ["text", ({ record }) => record.name],
  expected: ["int", ({ revision }) => revision],
  definition: ["text", ({ record }) => record.definition],
  state: ["text", ({ record }) => record.state],
  next_at: ["int", ({ record }) => record.nextAt],
  fired: ["int", ({ record }) => record.fired],
  skips: ["int", ({ record }) => record.skips],
  failures: ["int", ({ record }) => record.failures],
  pause_after_failures: ["int", ({ record }) => record.pauseAfterFailures],
  watches_jobs: ["int", ({ record }) => (record.watchesJobs ? 1 : 0)],
  last_at: ["int", ({ record }) => record.lastAt],
  note: ["text", ({ record }) => record.note],
  owner: ["text", ({ record }) => record.owner],
  created_at: ["int", ({ record }) => record.createdAt],
  updated_at: ["int", ({ record }) => record.updatedAt],
});

type End = Extract<JobTransition, { to: "completed" | "failed" | "cancelled" | "expired" }>;
type Move = Extract<JobTransition, { to: "ready" | "waiting" }>;

/** Columns of all kinds of writes: whether progress is reported, the progress, the notes, and the bits that `tied` gets. */
const reports = (write: JobWrite): number => (write.progress === undefined ? 0 : 1);
const progress = (write: JobWrite): string | null => write.progress ?? null;
const notes = (write: JobWrite): string | null => write.notes ?? null;
const tied = (write: JobWrite): number => (write.children.length > 0 ? TIED.children : 0);

const endOf = (write: JobWrite): End => write.transition as End;

/** Jobs to write that end. */
export const ENDS = listKind<JobWrite>()({
  id: ["text", (write) => write.id],
  token: ["text", (write) => write.token],
  state: ["text", (write) => endOf(write).to],
  result: ["text", (write) => resultOf(endOf(write))],
  error: ["text", (write) => errorOf(endOf(write))],
  reports: ["int", reports],
  progress: ["text", progress],
  notes: ["text", notes],
  tied: ["int", tied],
});

function resultOf(end: End): string | null {
  return end.to === "completed" ? end.result : null;
}

function errorOf(end: End): string | null {
  return end.to === "completed" ? null : end.error;
}

const moveOf = (write: JobWrite): Move | null => write.transition as Move | null;

/** Jobs to write that do not end: `running`, `ready` or `waiting`. */
export const MOVES = listKind<JobWrite>()({
  id: ["text", (write) => write.id],
  token: ["text", (write) => write.token],
  state: ["text", (write) => moveOf(write)?.to ?? "running"],
  available_at: ["int", (write) => moveOf(write)?.availableAt ?? null],
  alarm_at: ["int", (write, now) => (isDue(moveOf(write), now) ? null : (moveOf(write)?.availableAt ?? null))],
  due: ["int", (write, now) => (isDue(moveOf(write), now) ? 1 : 0)],
  resuming: ["int", (write) => (isResuming(moveOf(write)) ? 1 : 0)],
  arrivals: ["int", (write) => arrivalsOf(moveOf(write))],
  error: ["text", (write) => retryErrorOf(moveOf(write))],
  reports: ["int", reports],
  progress: ["text", progress],
  notes: ["text", notes],
  tied: ["int", tied],
});

function isDue(move: Move | null, now: number): boolean {
  return move?.to === "ready" && move.availableAt <= now;
}

function isResuming(move: Move | null): boolean {
  return move?.to === "waiting" || (move?.to === "ready" && move.resuming);
}

function arrivalsOf(move: Move | null): number | null {
  return move?.to === "waiting" ? move.arrivals : null;
}

function retryErrorOf(move: Move | null): string | null {
  return move?.to === "ready" ? move.error : null;
}

/** Jobs that were written, to be read back. */
export const WRITTEN = listKind<JobWrite>()({ id: ["text", (write) => write.id] });

/** Steps to save. */
export const STEPS = listKind<StepRecord>()({
  job_id: ["text", (step) => step.jobId],
  name: ["text", (step) => step.name],
  kind: ["text", (step) => step.kind],
  state: ["text", (step) => step.state],
  seq: ["int", (step) => step.seq],
  tries: ["int", (step) => step.tries],
  attempt: ["int", (step) => step.attempt],
  output: ["text", (step) => step.output],
  error: ["text", (step) => step.error],
  wake_at: ["int", (step) => step.wakeAt],
  child_id: ["text", (step) => step.childId],
  signal_key: ["text", (step) => step.signalKey],
  started_at: ["int", (step) => step.startedAt],
  finished_at: ["int", (step) => step.finishedAt],
});

/** Jobs to put back, each with the engine's notes from now on. */
export const PUT_BACK = listKind<RetryRequest["jobs"][number]>()({
  id: ["text", ({ id }) => id],
  notes: ["text", ({ notes }) => notes],
});

/** Names of steps of jobs. */
export const STEP_NAMES = listKind<{ jobId: string; name: string }>()({
  job_id: ["text", ({ jobId }) => jobId],
  name: ["text", ({ name }) => name],
});

/** Names of the columns of a list, in order. */
export function columnsOf<C extends string>(kind: ListKind<never, C>): C[] {
  return kind.columns.map(([name]) => name);
}

/** Columns of a list as the values of a row to insert, each from the column of its name. */
export function valuesOf<C extends string>(kind: ListKind<never, C>, item: Item<C>): Record<C, string> {
  return Object.fromEntries(columnsOf(kind).map((name) => [name, item[name]])) as Record<C, string>;
}
