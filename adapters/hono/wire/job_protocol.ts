/**
 * The job protocol: what travels between the server and workers in any language. Claims, renewals, steps, settlements.
 */
import * as v from "valibot";
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
  optional,
  text,
  whole,
  word,
} from "./fields.ts";
import { jobOptions, jobState, signalAnswer, stepAnswer } from "./jobs.ts";
import type * as wire from "./types/job_protocol.ts";

/** A claim's token. Short or guessable ones would let workers settle each other's jobs. */
const token = text(100, 16);

// ---------------------------------------------------------------- requests

/** `POST /queues/:queue/claim` */
export const claimBody: Field<wire.ClaimBody> = named(
  "ClaimBody",
  "Asks for jobs of one queue.",
  v.strictObject({
    worker: doc(name, "The worker's name, for people."),
    limit: optional(whole(1, 100), "How many jobs at most; 1 by default."),
    tasks: optional(list(name, 200), "The tasks that this worker can run; any by default."),
    for: optional(duration, 'How long the claim lasts unless renewed; "30s" by default.'),
    token: optional(
      token,
      "Names this claim: 16 to 100 characters that cannot be guessed. Sent again (when no response came), it gives the same jobs and claims no others. By default the server makes one.",
    ),
  }),
);
/** `POST /jobs/:id/renew` */
export const renewBody: Field<wire.RenewBody> = named(
  "RenewBody",
  "Keeps a claim alive.",
  v.strictObject({ token, for: optional(duration) }),
);
const step = named(
  "StepBody",
  "A step that is over.",
  v.strictObject({
    name: doc(name, "Unique in its job."),
    output: optional(json),
    startedAt: optional(instant, "When it began; now by default."),
  }),
);
const steps = list(step, 100);
/** `POST /jobs/:id/steps` */
export const stepsBody: Field<wire.StepsBody> = named(
  "StepsBody",
  "Saves steps of a running job, and prolongs its claim.",
  v.strictObject({ token, steps, progress: optional(json), for: optional(duration) }),
);
const error = named(
  "ErrorBody",
  "An error of a worker in any language.",
  v.strictObject({
    name: optional(text(200)),
    message: text(8_000),
    code: optional(text(200)),
    stack: optional(text(8_000)),
  }),
);
const settling = { token, steps: optional(steps, "Steps that were not saved yet."), progress: optional(json) };
/** `POST /jobs/:id/settle` */
export const settleBody: Field<wire.SettleBody> = named(
  "SettleBody",
  "How a job goes on.",
  v.variant("outcome", [
    v.strictObject({ ...settling, outcome: v.literal("completed"), output: optional(json) }),
    v.strictObject({
      ...settling,
      outcome: doc(v.literal("failed") as Field<"failed">, "Its retry policy decides what comes next."),
      error,
      fatal: optional(flag, "No more attempts."),
      retryIn: optional(duration, "The delay, in place of the policy's."),
    }),
    v.strictObject({
      ...settling,
      outcome: doc(
        v.literal("released") as Field<"released">,
        "Given back unfinished: claimable at once, same attempt.",
      ),
    }),
    v.strictObject({
      ...settling,
      outcome: doc(v.literal("sleeping") as Field<"sleeping">, "Claimable again after this long, same attempt."),
      for: duration,
    }),
    v.strictObject({
      ...settling,
      outcome: doc(v.literal("waiting") as Field<"waiting">, "Claimable when a signal comes, or after this long."),
      arrivals: doc(count, "As claimed."),
      for: optional(duration),
    }),
  ]),
);

// ---------------------------------------------------------------- answers

const claimedJob = named(
  "ClaimedJob",
  "A job to run.",
  v.strictObject({
    id: word,
    task: word,
    queue: word,
    attempt: doc(count, "Number of the attempt."),
    fence: doc(
      count,
      "Only grows from claim to claim: give it to outside systems, so that they can refuse a late writer.",
    ),
    priority: whole(),
    schedule: maybeWord,
    scheduledAt: doc(maybeInstant, "The occurrence, however late it runs."),
    createdAt: instant,
    key: maybeWord,
    parentId: maybeWord,
    options: jobOptions,
    input: optional(json),
    steps: doc(all(stepAnswer), "What earlier runs saved: a step that is done is not run again."),
    signals: all(signalAnswer),
    arrivals: doc(count, "Count of what has reached the job; given back when it settles as `waiting`."),
    claimExpiresAt: instant,
  }),
);
/** `POST /queues/:queue/claim` */
export const claimAnswer: Field<wire.ClaimAnswer> = named(
  "ClaimAnswer",
  "What was claimed.",
  v.strictObject({
    token: doc(word, "Goes with every later call about these jobs."),
    jobs: all(claimedJob),
    nextAt: doc(maybeInstant, "When another job of this queue could be claimed; null: not before one is enqueued."),
  }),
);
/** `POST /jobs/:id/renew` */
export const renewAnswer: Field<wire.RenewAnswer> = named(
  "RenewAnswer",
  "Until when the claim lasts now.",
  v.strictObject({ claimExpiresAt: instant }),
);
/** `POST /jobs/:id/steps` and `settle` */
export const settleAnswer: Field<wire.SettleAnswer> = named(
  "SettleAnswer",
  "The job after a save.",
  v.strictObject({
    state: jobState,
    arrivals: count,
    availableAt: doc(maybeInstant, "When it can be claimed again; null where it is over or no time is set."),
  }),
);
