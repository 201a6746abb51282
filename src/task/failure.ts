/**
 * How are errors stored? As JSON, and back.
 *
 * A failed step is delivered to the code in the form it has after this round trip, the first time too, so that replay
 * gives the code exactly what it got before: name, message, code, stack, cause and plain details survive; the class does
 * not, except for Belfry's own. The sizes of stacks, messages and causes are bounded.
 */
import { BelfryError, type ErrorCode } from "../base/error.ts";
import { FatalError, RetryLater } from "./retry.ts";

/** An error as it is stored. */
export interface Failure {
  name: string;
  message: string;
  /** The error's own `code`, Belfry's or another's. */
  code?: string;
  stack?: string;
  cause?: Failure;
  /** Its other own properties that are text, numbers or booleans. */
  details?: Record<string, string | number | boolean>;
  /** Trying again cannot help: a subclass of `FatalError` was thrown. */
  fatal?: true;
  /** Name of the recorded call whose failure ended the job; `retry` goes back to it. */
  step?: string;
}

const MAX_STACK_LENGTH = 4_000;
const MAX_MESSAGE_LENGTH = 8_000;
const MAX_CAUSES = 5;
const MAX_DETAILS = 16;
const KNOWN = new Set(["name", "message", "stack", "cause", "code", "errors"]);

/** Converts anything that was thrown. Never throws. */
export function toFailure(thrown: unknown, depth = 0): Failure {
  if (!(thrown instanceof Error)) return { name: "Error", message: `a non-error was thrown: ${describe(thrown)}` };
  const failure: Failure = {
    name: String(thrown.name || "Error"),
    message: cut(String(thrown.message), MAX_MESSAGE_LENGTH),
  };
  if (thrown instanceof FatalError && thrown.name !== "FatalError") failure.fatal = true;
  const { code } = thrown as { code?: unknown };
  if (typeof code === "string" || typeof code === "number") failure.code = String(code);
  if (typeof thrown.stack === "string") failure.stack = cut(thrown.stack, MAX_STACK_LENGTH);
  // The first of an AggregateError stands for its cause where it has none of its own.
  const cause = thrown.cause ?? (thrown as { errors?: unknown[] }).errors?.[0];
  if (cause !== undefined && depth < MAX_CAUSES) failure.cause = toFailure(cause, depth + 1);
  let count = 0;
  for (const key of Object.keys(thrown)) {
    if (KNOWN.has(key)) continue;
    const value = (thrown as unknown as Record<string, unknown>)[key];
    if (
      typeof value !== "string" &&
      typeof value !== "boolean" &&
      !(typeof value === "number" && Number.isFinite(value))
    )
      continue;
    failure.details ??= {};
    failure.details[key] = typeof value === "string" ? cut(value, 500) : value;
    if (++count === MAX_DETAILS) break;
  }
  return failure;
}

/** Makes an error from what was stored. */
export function fromFailure(failure: Failure): Error {
  const options = failure.cause ? { cause: fromFailure(failure.cause) } : undefined;
  const error = build(failure, options);
  if (failure.stack !== undefined) defineHidden(error, "stack", failure.stack);
  return error;
}

function build(failure: Failure, options: ErrorOptions | undefined): Error {
  if (failure.name === "BelfryError" && failure.code !== undefined) {
    return Object.assign(new BelfryError(failure.code as ErrorCode, failure.message, options), failure.details);
  }
  if (failure.name === "RetryLater") {
    const delayMs = failure.details?.["delayMs"];
    return new RetryLater(typeof delayMs === "number" ? delayMs : 0, failure.message, options);
  }
  const fatal = failure.fatal || failure.name === "FatalError";
  const error = fatal ? new FatalError(failure.message, options) : new Error(failure.message, options);
  defineHidden(error, "name", failure.name);
  return Object.assign(error, failure.code === undefined ? {} : { code: failure.code }, failure.details);
}

/** Reads a stored error; text of another form becomes its message. */
export function parseFailure(json: string): Failure {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null) {
      const { name = "Error", message = "" } = value as Partial<Failure>;
      return { ...value, name: String(name), message: String(message) };
    }
  } catch {
    // Another program wrote it: its text is all there is.
  }
  return { name: "Error", message: json };
}

function defineHidden(target: object, key: string, value: string): void {
  Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: false });
}

function describe(value: unknown): string {
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}...`;
}
