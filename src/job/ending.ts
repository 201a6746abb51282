/**
 * How a job ends: the states that are final, and the error that stands for a bad end.
 */
import { BelfryError } from "../base/error.ts";
import type { JobState } from "../storage/port.ts";
import { type Failure, fromFailure, parseFailure } from "../task/failure.ts";

/** Whether a job of this state is over. */
export function isOver(state: JobState): state is "completed" | "failed" | "cancelled" | "expired" {
  return state === "completed" || state === "failed" || state === "cancelled" || state === "expired";
}

/** The error that stands for a job's bad end, with the job's own as its cause. */
export function endingError(id: string, state: JobState, error: string | null): BelfryError {
  const failure: Failure | null = error === null ? null : parseFailure(error);
  const code = state === "cancelled" ? "JOB_CANCELLED" : state === "expired" ? "JOB_EXPIRED" : "JOB_FAILED";
  const options = failure ? { cause: fromFailure(failure) } : undefined;
  return new BelfryError(code, `Job ${id} ${state}${failure ? `: ${failure.message}` : ""}`, options);
}
