/**
 * What records does the engine write into a job's history?
 *
 * A value that code has at once (`now`, `random`, `uuid`) is stored as plain JSON: codecs may be asynchronous, and these
 * calls are not.
 */
import type { ClaimedJob, StepRecord } from "../storage/port.ts";

/** Makes the record of a call that is not over: a wait, or a step that will be tried again. */
export function pendingStep(
  step: Pick<StepRecord, "jobId" | "name" | "kind" | "wakeAt" | "startedAt"> & Partial<StepRecord>,
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
    ...step,
  };
}

/** Makes the record of a value or a patch, which is over as soon as the code calls for it. */
export function valueStep(step: {
  job: ClaimedJob;
  name: string;
  kind: "value" | "patch";
  output: string | null;
  now: number;
}): Omit<StepRecord, "seq"> {
  const { job, name, kind, output, now } = step;
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
