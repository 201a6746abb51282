/**
 * The storage protocol: requests of the storage port over HTTP, for `remote()` of `belfry/client`. Batches travel as they
 * are, payloads as they are stored.
 *
 * A remote worker runs the engine's own worker on these calls. The server keeps what safety rests on: its own
 * clock is `now` in every batch and comes back as `time`, so a worker whose clock is wrong neither holds claims too long
 * nor loses them. What it may not do is left out: schedules, queues, purging, export.
 */
import * as v from "valibot";
import type * as port from "../../../src/storage/port.ts";
import { count, type Field, flag, instant, list, name, nullable, oneOf, optional, text, whole } from "./fields.ts";

/** A request without its `now`, which is the server's; so is that of a piggybacked claim. */
export type Sent<T> = Omit<T, "now" | "claim"> &
  (T extends { claim?: port.ClaimRequest } ? { claim?: Sent<port.ClaimRequest> | undefined } : unknown);

const MAX_ROWS = 500;
/** Payloads travel encoded; the body's limit bounds them all together. */
const payload: Field<string> = text(2_000_000);
const maybePayload = nullable(payload);
const maybeInstant = nullable(instant);
const maybeName = nullable(name);
const token = text(200, 1);
const claimMs = whole(1_000, 86_400_000);

const newJob: Field<port.NewJob> = v.strictObject({
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
});
const step: Field<port.StepRecord> = v.strictObject({
  jobId: name,
  name,
  kind: oneOf("step", "sleep", "wait", "invoke", "spawn", "value", "patch"),
  state: oneOf("pending", "done", "failed"),
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
});
const transition: Field<port.JobTransition> = v.variant("to", [
  v.strictObject({ to: v.literal("completed"), result: payload }),
  v.strictObject({ to: oneOf("failed", "cancelled", "expired") as never, error: payload }),
  v.strictObject({ to: v.literal("ready"), availableAt: instant, resuming: flag, error: maybePayload }),
  v.strictObject({ to: v.literal("waiting"), availableAt: maybeInstant, wakes: count }),
]);

/** `POST /storage/claim` */
export const claim: Field<Sent<port.ClaimRequest>> = v.strictObject({
  token,
  worker: name,
  queues: list(name, 200),
  tasks: nullable(list(name, 1_000)),
  limit: whole(1, MAX_ROWS),
  claimMs,
});
/** `POST /storage/renew` */
export const renew: Field<Sent<port.RenewRequest>> = v.strictObject({
  claimMs,
  claims: list(v.strictObject({ id: name, token }), 10_000),
});
/** `POST /storage/save` */
export const save: Field<Sent<port.SaveRequest>> = v.strictObject({
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
});
/** `POST /storage/enqueue` */
export const enqueue: Field<Sent<port.EnqueueRequest>> = v.strictObject({
  op: token,
  jobs: list(newJob, MAX_ROWS),
  claim: optional(claim),
});
/** `POST /storage/signal` */
export const signal: Field<Sent<port.SignalRequest>> = v.strictObject({
  signals: list(v.strictObject({ jobId: name, name, key: name, payload }), MAX_ROWS),
});
/** `POST /storage/cancel` */
export const cancel: Field<Sent<port.CancelRequest>> = v.strictObject({
  op: token,
  ids: list(name, MAX_ROWS),
  error: payload,
});
/** `POST /storage/retry` */
export const retry: Field<Sent<port.RetryRequest>> = v.strictObject({
  op: token,
  jobs: list(v.strictObject({ id: name, forget: list(name, 10_000), notes: maybePayload }), MAX_ROWS),
});
/** `POST /storage/job` */
export const job: Field<{ id: string }> = v.strictObject({ id: name });
/** `POST /storage/jobs` */
export const jobs: Field<port.ListJobsRequest> = v.strictObject({
  states: optional(list(oneOf("ready", "running", "waiting", "completed", "failed", "cancelled", "expired"), 7)),
  queue: optional(name),
  task: optional(name),
  schedule: optional(name),
  parentId: optional(name),
  key: optional(name),
  before: optional(name),
  limit: whole(1, 1_000),
});
