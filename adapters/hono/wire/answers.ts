/**
 * What do the routes give? A schema for every answer, for `openapi.json` alone: answers are not checked when they are
 * sent, but the compiler holds each schema to its type in `wire.ts`, and the contract test holds real answers to it.
 */
import * as v from "valibot";
import type { Problem } from "../problem.ts";
import { count, type Field, flag, instant, json, nullable, oneOf, optional, whole } from "./fields.ts";
import type * as wire from "./mod.ts";
import { named } from "./schemas.ts";

const word = v.string();
const maybeWord = nullable(word);
const maybeInstant = nullable(instant);
const words: Field<string[]> = v.array(word);

/** A page of some items. */
export function pageOf<T>(title: string, item: Field<T>): Field<wire.Page<T>> {
  return named(title, v.object({ items: v.array(item), next: maybeWord }));
}

/** Every refusal. */
export const problem: Field<Problem> = named(
  "Problem",
  v.object({
    type: v.literal("about:blank"),
    title: word,
    status: v.picklist([400, 401, 403, 404, 405, 409, 413, 415, 429, 500, 503]),
    code: word as Field<string> as Field<Problem["code"]>,
    detail: word,
    issues: optional(v.array(v.object({ path: word, message: word }))),
    expression: optional(word),
    field: optional(word),
    column: optional(count),
  }),
);

/** `/tick` */
export const tick: Field<wire.TickAnswer> = named(
  "Tick",
  v.object({
    leader: flag,
    fired: count,
    skipped: count,
    ran: count,
    more: flag,
    nextAt: maybeInstant,
    jobsAt: maybeInstant,
    skewMs: whole(),
  }),
);

// ---------------------------------------------------------------- jobs

const rate = v.object({ count: whole(1), perMs: whole(1) });
const retryPolicy = named(
  "RetryPolicy",
  v.object({
    maxAttempts: whole(1),
    backoff: oneOf("exponential", "linear", "constant"),
    initialMs: count,
    factor: v.number(),
    maxMs: count,
    jitter: oneOf("full", "none"),
  }),
);
const jobOptions = named(
  "JobOptions",
  v.object({
    retry: optional(retryPolicy),
    timeoutMs: optional(count),
    version: optional(word),
    tags: optional(words),
    traceparent: optional(word),
  }),
);
/** A stored error. Its cause has the same form, which is not said again. */
const failure: Field<NonNullable<wire.JobAnswer["error"]>> = named(
  "Failure",
  v.object({
    name: word,
    message: word,
    code: optional(word),
    stack: optional(word),
    cause: optional(json as Field<NonNullable<wire.JobAnswer["error"]>>),
    details: optional(v.record(word, v.union([word, v.number(), flag]))),
    step: optional(word),
  }),
);
const state = oneOf("ready", "running", "waiting", "completed", "failed", "cancelled", "expired");

const jobEntries = {
  id: word,
  task: word,
  queue: word,
  state,
  priority: whole(),
  availableAt: maybeInstant,
  expiresAt: maybeInstant,
  key: maybeWord,
  schedule: maybeWord,
  scheduledAt: maybeInstant,
  parentId: maybeWord,
  limitKey: maybeWord,
  held: flag,
  attempt: count,
  claims: count,
  worker: maybeWord,
  claimExpiresAt: maybeInstant,
  options: jobOptions,
  error: nullable(failure),
  createdAt: instant,
  startedAt: maybeInstant,
  finishedAt: maybeInstant,
};
const step: Field<wire.StepAnswer> = named(
  "StepRecord",
  v.object({
    name: word,
    kind: oneOf("step", "sleep", "wait", "invoke", "spawn", "value", "patch"),
    state: oneOf("pending", "done", "failed"),
    tries: count,
    attempt: nullable(count),
    output: optional(json),
    error: nullable(failure),
    wakeAt: maybeInstant,
    childId: maybeWord,
    signalKey: maybeWord,
    startedAt: instant,
    finishedAt: maybeInstant,
  }),
);
const signal: Field<wire.SignalAnswer> = named(
  "SignalRecord",
  v.object({ name: word, key: word, value: optional(json), sentAt: instant }),
);

/** A job without its history. */
export const job: Field<wire.JobAnswer> = named("Job", v.object(jobEntries));
/** A job with its history. */
export const jobDetail: Field<wire.JobDetail> = named(
  "JobDetail",
  v.object({
    ...jobEntries,
    input: optional(json),
    output: optional(json),
    progress: optional(json),
    steps: v.array(step),
    signals: v.array(signal),
  }),
);
/** `POST /jobs` */
export const enqueued: Field<wire.EnqueueAnswer> = named("Enqueued", v.object({ id: word, created: flag }));
/** Ids that an order reached. */
export const ids: Field<wire.IdsAnswer> = named("Ids", v.object({ ids: words }));
/** `POST /jobs/:id/signals/:name` */
export const signalled: Field<wire.SignalOutcome> = named(
  "Signalled",
  v.object({ outcome: oneOf("accepted", "duplicate") }),
);

// ---------------------------------------------------------------- queues and the job protocol

/** A queue. */
export const queue: Field<wire.QueueAnswer> = named(
  "Queue",
  v.object({
    queue: word,
    ready: count,
    scheduled: count,
    held: count,
    running: count,
    waiting: count,
    failed: count,
    oldestReadyAt: maybeInstant,
    paused: flag,
    concurrency: nullable(whole(1)),
    rate: nullable(rate),
  }),
);

/** `POST /queues/:queue/claim` */
export const claimed: Field<wire.ClaimAnswer> = named(
  "Claimed",
  v.object({
    token: word,
    jobs: v.array(
      named(
        "ClaimedJob",
        v.object({
          id: word,
          task: word,
          queue: word,
          attempt: count,
          fence: count,
          priority: whole(),
          schedule: maybeWord,
          scheduledAt: maybeInstant,
          createdAt: instant,
          key: maybeWord,
          parentId: maybeWord,
          options: jobOptions,
          input: optional(json),
          steps: v.array(step),
          signals: v.array(signal),
          wakes: count,
          claimExpiresAt: instant,
        }),
      ),
    ),
    nextAt: maybeInstant,
  }),
);
/** `POST /jobs/:id/renew` */
export const renewed: Field<wire.RenewAnswer> = named("Renewed", v.object({ claimExpiresAt: instant }));
/** `POST /jobs/:id/steps` and `settle` */
export const settled: Field<wire.SettleAnswer> = named(
  "Settled",
  v.object({ state, wakes: count, availableAt: maybeInstant }),
);

// ---------------------------------------------------------------- schedules

const definition: Field<wire.DefinitionAnswer> = named(
  "Definition",
  v.object({
    expression: word,
    timeZone: word,
    days: oneOf("or", "and"),
    dst: oneOf("once", "vixie"),
    startAt: maybeInstant,
    endAt: maybeInstant,
    exclude: words,
    maxFires: nullable(whole(1)),
    task: word,
    queue: word,
    priority: whole(),
    input: optional(json),
    catchUp: v.union([oneOf("all", "latest", "none"), v.object({ withinMs: optional(count), max: optional(count) })]),
    expiresInMs: nullable(count),
    overlap: oneOf("allow", "skip", "queue", "cancel"),
    jitterMs: count,
    retry: nullable(retryPolicy),
    timeoutMs: nullable(count),
    rate: nullable(rate),
    tags: words,
    pauseAfterFailures: nullable(whole(1)),
    paused: flag,
  }),
);
/** A schedule. */
export const schedule: Field<wire.ScheduleAnswer> = named(
  "ScheduleRecord",
  v.object({
    name: word,
    state: oneOf("active", "paused", "ended", "broken"),
    nextAt: maybeInstant,
    lastAt: maybeInstant,
    fired: count,
    skips: count,
    failures: count,
    note: maybeWord,
    owner: maybeWord,
    revision: count,
    createdAt: instant,
    updatedAt: instant,
    definition: nullable(definition),
  }),
);
/** `PUT` and `PATCH /schedules/:name` */
export const registered: Field<wire.RegisteredAnswer> = named(
  "Registered",
  v.object({ status: oneOf("created", "updated", "unchanged"), warnings: words, schedule }),
);
/** `DELETE /schedules/:name` */
export const removed: Field<wire.RemovedAnswer> = named("Removed", v.object({ removed: flag }));
/** `POST /schedules/:name/trigger` */
export const triggered: Field<wire.TriggerAnswer> = named("Triggered", v.object({ jobId: maybeWord, at: instant }));
const reason = oneOf("overlap", "paused", "expired", "catch-up", "ended", "excluded");
/** An outcome. */
export const occurrence: Field<wire.OccurrenceAnswer> = named(
  "Occurrence",
  v.object({
    schedule: word,
    at: instant,
    untilAt: instant,
    count: whole(1),
    jobId: maybeWord,
    reason: nullable(reason),
    recordedAt: instant,
  }),
);
/** A list of them. */
export const occurrences: Field<wire.OccurrencesAnswer> = named(
  "Occurrences",
  v.object({ items: v.array(occurrence) }),
);
/** `GET /schedules/:name/preview` */
export const preview: Field<wire.PreviewAnswer> = named(
  "Preview",
  v.object({ items: v.array(v.object({ at: instant, local: word, availableAt: instant, excluded: flag })) }),
);
/** `POST /schedules/:name/backfill` */
export const backfilled: Field<wire.BackfillAnswer> = named(
  "Backfilled",
  v.object({ enqueued: count, existing: count, excluded: count }),
);
/** `GET /schedules/:name/explain` */
export const explained: Field<wire.ExplainAnswer> = named(
  "Explained",
  v.object({
    schedule: word,
    at: instant,
    outcome: oneOf("fired", "skipped", "pending", "upcoming", "none", "unknown"),
    reason: nullable(reason),
    text: word,
    previousAt: maybeInstant,
    nextAt: maybeInstant,
    record: nullable(occurrence),
    job: nullable(v.object({ id: word, state, attempt: count, startedAt: maybeInstant, finishedAt: maybeInstant })),
  }),
);
const lease = v.object({ holder: word, token: count, expiresAt: instant });
/** `GET /health` */
export const health: Field<wire.HealthAnswer> = named(
  "Health",
  v.object({
    ok: flag,
    problems: optional(
      v.array(
        v.object({
          code: oneOf("no-ticker", "lagging", "broken", "failing", "stopped", "ahead", "clock"),
          schedule: maybeWord,
          message: word,
        }),
      ),
    ),
    schedules: optional(v.object({ active: count, paused: count, ended: count, broken: count })),
    nextAt: optional(maybeInstant),
    lagMs: optional(count),
    lease: optional(nullable(lease)),
    skewMs: optional(whole()),
  }),
);
/** `PATCH /queues/:queue` */
export const queueSettings: Field<wire.QueueSettings> = named(
  "QueueRecord",
  v.object({ name: word, paused: flag, concurrency: nullable(whole(1)), rate: nullable(rate) }),
);
