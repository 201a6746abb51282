/**
 * Errors as `application/problem+json` (RFC 9457) with a stable `code`.
 *
 * The library's error codes are passed on, each with one HTTP status (`STATUS_OF`); a few more codes belong to HTTP alone.
 * The code is API, `detail` is for people. Errors of the server (5xx) are reported to `onError`, and the response does not
 * have their message, since messages of databases name paths and tables. Stacks are never sent.
 */
import { BelfryError, CronSyntaxError } from "../../src/base/error.ts";
import type { Problem, ProblemCode, ProblemIssue } from "./wire/types/common.ts";

/** Codes of refusals that only HTTP has; the library's own are in `ERROR_CODES`. */
export const HTTP_CODES = [
  "UNAUTHORIZED",
  "FORBIDDEN",
  "NOT_FOUND",
  "METHOD_NOT_ALLOWED",
  "REQUEST_INVALID",
  "MEDIA_TYPE",
  "BODY_TOO_LARGE",
  "SIGNATURE_REPLAYED",
  "TOO_MANY_STREAMS",
  "INTERNAL",
] as const;

/** A code of a refusal that only HTTP has. */
export type HttpCode = (typeof HTTP_CODES)[number];

/** Statuses that problems have. */
export const PROBLEM_STATUSES = [400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503] as const;

/** A status that problems have. */
export type ProblemStatus = (typeof PROBLEM_STATUSES)[number];

const TITLES: Record<ProblemStatus, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

/** The status of each code; a code that is not listed is an error of the server: 500. */
const STATUS_OF: Partial<Record<ProblemCode, ProblemStatus>> = {
  REQUEST_INVALID: 400,
  CRON_SYNTAX: 400,
  CRON_NEVER: 400,
  ZONE_UNKNOWN: 400,
  DURATION_INVALID: 400,
  OPTION_INVALID: 400,
  NAME_INVALID: 400,
  INPUT_INVALID: 400,
  PAYLOAD_UNSERIALIZABLE: 400,
  UNAUTHORIZED: 401,
  SIGNATURE_REPLAYED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  TASK_UNKNOWN: 404,
  SCHEDULE_UNKNOWN: 404,
  JOB_UNKNOWN: 404,
  QUEUE_UNKNOWN: 404,
  METHOD_NOT_ALLOWED: 405,
  JOB_STATE: 409,
  CLAIM_LOST: 409,
  SCHEDULE_BROKEN: 409,
  BODY_TOO_LARGE: 413,
  PAYLOAD_TOO_LARGE: 413,
  SAVE_REFUSED: 413,
  MEDIA_TYPE: 415,
  TOO_MANY_STREAMS: 429,
  STORAGE_UNAVAILABLE: 503,
  STORAGE_BUSY: 503,
  STORAGE_UNUSABLE: 503,
  CLOSED: 503,
};

/** The status of a code. */
function statusOf(code: ProblemCode): ProblemStatus {
  return STATUS_OF[code] ?? 500;
}

/** A refused request: thrown where it is noticed, answered as a problem. */
export class Refusal extends Error {
  readonly code: HttpCode;
  readonly issues: ProblemIssue[] | undefined;
  readonly headers: Record<string, string>;

  /**
   * @param code stable name of what is wrong
   * @param detail what was attempted, what is wrong, what to do
   * @param more `issues`: the parts that did not fit; `headers`: further headers of the response
   */
  constructor(
    code: HttpCode,
    detail: string,
    more: { issues?: ProblemIssue[]; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.name = "Refusal";
    this.code = code;
    this.issues = more.issues;
    this.headers = more.headers ?? {};
  }
}

/**
 * Makes the answer to an error.
 *
 * @param report told of errors that are not the caller's fault
 */
export function problemOf(error: unknown, report: (error: unknown) => void): Response {
  if (error instanceof Refusal) {
    return answer(error.code, error.message, error.issues ? { issues: error.issues } : {}, error.headers);
  }
  if (error instanceof BelfryError) {
    const status = statusOf(error.code);
    if (status < 500) {
      const { expression, field, column } = error as Partial<CronSyntaxError>;
      const place = error instanceof CronSyntaxError ? { expression: expression!, field: field!, column: column! } : {};
      return answer(error.code, error.message, place);
    }
    report(error);
    if (status === 503) {
      const detail =
        "The storage did not answer, or not in time; what was asked may or may not have happened. " +
        "Every call that names a key, a token or a signature can be sent again.";
      return answer(error.code, detail, {}, { "Retry-After": "1" });
    }
    return answer(error.code, "The server failed; its log says why.");
  }
  report(error);
  return answer("INTERNAL", "The server failed; its log says why.");
}

function answer(
  code: ProblemCode,
  detail: string,
  more: Partial<Problem> = {},
  headers: Record<string, string> = {},
): Response {
  const status = statusOf(code);
  const problem: Problem = { type: "about:blank", title: TITLES[status], status, code, detail, ...more };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { ...headers, "Content-Type": "application/problem+json", "Cache-Control": "no-store" },
  });
}
