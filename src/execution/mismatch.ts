/**
 * History that does not fit the code: REPLAY_MISMATCH, with both names.
 *
 * - At once, when the code asks for another kind of thing under a recorded name, or returns while records are left that
 *   it never asked for.
 * - After a grace, when the next record is not asked for while other asks wait: code may await something of its own
 *   between two durable calls, but its outcome must not depend on how long that takes.
 * - Not when the handler *throws* with records unasked: what stands between steps may fail, no wrong value has come of
 *   it, and the next attempt replays as ever. That is an ordinary failure.
 *
 * A mismatch fails the job without further attempts, since they would all end alike, and leaves its history as it is:
 * mend the code, and `retry(id)` goes on from there.
 */
import { BelfryError } from "../base/error.ts";
import type { StepKind, StepRecord } from "../storage/port.ts";
import type { Ask } from "./ask.ts";

/** How long the next record may stay unasked while other asks wait. */
export const GRACE_MS = 2_000;

type Job = { id: string; task: string };

/** The code asks for another kind than its record. */
export function kindMismatch(job: Job, record: StepRecord, asked: StepKind): BelfryError {
  return mismatch(
    job,
    `its history has ${describe(record)} where the code asks for ${describe({ ...record, kind: asked })}`,
  );
}

/** The code asks for others than the record that comes next. */
export function orderMismatch(job: Job, next: StepRecord, asked: Ask): BelfryError {
  const { name, wanted } = asked;
  return mismatch(
    job,
    `its history goes on with ${describe(next)}, but the code asks for ${describe({ name, kind: wanted.kind })}`,
  );
}

/** The code returned without asking for a record. */
export function returnMismatch(job: Job, unasked: StepRecord): BelfryError {
  return mismatch(job, `its history has ${describe(unasked)}, but the code returned without asking for it`);
}

function mismatch(job: Job, found: string): BelfryError {
  return new BelfryError(
    "REPLAY_MISMATCH",
    `Cannot go on with job ${job.id} of task ${JSON.stringify(job.task)}: ${found}; ` +
      "bring the code in line with the history (ctx.patched, or a new version of the task), then retry the job",
  );
}

function describe({ name, kind }: { name: string; kind: StepKind }): string {
  return `${JSON.stringify(name)} (${kind})`;
}
