/**
 * How an attempt that failed goes on: pure.
 *
 * - What can be tried again goes back to `ready` after its policy's delay; failed steps from which nothing followed are
 *   forgotten, so that the next attempt runs them again.
 * - Where the error is that of a step whose failure stays in the history (the code had caught it and gone on from it, or
 *   it is a child's, which has had its own attempts), another attempt would only replay it: the job fails, and its error
 *   names the step, to which `retry` goes back.
 */

import { formatDuration } from "../base/duration.ts";
import type { JobTransition } from "../storage/port.ts";
import { type Failure, toFailure } from "../task/failure.ts";
import { type RetryFunction, type RetryPolicy, retryDelayMs } from "../task/retry.ts";

/** What is known of the attempt. */
export interface FailedAttempt {
  error: unknown;
  /** Attempts since the last progress, this one included. */
  tries: number;
  policy: RetryPolicy | RetryFunction;
  random: () => number;
  now: number;
  /** The step in the kept history whose failure this is; undefined: none. */
  culprit: string | undefined;
}

/** Decides. A retry function that throws ends the job, with its own error as the reason. */
export function settleFailure(attempt: FailedAttempt): { transition: JobTransition; failure: Failure } {
  const { error, tries, policy, random, now, culprit } = attempt;
  let failure = toFailure(error);
  if (culprit !== undefined) failure = { ...failure, step: culprit };
  let delayMs: number | null = null;
  if (culprit === undefined) {
    try {
      delayMs = retryDelayMs(policy, { attempt: tries, error }, random);
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

/** Finds, in an error and what it was made of, one that satisfies; cycles are walked once. */
export function findInCauses<T>(error: unknown, find: (error: object) => T | undefined): T | undefined {
  const seen = new Set<unknown>();
  const visit = (candidate: unknown): T | undefined => {
    if (typeof candidate !== "object" || candidate === null || seen.has(candidate)) return undefined;
    seen.add(candidate);
    const found = find(candidate);
    if (found !== undefined) return found;
    const { cause, errors } = candidate as { cause?: unknown; errors?: unknown };
    for (const inner of [cause, ...(Array.isArray(errors) ? errors : [])]) {
      const below = visit(inner);
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return visit(error);
}

/** Text of the time limit in errors. */
export function timeoutText(id: string, timeoutMs: number): string {
  return `Job ${id} took longer than its timeout of ${formatDuration(timeoutMs)}`;
}
