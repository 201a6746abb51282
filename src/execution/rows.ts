/**
 * Rows of a job's history, as the engine writes them.
 *
 * A value that code has at once (`now`, `random`, `uuid`) is stored as plain JSON: codecs may be asynchronous, and these
 * calls are not.
 */
import type { ClaimedJob, StepKind, StepRecord } from "../storage/port.ts";

/** A row that is not over: a wait, or a step whose failed try will be repeated. */
export function pendingRow(
  row: Pick<StepRecord, "jobId" | "name" | "kind" | "wakeAt" | "startedAt"> & Partial<StepRecord>,
): StepRecord {
  return {
    state: "pending",
    seq: null,
    tries: 0,
    attempt: null,
    output: null,
    error: null,
    childId: null,
    signalKey: null,
    finishedAt: null,
    ...row,
  };
}

/** A value or a patch: over as soon as it is asked for. */
export function valueRow(row: {
  job: ClaimedJob;
  name: string;
  kind: StepKind;
  output: string | null;
  now: number;
}): Omit<StepRecord, "seq"> {
  const { job, name, kind, output, now } = row;
  return {
    jobId: job.id,
    name,
    kind,
    state: "done",
    tries: 0,
    attempt: job.attempt,
    output,
    error: null,
    wakeAt: null,
    childId: null,
    signalKey: null,
    startedAt: now,
    finishedAt: now,
  };
}
