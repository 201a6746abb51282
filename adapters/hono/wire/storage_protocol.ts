/**
 * The storage protocol: requests and replies of the storage port over HTTP, for `remote()` of `belfry/client`. Batches
 * travel as they are, payloads as they are stored.
 *
 * A remote worker runs the engine's own worker on these calls. The server keeps what safety rests on: its own clock is
 * `now` in every batch and comes back as `time`, so a worker whose clock is wrong neither holds claims too long nor loses
 * them. What it may not do is left out: schedules, queues, purging, export.
 *
 * The port's types are the source here; a schema that takes or gives more or less than its type does not compile.
 */
import * as v from "valibot";
import type * as port from "../../../src/storage/port.ts";
import { JOB_STATES, STEP_KINDS, STEP_STATES } from "../../../src/storage/states.ts";
import {
  all,
  count,
  type Field,
  flag,
  instant,
  list,
  maybeInstant,
  maybeWord,
  name,
  named,
  nullable,
  oneOf,
  optional,
  text,
  whole,
  word,
} from "./fields.ts";

/** A request without its `now`, which is the server's; so is that of a piggybacked claim. */
export type Sent<T> = Omit<T, "now" | "claim"> &
  (T extends { claim?: port.ClaimRequest } ? { claim?: Sent<port.ClaimRequest> } : unknown);

/** Holds a schema to a type in both directions. */
function exactly<T>() {
  return <F extends Field<T>>(schema: F & (T extends v.InferOutput<F> ? unknown : never)): Field<T> => schema;
}

const MAX_ROWS = 500;
/** Payloads travel encoded; the body's limit bounds them all together. */
const payload: Field<string> = text(2_000_000);
const maybePayload = nullable(payload);
const maybeName = nullable(name);
const token = text(200, 1);
const claimMs = whole(1_000, 86_400_000);
const jobState = oneOf(JOB_STATES);

// ---------------------------------------------------------------- requests

const newJob = named(
  "StorageNewJob",
  "A job to insert.",
  exactly<port.NewJob>()(
    v.strictObject({
      id: name,
      task: name,
      queue: name,
      priority: whole(),
      availableAt: instant,
      expiresAt: maybeInstant,
      key: maybeName,
      input: payload,
      options: payload,
      schedule: maybeName,
      scheduledAt: maybeInstant,
      parentId: maybeName,
      limit: nullable(
        v.strictObject({
          key: name,
          concurrency: nullable(whole(1)),
          rate: nullable(v.strictObject({ count: whole(1), perMs: whole(1) })),
        }),
      ),
    }),
  ),
);
const step = named(
  "StorageStep",
  "A step as it is stored.",
  exactly<port.StepRecord>()(
    v.strictObject({
      jobId: name,
      name,
      kind: oneOf(STEP_KINDS),
      state: oneOf(STEP_STATES),
      seq: nullable(count),
      tries: count,
      attempt: nullable(count),
      output: maybePayload,
      error: maybePayload,
      wakeAt: maybeInstant,
      childId: maybeName,
      signalKey: maybeName,
      startedAt: instant,
      finishedAt: maybeInstant,
    }),
  ),
);
const transition = named(
  "StorageTransition",
  "How a running job goes on.",
  exactly<port.JobTransition>()(
    v.variant("to", [
      v.strictObject({ to: v.literal("completed"), result: payload }),
      v.strictObject({ to: v.picklist(["failed", "cancelled", "expired"]), error: payload }),
      v.strictObject({ to: v.literal("ready"), availableAt: instant, resuming: flag, error: maybePayload }),
      v.strictObject({ to: v.literal("waiting"), availableAt: maybeInstant, arrivals: count }),
    ]),
  ),
);

/** `POST /storage/claim` */
export const claim: Field<Sent<port.ClaimRequest>> = exactly<Sent<port.ClaimRequest>>()(
  v.strictObject({
    token,
    worker: name,
    queues: list(name, 200),
    tasks: nullable(list(name, 1_000)),
    limit: whole(1, MAX_ROWS),
    claimMs,
  }),
);
/** `POST /storage/renew` */
export const renew: Field<Sent<port.RenewRequest>> = exactly<Sent<port.RenewRequest>>()(
  v.strictObject({ claimMs, claims: list(v.strictObject({ id: name, token }), 10_000) }),
);
/** `POST /storage/save` */
export const save: Field<Sent<port.SaveRequest>> = exactly<Sent<port.SaveRequest>>()(
  v.strictObject({
    op: token,
    claimMs,
    writes: list(
      v.strictObject({
        id: name,
        token,
        steps: list(step, 10_000),
        forget: list(name, 10_000),
        children: list(newJob, 10_000),
        progress: optional(maybePayload),
        notes: optional(payload),
        transition: nullable(transition),
      }),
      MAX_ROWS,
    ),
    claim: optional(claim),
  }),
);
/** `POST /storage/enqueue` */
export const enqueue: Field<Sent<port.EnqueueRequest>> = exactly<Sent<port.EnqueueRequest>>()(
  v.strictObject({ op: token, jobs: list(newJob, MAX_ROWS), claim: optional(claim) }),
);
/** `POST /storage/signal` */
export const signal: Field<Sent<port.SignalRequest>> = exactly<Sent<port.SignalRequest>>()(
  v.strictObject({ signals: list(v.strictObject({ jobId: name, name, key: name, payload }), MAX_ROWS) }),
);
/** `POST /storage/cancel` */
export const cancel: Field<Sent<port.CancelRequest>> = exactly<Sent<port.CancelRequest>>()(
  v.strictObject({ op: token, ids: list(name, MAX_ROWS), error: payload }),
);
/** `POST /storage/retry` */
export const retry: Field<Sent<port.RetryRequest>> = exactly<Sent<port.RetryRequest>>()(
  v.strictObject({
    op: token,
    jobs: list(v.strictObject({ id: name, forget: list(name, 10_000), notes: maybePayload }), MAX_ROWS),
  }),
);
/** `POST /storage/job` */
export const job: Field<{ id: string }> = v.strictObject({ id: name });
/** `POST /storage/jobs` */
export const jobs: Field<port.ListJobsRequest> = exactly<port.ListJobsRequest>()(
  v.strictObject({
    states: optional(list(jobState, JOB_STATES.length)),
    queue: optional(name),
    task: optional(name),
    schedule: optional(name),
    parentId: optional(name),
    key: optional(name),
    before: optional(name),
    limit: whole(1, 1_000),
  }),
);

// ---------------------------------------------------------------- replies

/** A reply with the server's time: the worker's clock is corrected by it. */
export type Reply<T> = Omit<T, "time"> & { time: number };

const time = instant;
const jobEntries = {
  id: word,
  task: word,
  queue: word,
  state: jobState,
  priority: whole(),
  availableAt: maybeInstant,
  expiresAt: maybeInstant,
  key: maybeWord,
  input: word,
  options: word,
  schedule: maybeWord,
  scheduledAt: maybeInstant,
  parentId: maybeWord,
  limitKey: maybeWord,
  held: flag,
  attempt: count,
  claims: count,
  arrivals: count,
  claimToken: maybeWord,
  claimExpiresAt: maybeInstant,
  worker: maybeWord,
  result: maybeWord,
  error: maybeWord,
  progress: maybeWord,
  notes: maybeWord,
  createdAt: instant,
  startedAt: maybeInstant,
  finishedAt: maybeInstant,
};
const jobRecord = named("StorageJob", "A job as it is stored.", exactly<port.JobRecord>()(v.strictObject(jobEntries)));
const claimedJob = named(
  "StorageClaimedJob",
  "A job as it is stored, with all that running it needs.",
  exactly<port.ClaimedJob>()(
    v.strictObject({
      ...jobEntries,
      steps: all(step),
      signals: all(v.strictObject({ jobId: word, name: word, key: word, payload: word, sentAt: instant, seq: count })),
      children: all(
        v.strictObject({
          id: word,
          state: v.picklist(["completed", "failed", "cancelled", "expired"]),
          result: maybeWord,
          error: maybeWord,
          finishedAt: instant,
        }),
      ),
    }),
  ),
);
const claimed = { jobs: all(claimedJob), nextAt: maybeInstant };
const piggybacked = optional(v.strictObject({ ...claimed, time: optional(instant) }));

/** `POST /storage/claim` */
export const claimReply: Field<Reply<port.ClaimReply>> = exactly<Reply<port.ClaimReply>>()(
  v.strictObject({ ...claimed, time }),
);
/** `POST /storage/renew` */
export const renewReply: Field<Reply<port.RenewReply>> = exactly<Reply<port.RenewReply>>()(
  v.strictObject({ kept: all(word), time }),
);
/** `POST /storage/save` */
export const saveReply: Field<Reply<port.SaveReply>> = exactly<Reply<port.SaveReply>>()(
  v.strictObject({
    saved: all(v.strictObject({ id: word, state: jobState, arrivals: count })),
    claimed: piggybacked,
    time,
  }),
);
/** `POST /storage/enqueue` */
export const enqueueReply: Field<Reply<port.EnqueueReply>> = exactly<Reply<port.EnqueueReply>>()(
  v.strictObject({ jobs: all(v.strictObject({ id: word, created: flag })), claimed: piggybacked, time }),
);
/** `POST /storage/signal` */
export const signalReply: Field<Reply<port.SignalReply>> = exactly<Reply<port.SignalReply>>()(
  v.strictObject({ outcomes: all(oneOf(["accepted", "duplicate", "finished", "unknown"])), time }),
);
/** `POST /storage/cancel` and `retry` */
export const idsReply: Field<Reply<{ ids: string[] }>> = v.strictObject({ ids: all(word), time });
/** `POST /storage/job` */
export const jobReply: Field<Reply<{ job: port.ClaimedJob | null }>> = v.strictObject({
  job: nullable(claimedJob),
  time,
});
/** `POST /storage/jobs` */
export const jobsReply: Field<Reply<{ jobs: port.JobRecord[] }>> = v.strictObject({ jobs: all(jobRecord), time });
