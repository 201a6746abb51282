/**
 * How does a job go on after a failed attempt? Pure.
 *
 * - Where another attempt may end otherwise, the job becomes `ready` after its policy's delay; failed steps from which
 *   nothing followed are forgotten, so that the next attempt runs them again.
 * - Where the error is that of a call whose failure stays in the history (the code had caught it and gone on from it, or it
 *   is a child's, which has had its own attempts), another attempt would only replay it: the job fails, and its error
 *   names the call, to which `retry` goes back.
 */
import type { JobTransition } from "../storage/port.ts";
import { type Failure, toFailure } from "../task/failure.ts";
import { type RetryFunction, type RetryPolicy, retryDelayMs } from "../task/retry.ts";

/** What is known of a failed attempt. */
export interface FailedAttempt {
  error: unknown;
  /** Attempts used, this one included. */
  used: number;
  policy: RetryPolicy | RetryFunction;
  /** Draws evenly from [0, 1). */
  random: () => number;
  now: number;
  /** Name of the call in the history whose failure this is, where it stays there; undefined: none. */
  keptFailure: string | undefined;
}

/** Decides. A retry function that throws ends the job, with its own error as the reason. */
export function afterFailedAttempt(attempt: FailedAttempt): { transition: JobTransition; failure: Failure } {
  const { error, used, policy, random, now, keptFailure } = attempt;
  let failure = toFailure(error);
  if (keptFailure !== undefined) failure = { ...failure, step: keptFailure };
  let delayMs: number | null = null;
  if (keptFailure === undefined) {
    try {
      delayMs = retryDelayMs(policy, { attempt: used, error }, random);
    } catch (thrown) {
      failure = { ...toFailure(thrown), cause: failure };
    }
  }
  const json = JSON.stringify(failure);
  const transition: JobTransition =
    delayMs === null
      ? { to: "failed", error: json }
      : { to: "ready", availableAt: now + delayMs, resuming: false, error: json };
  return { transition, failure };
}
