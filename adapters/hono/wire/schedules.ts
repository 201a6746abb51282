/**
 * What travels about schedules: definitions, changes, where they stand, how they are operated by hand.
 */
import * as v from "valibot";
import { OVERLAPS } from "../../../src/schedule/planner.ts";
import { SCHEDULE_STATES } from "../../../src/storage/states.ts";
import { next, pageEntries, rate, rateBody, retryBody, retryPolicy } from "./common.ts";
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
  text,
  whole,
  word,
} from "./fields.ts";
import { tags } from "./jobs.ts";
import type * as wire from "./types/schedules.ts";

const overlap = named(
  "Overlap",
  "What to do when a job of the schedule is unfinished as the next occurrence comes.",
  oneOf(OVERLAPS),
);
/** State of a schedule. */
export const scheduleState: Field<wire.ScheduleState> = named(
  "ScheduleState",
  "State of a schedule.",
  oneOf(SCHEDULE_STATES),
);
const CATCH_UPS = ["all", "latest", "none"] as const;
const days = oneOf(["or", "and"]);
const dst = oneOf(["once", "vixie"]);

// ---------------------------------------------------------------- requests

/** An instant as it is written. */
export const when: Field<wire.When> = named(
  "When",
  "A date: epoch ms, or ISO text; without offset it is local time of the schedule's zone, a day is the whole day.",
  v.union([instant, text(100)]),
);
const expression = named(
  "Expression",
  "Cron text, `@every 90s`, `@at 2026-12-24T18:00:00Z`, or one instant.",
  v.union([text(1_000), v.strictObject({ at: when })]),
);
const catchUp = named(
  "CatchUp",
  "Which missed occurrences fire: those not older than `within`, of them the newest `max`.",
  v.union([oneOf(CATCH_UPS), v.strictObject({ within: optional(duration), max: optional(whole(1)) })]),
);
const exclusion = named(
  "Exclusion",
  "A day, an instant, or a range of either.",
  v.union([instant, text(100), v.strictObject({ from: when, to: when })]),
);
const options = {
  timeZone: text(100),
  days,
  dst,
  startAt: when,
  endAt: when,
  maxFires: whole(1),
  exclude: list(exclusion, 2_000),
  catchUp,
  expiresIn: duration,
  overlap,
  jitter: duration,
  queue: name,
  priority: whole(),
  retry: retryBody,
  timeout: duration,
  tags,
  pauseAfterFailures: whole(1),
  paused: flag,
};
type Options = typeof options;

function each<Out>(change: (field: Field<unknown>) => unknown): Out {
  return Object.fromEntries(Object.entries(options).map(([key, field]) => [key, change(field)])) as Out;
}
const given = each<{ [Key in keyof Options]: ReturnType<typeof optional<v.InferOutput<Options[Key]>>> }>((field) =>
  optional(field),
);
const changed = each<{ [Key in keyof Options]: ReturnType<typeof optional<v.InferOutput<Options[Key]> | null>> }>(
  (field) => optional(nullable(field)),
);

/** `PUT /schedules/:name` */
export const scheduleBody: Field<wire.ScheduleBody> = named(
  "ScheduleBody",
  "A schedule to register.",
  v.strictObject({
    expression,
    task: doc(name, "Name of the task; the server need not know it."),
    input: optional(json),
    ...given,
  }),
);
/** `PATCH /schedules/:name` */
export const schedulePatchBody: Field<wire.SchedulePatchBody> = named(
  "SchedulePatchBody",
  "What to change; null takes an option back to its default, what is absent stays.",
  v.strictObject({ expression: optional(expression), task: optional(name), input: optional(json), ...changed }),
);
/** `GET /schedules` */
export const schedulesQuery: Field<wire.SchedulesQuery> = named(
  "SchedulesQuery",
  "Which schedules to list.",
  v.strictObject({
    ...pageEntries,
    state: optional(scheduleState),
    owner: optional(name, "Only those that this owner declared with `sync`."),
    task: optional(name, "Only those of this task."),
    tag: optional(name, "Only those with this tag."),
    prefix: optional(name, "Only names that begin so."),
  }),
);
/** `POST /schedules/:name/pause` */
export const pauseBody: Field<wire.PauseBody> = named(
  "PauseBody",
  "Why a schedule is paused.",
  v.strictObject({ note: optional(text(1_000)) }),
);
/** `POST /schedules/:name/resume` */
export const resumeBody: Field<wire.ResumeBody> = named(
  "ResumeBody",
  "How a schedule goes on.",
  v.strictObject({
    missed: optional(
      oneOf(["fire", "skip"]),
      "Whether occurrences missed while paused fire, by the schedule's `catchUp` policy, or are skipped (default).",
    ),
  }),
);
/** `POST /schedules/:name/trigger` */
export const triggerBody: Field<wire.TriggerBody> = named(
  "TriggerBody",
  "A job of a schedule, now.",
  v.strictObject({ input: optional(json, "Another input for this job alone."), overlap: optional(overlap) }),
);
/** `POST /schedules/:name/backfill` */
export const backfillBody: Field<wire.BackfillBody> = named(
  "BackfillBody",
  "A range of the past whose occurrences become jobs now.",
  v.strictObject({
    from: when,
    to: when,
    overlap: optional(
      oneOf(["allow", "queue"]),
      "Whether the jobs may run beside others of the schedule or wait for them.",
    ),
    rate: optional(rateBody, "How many jobs become available in any window; all at once by default."),
    max: optional(whole(1, 1_000_000), "More occurrences than this are refused; 10,000 by default."),
  }),
);
// ---------------------------------------------------------------- answers

const definition = named(
  "Definition",
  "A schedule's definition as it is stored, its input decoded.",
  v.strictObject({
    expression: word,
    timeZone: word,
    days,
    dst,
    startAt: maybeInstant,
    endAt: maybeInstant,
    exclude: all(word),
    maxFires: nullable(whole(1)),
    task: word,
    queue: word,
    priority: whole(),
    input: optional(json),
    catchUp: v.union([oneOf(CATCH_UPS), v.strictObject({ withinMs: optional(count), max: optional(count) })]),
    expiresInMs: nullable(count),
    overlap,
    jitterMs: count,
    retry: nullable(retryPolicy),
    timeoutMs: nullable(count),
    rate: nullable(rate),
    tags: all(word),
    pauseAfterFailures: nullable(whole(1)),
    paused: flag,
  }),
);
/** A schedule. */
export const scheduleAnswer: Field<wire.ScheduleAnswer> = named(
  "ScheduleAnswer",
  "A schedule: where it stands and what it does.",
  v.strictObject({
    name: word,
    state: scheduleState,
    nextAt: doc(
      maybeInstant,
      "When the next job becomes available: exclusions and jitter applied. Null where nothing will fire.",
    ),
    nextBoundaryAt: doc(maybeInstant, "The first occurrence without outcome: where the schedule stands."),
    lastAt: doc(maybeInstant, "The last occurrence that got an outcome."),
    fired: doc(count, "How many occurrences have fired."),
    skips: doc(count, "How often in a row it came due and made no job."),
    failures: doc(count, "How many of its jobs failed in a row, up to now."),
    note: doc(maybeWord, "Why it is paused or broken."),
    owner: doc(maybeWord, "Who declared it with `sync`."),
    revision: doc(count, "Grows with every change."),
    createdAt: instant,
    updatedAt: instant,
    definition: doc(nullable(definition), "Null where this version cannot read it."),
  }),
);
/** A page of schedules. */
export const schedulePage: Field<wire.SchedulePage> = named(
  "SchedulePage",
  "A page of schedules; `next` is the cursor of the page after it, null on the last.",
  v.strictObject({ items: all(scheduleAnswer), next }),
);
/** `PUT` and `PATCH /schedules/:name` */
export const registeredAnswer: Field<wire.RegisteredAnswer> = named(
  "RegisteredAnswer",
  "What registering did.",
  v.strictObject({
    status: oneOf(["created", "updated", "unchanged"]),
    warnings: doc(all(word), "What may surprise, in sentences."),
    schedule: scheduleAnswer,
  }),
);
/** `DELETE /schedules/:name` */
export const removedAnswer: Field<wire.RemovedAnswer> = named(
  "RemovedAnswer",
  "Whether there was one to remove.",
  v.strictObject({ removed: flag }),
);
/** `POST /schedules/:name/trigger` */
export const triggerAnswer: Field<wire.TriggerAnswer> = named(
  "TriggerAnswer",
  "What a trigger did.",
  v.strictObject({
    jobId: doc(maybeWord, "Null where overlap `skip` found another job unfinished."),
    at: doc(instant, "When it was triggered: the job's `scheduledAt`."),
  }),
);
/** `POST /schedules/:name/backfill` */
export const backfillAnswer: Field<wire.BackfillAnswer> = named(
  "BackfillAnswer",
  "What a backfill did.",
  v.strictObject({
    enqueued: doc(count, "Jobs that were made."),
    existing: doc(count, "Occurrences that had fired, or were backfilled before."),
    excluded: doc(count, "Occurrences that the schedule excludes."),
  }),
);
