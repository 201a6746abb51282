/**
 * What travels about jobs: what to enqueue, lists, one job with its history, signals.
 */
import * as v from "valibot";
import { JOB_STATES, STEP_KINDS, STEP_STATES } from "../../../src/storage/states.ts";
import { failure, next, pageEntries, rateBody, retryBody, retryPolicy } from "./common.ts";
import {
  all,
  count,
  doc,
  duration,
  type Field,
  flag,
  instant,
  json,
  list,
  maybeInstant,
  maybeWord,
  name,
  named,
  nullable,
  oneOf,
  optional,
  several,
  text,
  whole,
  word,
} from "./fields.ts";
import type * as wire from "./types/jobs.ts";

/** State of a job. */
export const jobState: Field<wire.JobState> = named("JobState", "State of a job.", oneOf(JOB_STATES));

/** Words to find a job or schedule by. */
export const tags: Field<string[]> = list(name, 32);

// ---------------------------------------------------------------- requests

const limit = named(
  "Limit",
  "A limit that all jobs of one key count against together.",
  v.strictObject({
    key: name,
    concurrency: optional(whole(1), "How many of them may be unfinished and admitted at once."),
    rate: optional(rateBody, "How many of them may become available in any window."),
  }),
);

/** `POST /jobs` */
export const enqueueBody: Field<wire.EnqueueBody> = named(
  "EnqueueBody",
  "A job to enqueue.",
  v.strictObject({
    task: doc(name, "Name of the task; the server need not know it."),
    input: optional(json),
    key: optional(name, "Idempotency key: while a job of this task with the same key is stored, it is given back."),
    delay: optional(duration, "How long from now until it may run."),
    runAt: optional(instant, "When it may run; not together with `delay`."),
    priority: optional(whole(), "Higher runs first; 0 by default."),
    queue: optional(name),
    expiresIn: optional(duration, "It is not begun later than this long after it became available."),
    retry: optional(retryBody),
    timeout: optional(duration, "How long one run may take."),
    limit: optional(limit),
    tags: optional(tags),
  }),
);
/** `GET /jobs` */
export const jobsQuery: Field<wire.JobsQuery> = named(
  "JobsQuery",
  "Which jobs to list.",
  v.strictObject({
    ...pageEntries,
    state: optional(several(jobState), "One or several."),
    queue: optional(name),
    task: optional(name),
    schedule: optional(name),
    parent: optional(name, "Only children of this job."),
    key: optional(name),
  }),
);
/** `POST /jobs/enqueue` */
export const enqueueManyBody: Field<wire.EnqueueManyBody> = named(
  "EnqueueManyBody",
  "Jobs to enqueue; all are checked before any is stored.",
  v.strictObject({ jobs: list(enqueueBody, 500) }),
);
const filter = named(
  "JobFilter",
  "Selects jobs; a job fits when all that is given fits.",
  v.strictObject({
    states: optional(list(jobState, JOB_STATES.length)),
    queue: optional(name),
    task: optional(name),
    schedule: optional(name),
    parentId: optional(name, "Only children of this job."),
    key: optional(name),
    limit: optional(whole(1, 10_000), "At most this many, the newest; 1,000 by default."),
  }),
);
const dryRun = optional(flag, "Only tell which jobs it would reach.");
/** `POST /jobs/retry` */
export const retryManyBody: Field<wire.RetryManyBody> = named(
  "RetryManyBody",
  "Which jobs to put back: failed ones by default, or cancelled and expired ones.",
  v.strictObject({ filter, dryRun }),
);
/** `POST /jobs/cancel` */
export const cancelManyBody: Field<wire.CancelManyBody> = named(
  "CancelManyBody",
  "Which unfinished jobs to cancel.",
  v.strictObject({ filter, dryRun, reason: optional(text(1_000)) }),
);
/** `POST /jobs/:id/cancel` */
export const cancelBody: Field<wire.CancelBody> = named(
  "CancelBody",
  "Why a job is cancelled.",
  v.strictObject({ reason: optional(text(1_000)) }),
);
/** `POST /jobs/:id/signals/:name` */
export const signalBody: Field<wire.SignalBody> = named(
  "SignalBody",
  "A signal's value.",
  v.strictObject({ value: optional(json), key: optional(name, "The same key is taken once.") }),
);

// ---------------------------------------------------------------- answers

/** Options that a job brings with it. */
export const jobOptions: Field<wire.JobOptions> = named(
  "JobOptions",
  "What a job brings with it; what is absent is as the task says.",
  v.strictObject({
    retry: optional(retryPolicy),
    timeoutMs: optional(count),
    version: optional(word, "Version of the task that it is for."),
    tags: optional(all(word)),
    traceparent: optional(word, "W3C trace context of the enqueuer."),
  }),
);
const jobEntries = {
  id: word,
  task: word,
  queue: word,
  state: jobState,
  priority: whole(),
  availableAt: doc(maybeInstant, "When it may be claimed next."),
  expiresAt: maybeInstant,
  key: maybeWord,
  schedule: maybeWord,
  scheduledAt: doc(maybeInstant, "The occurrence that it was made for."),
  parentId: doc(maybeWord, "The job that invoked it."),
  limitKey: maybeWord,
  held: doc(flag, "Ready, but held back by its limit."),
  attempt: doc(count, "Number of the attempt; 0 before the first."),
  claims: doc(count, "How often it was claimed; only grows."),
  worker: maybeWord,
  claimExpiresAt: maybeInstant,
  options: jobOptions,
  error: doc(nullable(failure), "The last error."),
  createdAt: instant,
  startedAt: doc(maybeInstant, "When it was first claimed."),
  finishedAt: maybeInstant,
};
/** A job without its history. */
const jobAnswer: Field<wire.JobAnswer> = named("JobAnswer", "A job without its history.", v.strictObject(jobEntries));
/** A page of jobs. */
export const jobPage: Field<wire.JobPage> = named(
  "JobPage",
  "A page of jobs; `next` is the cursor of the page after it, null on the last.",
  v.strictObject({ items: all(jobAnswer), next }),
);
/** A step of a job's history. */
export const stepAnswer: Field<wire.StepAnswer> = named(
  "StepAnswer",
  "One step of a job's history.",
  v.strictObject({
    name: word,
    kind: named("StepKind", "What the code asked for.", oneOf(STEP_KINDS)),
    state: oneOf(STEP_STATES),
    tries: doc(count, "How many tries are over."),
    attempt: doc(nullable(count), "The job's attempt in which it was over; null while it is not."),
    output: optional(json),
    error: nullable(failure),
    wakeAt: doc(maybeInstant, "While pending: when it is over or tried again."),
    childId: doc(maybeWord, "Id of the child job (`invoke`, `spawn`)."),
    signalKey: doc(maybeWord, "Key of the signal that ended a `wait`."),
    startedAt: instant,
    finishedAt: maybeInstant,
  }),
);
/** A signal that was sent to a job. */
export const signalAnswer: Field<wire.SignalAnswer> = named(
  "SignalAnswer",
  "A signal that was sent to a job.",
  v.strictObject({ name: word, key: word, value: optional(json), sentAt: instant }),
);
/** A job with its history. */
export const jobDetail: Field<wire.JobDetail> = named(
  "JobDetail",
  "A job with input, output and history.",
  v.strictObject({
    ...jobEntries,
    input: optional(json),
    output: optional(json, "What its handler returned; absent unless completed."),
    progress: optional(json),
    steps: all(stepAnswer),
    signals: all(signalAnswer),
  }),
);
/** `POST /jobs` */
export const enqueueAnswer: Field<wire.EnqueueAnswer> = named(
  "EnqueueAnswer",
  "The job that is stored.",
  v.strictObject({ id: word, created: doc(flag, "False when its key gave an earlier job back.") }),
);
/** `POST /jobs/enqueue` */
export const enqueueManyAnswer: Field<wire.EnqueueManyAnswer> = named(
  "EnqueueManyAnswer",
  "The jobs that are stored, in the order asked.",
  v.strictObject({ jobs: all(enqueueAnswer) }),
);
/** Ids that a request reached. */
export const idsAnswer: Field<wire.IdsAnswer> = named(
  "IdsAnswer",
  "Ids of the jobs that it reached.",
  v.strictObject({ ids: all(word) }),
);
/** `POST /jobs/:id/signals/:name` */
export const signalOutcome: Field<wire.SignalOutcome> = named(
  "SignalOutcome",
  "Whether a signal was new.",
  v.strictObject({ outcome: oneOf(["accepted", "duplicate"]) }),
);
