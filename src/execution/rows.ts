/**
 * Rows of a job's history, as the engine writes them.
 *
 * Of a `step` or a `sleep` that is over, `ref` keeps the attempt in which it was: see `attempts.ts`. Of a value that code
 * has at once (`now`, `random`, `uuid`) it keeps the value as JSON, since codecs may be asynchronous and those are not.
 */
import type { StepKind, StepRecord } from "../storage/port.ts";

/** A row that is not over: a wait, or a step whose failed try will be repeated. */
export function pendingRow(
  row: Pick<StepRecord, "jobId" | "name" | "kind" | "wakeAt" | "startedAt"> & Partial<StepRecord>,
): StepRecord {
  return {
    state: "pending",
    seq: null,
    attempt: 0,
    output: null,
    error: null,
    ref: null,
    finishedAt: null,
    ...row,
  };
}

/** A value or a patch: over as soon as it is asked for. */
export function valueRow(row: {
  jobId: string;
  name: string;
  kind: StepKind;
  ref: string | null;
  now: number;
}): Omit<StepRecord, "seq"> {
  const { now, ...rest } = row;
  return {
    ...rest,
    state: "done",
    attempt: 0,
    output: null,
    error: null,
    wakeAt: null,
    startedAt: now,
    finishedAt: now,
  };
}
