/**
 * What travels about occurrences: what became of them, which are to come, and what would become of them.
 */
import * as v from "valibot";
import { OUTCOMES } from "../../../src/schedule/verdict.ts";
import { SKIP_REASONS } from "../../../src/storage/states.ts";
import {
  all,
  count,
  doc,
  duration,
  type Field,
  flag,
  flagText,
  instant,
  list,
  maybeInstant,
  maybeWord,
  name,
  named,
  nullable,
  oneOf,
  optional,
  whenText,
  whole,
  wholeText,
  word,
} from "./fields.ts";
import { jobState } from "./jobs.ts";
import { scheduleBody, scheduleState, when } from "./schedules.ts";
import type * as wire from "./types/occurrences.ts";

const skipReason = named("SkipReason", "Why an occurrence did not fire.", oneOf(SKIP_REASONS));

// ---------------------------------------------------------------- requests

/** `GET /schedules/:name/occurrences` */
export const occurrencesQuery: Field<wire.OccurrencesQuery> = named(
  "OccurrencesQuery",
  "Which occurrences to list.",
  v.strictObject({
    from: optional(whenText),
    to: optional(whenText),
    limit: optional(wholeText(1, 1_000), "How many at most; 100 by default."),
  }),
);
/** `GET /schedules/:name/preview` */
export const previewQuery: Field<wire.PreviewQuery> = named(
  "PreviewQuery",
  "Which occurrences to look ahead at.",
  v.strictObject({
    count: optional(wholeText(1, 1_000), "How many; 10 by default."),
    from: optional(whenText, "After which instant; where the schedule stands by default."),
    withExcluded: optional(flagText, "Also lists, marked, the occurrences that are left out by `exclude`."),
  }),
);
/** `GET /schedules/:name/explain` */
export const explainQuery: Field<wire.ExplainQuery> = named(
  "ExplainQuery",
  "Which occurrence to explain.",
  v.strictObject({
    at: whenText,
  }),
);

const unregistered = {
  name: optional(name, "Its name: `H` and jitter depend on it."),
  schedule: doc(scheduleBody, "A schedule that need not be registered."),
};
/** `POST /schedules/preview` */
export const previewBody: Field<wire.PreviewBody> = named(
  "PreviewBody",
  "Which occurrences of a schedule that is not registered to look ahead at.",
  v.strictObject({
    ...unregistered,
    count: optional(whole(1, 1_000), "How many; 10 by default."),
    from: optional(when, "After which instant; now by default."),
    withExcluded: optional(flag, "Also lists, marked, the occurrences that are left out by `exclude`."),
  }),
);
/** `POST /schedules/forecast` */
export const forecastBody: Field<wire.ForecastBody> = named(
  "ForecastBody",
  "What happens during a forecast.",
  v.strictObject({
    ...unregistered,
    from: doc(when, "When it is registered."),
    to: doc(when, "When the forecast ends."),
    downtime: optional(list(v.strictObject({ from: when, to: when }), 100), "When nothing ticks."),
    durations: optional(duration, "How long each job runs; 0 by default."),
    tickEvery: optional(duration, "Ticks come only this often; whenever something is due by default."),
    max: optional(whole(1, 10_000), "Stops after this many occurrences, or runs of skipped ones; 1,000 by default."),
  }),
);

// ---------------------------------------------------------------- answers

/** What became of an occurrence. */
const occurrenceAnswer = named(
  "OccurrenceAnswer",
  "What became of an occurrence, or of a run of skipped ones.",
  v.strictObject({
    schedule: word,
    at: doc(instant, "The occurrence; of a run the first."),
    untilAt: doc(instant, "The last of the run."),
    count: doc(whole(1), "How many occurrences this stands for."),
    jobId: doc(maybeWord, "The job that it became; null where it was skipped."),
    reason: doc(nullable(skipReason), "Why it was skipped; null where it fired."),
    recordedAt: instant,
  }),
);
/** `GET /schedules/:name/occurrences` */
export const occurrencesAnswer: Field<wire.OccurrencesAnswer> = named(
  "OccurrencesAnswer",
  "What became of occurrences, newest first.",
  v.strictObject({ items: all(occurrenceAnswer) }),
);
/** `GET /schedules/:name/preview` */
export const previewAnswer: Field<wire.PreviewAnswer> = named(
  "PreviewAnswer",
  "Occurrences to come.",
  v.strictObject({
    items: all(
      named(
        "PreviewedOccurrence",
        "An occurrence to come.",
        v.strictObject({
          at: instant,
          local: doc(word, "Local time in the schedule's zone."),
          availableAt: doc(instant, "When its job becomes available: later where there is jitter."),
          excluded: doc(flag, "It is left out by `exclude`; only listed with `withExcluded`."),
        }),
      ),
    ),
  }),
);
/** `GET /schedules/:name/explain` */
export const explainAnswer: Field<wire.ExplainAnswer> = named(
  "ExplainAnswer",
  "What became of an occurrence, and why.",
  v.strictObject({
    schedule: word,
    at: instant,
    outcome: oneOf(OUTCOMES),
    reason: nullable(skipReason),
    text: doc(word, "All of it in words."),
    availableAt: doc(maybeInstant, "When its job became, or becomes, available; null where it gets none."),
    previousAt: doc(
      maybeInstant,
      "When the job of the nearest occurrence before becomes available, excluded ones left out.",
    ),
    nextAt: doc(maybeInstant, "The same of the nearest occurrence after."),
    record: doc(nullable(occurrenceAnswer), "Its entry in the log."),
    job: doc(
      nullable(
        v.strictObject({
          id: word,
          state: jobState,
          attempt: count,
          startedAt: maybeInstant,
          finishedAt: maybeInstant,
        }),
      ),
      "Its job, where it is still stored.",
    ),
  }),
);
/** `POST /schedules/forecast` */
export const forecastAnswer: Field<wire.ForecastAnswer> = named(
  "ForecastAnswer",
  "What a schedule would do.",
  v.strictObject({
    occurrences: all(
      named(
        "ForecastOccurrence",
        "What would become of an occurrence, or of a run of skipped ones.",
        v.strictObject({
          at: doc(instant, "The occurrence; of a run the first."),
          local: doc(word, "Local time of `at`."),
          untilAt: doc(instant, "The last of the run."),
          count: doc(whole(1), "How many occurrences this stands for."),
          reason: doc(nullable(skipReason), "Why it would be skipped; null: it fires."),
          decidedAt: instant,
          startAt: doc(maybeInstant, "When its job starts; null where it does not run."),
          endAt: doc(maybeInstant, "When its job ends."),
          fate: doc(
            nullable(oneOf(["cancelled", "expired"])),
            "How its job ends before its time: the next one cancels it, or it expires in the queue.",
          ),
        }),
      ),
    ),
    fired: doc(count, "How many fire."),
    skipped: doc(count, "How many are skipped."),
    state: doc(scheduleState, "State at the end."),
    nextAt: doc(maybeInstant, "When the first job after the end becomes available."),
    nextBoundaryAt: doc(maybeInstant, "The first occurrence without outcome at the end."),
    warnings: doc(all(word), "What may surprise, in sentences."),
    more: doc(flag, "It stopped at `max`."),
  }),
);
