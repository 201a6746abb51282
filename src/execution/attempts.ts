/**
 * How many attempts of its budget a job has used.
 *
 * An attempt that ended with an error always counts. One that ended with its worker (crashed, killed, cut off) counts
 * unless it had finished a step that none had finished before: so the deploys of a year do not wear a long job down,
 * while a job that kills its worker in one place ends after its attempts. For that, rows of steps and sleeps keep the
 * attempt in which they were over, and where an attempt fails after progress, a note keeps which attempts threw.
 *
 * `job.attempt` itself counts every claim that was not a resume. After `retry(id)` it starts anew and the note is gone;
 * rows of before may then forgive a crash or two more than they should.
 */

import { ATTEMPT_NOTE } from "../job/notes.ts";
import type { ClaimedJob, StepRecord } from "../storage/port.ts";
import { pendingRow } from "./rows.ts";

/** Attempts used, the present one included. */
export function attemptsUsed(job: ClaimedJob): number {
  const thrown = new Set(thrownAttempts(job));
  const progressed = new Set<number>();
  for (const step of job.steps) {
    const attempt = madeIn(step);
    if (attempt !== null && attempt < job.attempt && !thrown.has(attempt)) progressed.add(attempt);
  }
  return job.attempt - progressed.size;
}

/** The note that the present attempt threw; null where nothing rests on it. */
export function thrownNote(job: ClaimedJob, steps: Iterable<StepRecord>, now: number): StepRecord | null {
  let progress = false;
  for (const step of steps) progress ||= madeIn(step) !== null;
  if (!progress) return null;
  const ref = [...thrownAttempts(job), job.attempt].join(",");
  return pendingRow({ jobId: job.id, name: ATTEMPT_NOTE, kind: "value", wakeAt: null, ref, startedAt: now });
}

function thrownAttempts(job: ClaimedJob): number[] {
  const ref = job.steps.find((step) => step.name === ATTEMPT_NOTE)?.ref;
  return ref ? ref.split(",").map(Number) : [];
}

/** The attempt in which a step or sleep was over. */
function madeIn(step: StepRecord): number | null {
  if (step.state !== "done" || (step.kind !== "step" && step.kind !== "sleep") || step.ref === null) return null;
  return Number(step.ref);
}
