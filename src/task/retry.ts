/**
 * When is a failed attempt of a job, or a failed try of a step, made again? Policies as plain data, and the delay they give.
 * Pure.
 *
 * The default is five attempts with exponential delays and full jitter (the delay is drawn evenly from zero up to 1 s,
 * 3 s, 9 s, 27 s): full jitter spreads the herd that one outage makes, see "Exponential Backoff And Jitter" (AWS
 * Architecture Blog, 2015). A policy that is data is stored with the job, so a policy given to a schedule or to `enqueue`
 * holds on every worker; a function exists only beside the task's code.
 *
 * What counts against the `maxAttempts` of a job: every attempt that ended with an error, and every one whose worker died
 * unless it had finished a new step; see `execution/attempts.ts`.
 */
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { type Checks, checkOptions, duration, oneOf, unfit, whole } from "../base/options.ts";

/** All ways in which delays grow. */
export const BACKOFFS = ["exponential", "linear", "constant"] as const;

/** How delays grow. */
export type Backoff = (typeof BACKOFFS)[number];

/** A retry policy as it is stored. */
export interface RetryPolicy {
  /** How many attempts (of a step: tries) there are in all, 1 or more. */
  maxAttempts: number;
  backoff: Backoff;
  /** Delay after the first failure, in ms. */
  initialMs: number;
  /** What an exponential delay is multiplied by after each further failure. */
  factor: number;
  /** No delay is longer, in ms. */
  maxMs: number;
  /** `full`: drawn evenly from zero to the delay; `none`: the delay itself. */
  jitter: "full" | "none";
}

/** A retry policy as users write it; what is left out is {@link DEFAULT_RETRY}'s. */
export interface RetryOptions {
  maxAttempts?: number;
  backoff?: Backoff;
  initial?: Duration;
  factor?: number;
  max?: Duration;
  jitter?: "full" | "none";
}

/** What a retry function gets: which attempt (of a step: try) failed, 1-based, and its error. */
export interface FailedTry {
  attempt: number;
  error: unknown;
}

/** Decides in code: returns the delay until the next attempt or try, or null for no more. */
export type RetryFunction = (failed: FailedTry) => Duration | null;

/** A policy that can be stored: options, a number of attempts, or `false` for one attempt. */
export type StorableRetry = RetryOptions | number | false;

/** Any policy. */
export type Retry = StorableRetry | RetryFunction;

/** Five attempts; delays up to 1 s, 3 s, 9 s, 27 s (never above 10 min), drawn with full jitter. */
export const DEFAULT_RETRY: RetryPolicy = {
  maxAttempts: 5,
  backoff: "exponential",
  initialMs: 1_000,
  factor: 3,
  maxMs: 600_000,
  jitter: "full",
};

/** One attempt and no more. */
const NO_RETRY: RetryPolicy = { ...DEFAULT_RETRY, maxAttempts: 1 };

const RETRY_CHECKS: Checks<RetryOptions> = {
  maxAttempts: whole(1, 1_000_000),
  backoff: oneOf(BACKOFFS),
  initial: duration(),
  factor: (value, name, of) => {
    if (!Number.isFinite(value) || (value as number) < 1) throw unfit(value, name, of, "a number, 1 or more");
  },
  max: duration(),
  jitter: oneOf(["full", "none"]),
};

/** An error after which trying again cannot help: the job (or step) fails at once. */
export class FatalError extends Error {
  /**
   * @param message what is wrong
   * @param options `cause`: the error behind this one
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FatalError";
  }
}

/** An error that sets the delay until the next attempt or try, in place of the policy's; the number of attempts stays. */
export class RetryLater extends Error {
  /** The delay, in ms. */
  readonly delayMs: number;

  /**
   * @param delay how long to wait: `"5m"` or ms
   * @param message why
   * @param options `cause`: the error behind this one
   * @throws BelfryError `DURATION_INVALID`
   */
  constructor(delay: Duration, message = "to be tried again later", options?: ErrorOptions) {
    super(message, options);
    this.name = "RetryLater";
    this.delayMs = parseDuration(delay, "RetryLater");
  }
}

/**
 * Checks a policy that can be stored.
 *
 * @param what whose it is, for the error: `task "report"`
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export function parseRetry(retry: StorableRetry, what: string): RetryPolicy {
  if (retry === false) return NO_RETRY;
  const options: RetryOptions = typeof retry === "number" ? { maxAttempts: retry } : retry;
  if (typeof options !== "object" || options === null) {
    throw unfit(retry, "retry", what, "options, a number of attempts, or false for no retry");
  }
  checkOptions(options, `the retry of ${what}`, RETRY_CHECKS);
  const {
    maxAttempts = DEFAULT_RETRY.maxAttempts,
    backoff = DEFAULT_RETRY.backoff,
    jitter = DEFAULT_RETRY.jitter,
    factor = DEFAULT_RETRY.factor,
  } = options;
  return {
    maxAttempts,
    backoff,
    initialMs:
      options.initial === undefined ? DEFAULT_RETRY.initialMs : parseDuration(options.initial, "retry.initial"),
    factor,
    maxMs: options.max === undefined ? DEFAULT_RETRY.maxMs : parseDuration(options.max, "retry.max"),
    jitter,
  };
}

/** Checks any policy; a function is taken as it is. */
export function readRetry(retry: Retry, what: string): RetryPolicy | RetryFunction {
  return typeof retry === "function" ? retry : parseRetry(retry, what);
}

/** A retry function is not called for a worker that died, so its jobs, too, end after this many attempts. */
const MAX_FUNCTION_ATTEMPTS = 100;

/** Tells how many attempts a policy allows at most. */
export function maxAttempts(policy: RetryPolicy | RetryFunction): number {
  return typeof policy === "function" ? MAX_FUNCTION_ATTEMPTS : policy.maxAttempts;
}

/**
 * Computes the delay until the next attempt or try.
 *
 * @param failed the attempt or try that failed, and its error
 * @param random draws evenly from [0, 1)
 * @returns ms; null: there is no other attempt
 * @throws whatever a retry function throws; BelfryError `DURATION_INVALID` for the delay it returned
 */
export function retryDelayMs(
  policy: RetryPolicy | RetryFunction,
  failed: FailedTry,
  random: () => number,
): number | null {
  const { attempt, error } = failed;
  if (isFatal(error) || attempt >= maxAttempts(policy)) return null;
  if (typeof policy === "function") {
    const delay = error instanceof RetryLater ? error.delayMs : policy(failed);
    return delay === null ? null : parseDuration(delay, "the delay that a retry function returned");
  }
  if (error instanceof RetryLater) return error.delayMs;
  const { backoff, initialMs, factor, maxMs, jitter } = policy;
  const grown =
    backoff === "exponential"
      ? initialMs * factor ** (attempt - 1)
      : backoff === "linear"
        ? initialMs * attempt
        : initialMs;
  const delayMs = Math.min(grown, maxMs);
  return Math.round(jitter === "full" ? delayMs * random() : delayMs);
}

/** Codes of Belfry's errors after which another attempt would end in the same way. */
const FATAL_CODES = new Set<string>([
  "REPLAY_MISMATCH",
  "INPUT_INVALID",
  "PAYLOAD_UNSERIALIZABLE",
  "PAYLOAD_TOO_LARGE",
  "NAME_INVALID",
  "OPTION_INVALID",
  "DURATION_INVALID",
  "TASK_UNKNOWN",
]);

/** Tells whether trying again cannot help. */
function isFatal(error: unknown): boolean {
  return error instanceof FatalError || (error instanceof BelfryError && FATAL_CODES.has(error.code));
}
