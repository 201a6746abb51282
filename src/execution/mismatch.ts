/**
 * When does a history not fit the code? Then the job fails with REPLAY_MISMATCH, which names both.
 *
 * - At once, when the code makes a call of another kind than the record of its name, or returns while records are left
 *   whose calls it never made.
 * - After a grace, when the call of the next record is not made while other calls are open: code may await something of
 *   its own between two durable calls, but its result must not depend on how long that takes.
 * - Not when the handler *throws* with such records left: what stands between steps may fail, no wrong value has come of
 *   it, and the next attempt replays as ever. That is an ordinary failure.
 *
 * A mismatch fails the job without further attempts, since they would all end alike, and leaves its history as it is:
 * mend the code, and `retry(id)` goes on from there.
 */
import { BelfryError } from "../base/error.ts";
import { shownName } from "../job/step_name.ts";
import type { StepKind, StepRecord } from "../storage/port.ts";
import type { DurableCall } from "./durable_call.ts";

/** How long (ms) the call of the next record may not be made while other calls are open. */
export const GRACE_MS = 2_000;

type Job = { id: string; task: string };

/** Makes the error for a call of another kind than its record. */
export function kindMismatch(job: Job, record: StepRecord, called: StepKind): BelfryError {
  return mismatch(
    job,
    `its history has ${describe(record)} where the code calls ${describe({ ...record, kind: called })}`,
  );
}

/** Makes the error for code that makes other calls than that of the record which comes next. */
export function orderMismatch(job: Job, next: StepRecord, { name, spec }: DurableCall): BelfryError {
  return mismatch(
    job,
    `its history goes on with ${describe(next)}, but the code calls ${describe({ name, kind: spec.kind })}`,
  );
}

/** Makes the error for code that returned without making the call of a record. */
export function returnMismatch(job: Job, uncalled: StepRecord): BelfryError {
  return mismatch(job, `its history has ${describe(uncalled)}, but the code returned without calling it`);
}

function mismatch(job: Job, found: string): BelfryError {
  return new BelfryError(
    "REPLAY_MISMATCH",
    `Cannot go on with job ${job.id} of task ${JSON.stringify(job.task)}: ${found}; ` +
      "bring the code in line with the history (ctx.patched, or a new version of the task), then retry the job",
  );
}

function describe({ name, kind }: { name: string; kind: StepKind }): string {
  return `${JSON.stringify(shownName(name))} (${kind})`;
}
