/**
 * What the bodies of several subjects share: parts of paths, pages, rates, errors.
 */
import * as v from "valibot";
import { ERROR_CODES } from "../../../src/base/error.ts";
import { BACKOFFS } from "../../../src/task/retry.ts";
import { HTTP_CODES, PROBLEM_STATUSES } from "../problem.ts";
import {
  all,
  count,
  duration,
  type Field,
  flag,
  name,
  named,
  nullable,
  number,
  type OptionalField,
  oneOf,
  optional,
  text,
  whole,
  wholeText,
  word,
} from "./fields.ts";
import type * as wire from "./types/common.ts";

/** `/schedules/:name/...` */
export const namePath: Field<{ name: string }> = v.object({ name });
/** `/jobs/:id/...` */
export const idPath: Field<{ id: string }> = v.object({ id: name });
/** `/jobs/:id/signals/:name` */
export const signalPath: Field<{ id: string; name: string }> = v.object({ id: name, name });
/** `/queues/:queue/...` */
export const queuePath: Field<{ queue: string }> = v.object({ queue: name });

const MAX_PAGE = 200;

/** Which page of a list. */
export const pageEntries: { limit: OptionalField<number>; cursor: OptionalField<string> } = {
  limit: optional(wholeText(1, MAX_PAGE), "How many at most, 1 to 200; 50 by default."),
  cursor: optional(text(1_000, 1), "`next` of the page before."),
};

/** The end of a page. */
export const next: Field<string | null> = nullable(word);

/** A body without properties. */
export const emptyBody: Field<wire.EmptyBody> = named("EmptyBody", "An empty object.", v.strictObject({}));

/** A rate as it is written. */
export const rateBody: Field<wire.Rate> = named(
  "Rate",
  "At most so many in any window of time.",
  v.strictObject({ count: whole(1), per: duration }),
);

/** A rate as it is stored. */
export const rate: Field<wire.StoredRate> = named(
  "StoredRate",
  "At most `count` in any `perMs` milliseconds.",
  v.strictObject({ count: whole(1), perMs: whole(1) }),
);

const JITTERS = ["full", "none"] as const;

/** A retry policy as it is written. */
export const retryBody: Field<wire.Retry> = named(
  "Retry",
  "When a failed attempt is made again: options, a number of attempts, or `false` for a single one.",
  v.union([
    v.strictObject({
      maxAttempts: optional(whole(1)),
      backoff: optional(oneOf(BACKOFFS)),
      initial: optional(duration, "Delay after the first attempt."),
      factor: optional(number, "What an exponential delay is multiplied by."),
      max: optional(duration, "No delay is longer."),
      jitter: optional(oneOf(JITTERS)),
    }),
    whole(1),
    v.literal(false),
  ]),
);

/** A retry policy as it is stored. */
export const retryPolicy: Field<wire.RetryPolicy> = named(
  "RetryPolicy",
  "A retry policy as it is stored.",
  v.strictObject({
    maxAttempts: whole(1),
    backoff: oneOf(BACKOFFS),
    initialMs: count,
    factor: number,
    maxMs: count,
    jitter: oneOf(JITTERS),
  }),
);

/** A stored error. */
export const failure: Field<wire.Failure> = named(
  "Failure",
  "An error as it is stored.",
  v.strictObject({
    name: word,
    message: word,
    code: optional(word, "The error's own code."),
    stack: optional(word),
    cause: optional(v.lazy(() => failure) as Field<wire.Failure>),
    details: optional(v.record(v.string(), v.union([word, number, flag])), "Its other plain properties."),
    fatal: optional(v.literal(true) as Field<true>, "Trying again cannot help."),
    step: optional(word, "The recorded step whose failure ended the job."),
  }),
);

/** All codes of problems. */
const problemCode: Field<wire.ProblemCode> = named(
  "ProblemCode",
  "Stable code of a refusal.",
  oneOf([...ERROR_CODES, ...HTTP_CODES]),
);

/** Every refusal. */
export const problem: Field<wire.Problem> = named(
  "Problem",
  "Why a request was refused (RFC 9457).",
  v.strictObject({
    type: v.literal("about:blank"),
    title: word,
    status: v.picklist(PROBLEM_STATUSES),
    code: problemCode,
    detail: word,
    issues: optional(
      all(
        named(
          "ProblemIssue",
          "A part of the request that does not fit.",
          v.strictObject({ path: word, message: word }),
        ),
      ),
    ),
    expression: optional(word, "The expression that cannot be read (`CRON_SYNTAX`)."),
    field: optional(word, "The field of it that is wrong."),
    column: optional(count, "Where in it."),
  }),
);
