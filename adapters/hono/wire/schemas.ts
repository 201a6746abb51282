/**
 * What do the routes take? A valibot schema for every body and query, typed as `wire.ts` says.
 *
 * Objects are strict: a property that is not known is refused, so a misspelt option is an error and not a default. The
 * engine checks the meaning of what passes here once more, with its own codes.
 */
import * as v from "valibot";
import {
  count,
  duration,
  durationText,
  type Field,
  flag,
  flagText,
  instant,
  instantText,
  json,
  list,
  name,
  nullable,
  oneOf,
  optional,
  several,
  text,
  whole,
  wholeText,
} from "./fields.ts";
import type * as wire from "./mod.ts";

/** Gives a schema the name under which `openapi.json` lists it. */
export function named<T>(title: string, schema: Field<T>): Field<T> {
  return v.pipe(schema, v.metadata({ name: title })) as Field<T>;
}

const JOB_STATES = ["ready", "running", "waiting", "completed", "failed", "cancelled", "expired"] as const;
const MAX_PAGE = 200;

/** A claim's token. Short or guessable ones would let workers settle each other's jobs. */
const token: Field<string> = text(100, 16);

// ---------------------------------------------------------------- paths

/** `/schedules/:name/...` */
export const namePath: Field<{ name: string }> = v.object({ name });
/** `/jobs/:id/...` */
export const idPath: Field<{ id: string }> = v.object({ id: name });
/** `/jobs/:id/signals/:name` */
export const signalPath: Field<{ id: string; name: string }> = v.object({ id: name, name });
/** `/queues/:queue/...` */
export const queuePath: Field<{ queue: string }> = v.object({ queue: name });

// ---------------------------------------------------------------- queries

const page = { limit: optional(wholeText(1, MAX_PAGE)), cursor: optional(text(1_000, 1)) };

/** `/tick` */
export const tickQuery: Field<wire.TickQuery> = v.strictObject({
  for: optional(durationText),
  work: optional(flagText),
});
/** `/jobs` */
export const jobsQuery: Field<wire.JobsQuery> = v.strictObject({
  ...page,
  state: optional(several(oneOf(...JOB_STATES))),
  queue: optional(name),
  task: optional(name),
  schedule: optional(name),
  parent: optional(name),
  key: optional(name),
});
/** `/schedules` */
export const schedulesQuery: Field<wire.SchedulesQuery> = v.strictObject({
  ...page,
  state: optional(oneOf("active", "paused", "ended", "broken")),
  owner: optional(name),
});
/** `/schedules/:name/occurrences` */
export const occurrencesQuery: Field<wire.OccurrencesQuery> = v.strictObject({
  from: optional(instantText),
  to: optional(instantText),
  limit: optional(wholeText(1, 1_000)),
});
/** `/schedules/:name/preview` */
export const previewQuery: Field<wire.PreviewQuery> = v.strictObject({
  count: optional(wholeText(1, 1_000)),
  from: optional(instantText),
});
/** `/schedules/:name/explain` */
export const explainQuery: Field<wire.ExplainQuery> = v.strictObject({ at: text(100, 1) });
/** `/health` */
export const healthQuery: Field<wire.HealthQuery> = v.strictObject({
  deep: optional(flagText),
  maxLag: optional(durationText),
});
/** `/events` */
export const eventsQuery: Field<wire.EventsQuery> = v.strictObject({
  name: optional(several(name)),
  job: optional(name),
  schedule: optional(name),
});

// ---------------------------------------------------------------- jobs

const retry = v.union([
  v.strictObject({
    maxAttempts: optional(whole(1)),
    backoff: optional(oneOf("exponential", "linear", "constant")),
    initial: optional(duration),
    factor: optional(v.number()),
    max: optional(duration),
    jitter: optional(oneOf("full", "none")),
  }),
  whole(1),
  v.literal(false),
]);
const rate = v.strictObject({ count: whole(1), per: duration });
const tags = list(name, 32);

/** `POST /jobs` */
export const enqueueBody: Field<wire.EnqueueBody> = named(
  "Enqueue",
  v.strictObject({
    task: name,
    input: optional(json),
    key: optional(name),
    delay: optional(duration),
    runAt: optional(instant),
    priority: optional(whole()),
    queue: optional(name),
    expiresIn: optional(duration),
    retry: optional(retry),
    timeout: optional(duration),
    limit: optional(v.strictObject({ key: name, concurrency: optional(whole(1)), rate: optional(rate) })),
    tags: optional(tags),
  }),
);
/** `POST /jobs/:id/cancel` */
export const cancelBody: Field<wire.CancelBody> = named("Cancel", v.strictObject({ reason: optional(text(1_000)) }));
/** `POST /jobs/:id/retry` and others that take nothing */
export const emptyBody: Field<Record<string, never>> = named("Nothing", v.strictObject({}));
/** `POST /jobs/:id/signals/:name` */
export const signalBody: Field<wire.SignalBody> = named(
  "Signal",
  v.strictObject({ value: optional(json), key: optional(name) }),
);

// ---------------------------------------------------------------- queues

/** `PATCH /queues/:queue` */
export const queueBody: Field<wire.QueueBody> = named(
  "QueueSettings",
  v.strictObject({
    paused: optional(flag),
    concurrency: optional(nullable(whole(1, 1_000_000))),
    rate: optional(nullable(rate)),
  }),
);

// ---------------------------------------------------------------- job protocol

const step: Field<wire.StepBody> = named(
  "Step",
  v.strictObject({ name, output: optional(json), startedAt: optional(instant) }),
);
const steps = list(step, 100);
const error: Field<wire.ErrorBody> = named(
  "WorkerError",
  v.strictObject({
    name: optional(text(200)),
    message: text(8_000),
    code: optional(text(200)),
    stack: optional(text(8_000)),
  }),
);

/** `POST /queues/:queue/claim` */
export const claimBody: Field<wire.ClaimBody> = named(
  "Claim",
  v.strictObject({
    worker: name,
    limit: optional(whole(1, 100)),
    tasks: optional(list(name, 200)),
    for: optional(duration),
    token: optional(token),
  }),
);
/** `POST /jobs/:id/renew` */
export const renewBody: Field<wire.RenewBody> = named("Renew", v.strictObject({ token, for: optional(duration) }));
/** `POST /jobs/:id/steps` */
export const stepsBody: Field<wire.StepsBody> = named(
  "Steps",
  v.strictObject({ token, steps, progress: optional(json), for: optional(duration) }),
);
const settling = { token, steps: optional(steps), progress: optional(json) };
/** `POST /jobs/:id/settle` */
export const settleBody: Field<wire.SettleBody> = named(
  "Settle",
  v.variant("outcome", [
    v.strictObject({ ...settling, outcome: v.literal("completed"), output: optional(json) }),
    v.strictObject({
      ...settling,
      outcome: v.literal("failed"),
      error,
      fatal: optional(flag),
      retryIn: optional(duration),
    }),
    v.strictObject({ ...settling, outcome: v.literal("released") }),
    v.strictObject({ ...settling, outcome: v.literal("sleeping"), for: duration }),
    v.strictObject({ ...settling, outcome: v.literal("waiting"), wakes: count, for: optional(duration) }),
  ]),
);

// ---------------------------------------------------------------- schedules

const when = v.union([instant, text(100)]);
const overlap = oneOf("allow", "skip", "queue", "cancel");
const catchUp = v.union([
  oneOf("all", "latest", "none"),
  v.strictObject({ within: optional(duration), max: optional(whole(1)) }),
]);
const expression = v.union([text(1_000), v.strictObject({ at: when })]);
const options = {
  timeZone: text(100),
  days: oneOf("or", "and"),
  dst: oneOf("once", "vixie"),
  startAt: when,
  endAt: when,
  maxFires: whole(1),
  exclude: list(v.union([instant, text(100), v.strictObject({ from: when, to: when })]), 2_000),
  catchUp,
  expiresIn: duration,
  overlap,
  jitter: duration,
  queue: name,
  priority: whole(),
  retry,
  timeout: duration,
  tags,
  pauseAfterFailures: whole(1),
  paused: flag,
};
type Options = typeof options;

function each<Out>(change: (field: Field<unknown>) => unknown): Out {
  return Object.fromEntries(Object.entries(options).map(([key, field]) => [key, change(field)])) as Out;
}
const given = each<{ [Key in keyof Options]: ReturnType<typeof optional<v.InferOutput<Options[Key]>>> }>(optional);
const changed = each<{ [Key in keyof Options]: ReturnType<typeof optional<v.InferOutput<Options[Key]> | null>> }>(
  (field) => optional(nullable(field)),
);

/** `PUT /schedules/:name` */
export const scheduleBody: Field<wire.ScheduleBody> = named(
  "Schedule",
  v.strictObject({ expression, task: name, input: optional(json), ...given }),
);
/** `PATCH /schedules/:name` */
export const schedulePatchBody: Field<wire.SchedulePatchBody> = named(
  "SchedulePatch",
  v.strictObject({ expression: optional(expression), task: optional(name), input: optional(json), ...changed }),
);
/** `POST /schedules/:name/pause` */
export const pauseBody: Field<wire.PauseBody> = named("Pause", v.strictObject({ note: optional(text(1_000)) }));
/** `POST /schedules/:name/resume` */
export const resumeBody: Field<wire.ResumeBody> = named(
  "Resume",
  v.strictObject({ missed: optional(oneOf("fire", "skip")) }),
);
/** `POST /schedules/:name/trigger` */
export const triggerBody: Field<wire.TriggerBody> = named(
  "Trigger",
  v.strictObject({ input: optional(json), overlap: optional(overlap) }),
);
/** `POST /schedules/:name/backfill` */
export const backfillBody: Field<wire.BackfillBody> = named(
  "Backfill",
  v.strictObject({
    from: when,
    to: when,
    overlap: optional(oneOf("allow", "queue")),
    rate: optional(rate),
    max: optional(whole(1, 1_000_000)),
  }),
);
