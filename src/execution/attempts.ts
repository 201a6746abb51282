/**
 * How many attempts of its budget has a job used?
 *
 * An attempt that ended with an error always counts. One whose worker died (crashed, killed, disconnected) counts unless it
 * had finished a step that no attempt had finished before. So deploys do not use up the attempts of a long job, while a job
 * that kills its worker in the same place each time fails after its attempts. For that, every step keeps the attempt in
 * which it was over, and when an attempt throws, the job's notes keep how many were used by then.
 *
 * `job.attempt` itself counts every claim that was not a resume. After a `retry` of the job both counts start anew, and only
 * steps saved after it make a crash not count.
 */
import { BelfryError } from "../base/error.ts";
import { type JobNotes, readNotes } from "../job/notes.ts";
import type { ClaimedJob, StepRecord } from "../storage/port.ts";
import { type Failure, parseFailure, toFailure } from "../task/failure.ts";
import { maxAttempts, type RetryFunction, type RetryPolicy } from "../task/retry.ts";

/** Counts the attempts used, the present one included. */
export function attemptsUsed(job: ClaimedJob): number {
  const { thrown = { attempt: 0, used: 0 }, progressFrom = 0 } = readNotes(job);
  const forgiven = new Set<number>();
  for (const step of job.steps) {
    if (!isProgress(step) || step.seq! < progressFrom) continue;
    if (step.attempt! > thrown.attempt && step.attempt! < job.attempt) forgiven.add(step.attempt!);
  }
  return thrown.used + job.attempt - thrown.attempt - forgiven.size;
}

/**
 * Tells whether a claimed job must not run, because all its attempts are used up: its worker died or lost it in the last one.
 *
 * @returns the error with which it fails; null: it may run
 */
export function attemptsUsedUp(job: ClaimedJob, policy: RetryPolicy | RetryFunction): Failure | null {
  const allowed = maxAttempts(policy);
  if (attemptsUsed(job) <= allowed) return null;
  const text = `Job ${job.id} used up its ${allowed} attempts: its worker died or lost it in the last one`;
  const failure = toFailure(new BelfryError("CLAIM_LOST", text));
  return job.error === null ? failure : { ...failure, cause: parseFailure(job.error) };
}

/** Makes the job's notes after the present attempt threw; undefined: they stay as they are. */
export function notesAfterError(job: ClaimedJob, steps: Iterable<StepRecord>): JobNotes | undefined {
  for (const step of steps) {
    if (isProgress(step)) return { ...readNotes(job), thrown: { attempt: job.attempt, used: attemptsUsed(job) } };
  }
  return undefined;
}

/** Whether a step is finished work; a signal or the end of a child is not. */
function isProgress({ kind, state, attempt }: StepRecord): boolean {
  return state === "done" && (kind === "step" || kind === "sleep") && attempt !== null;
}
