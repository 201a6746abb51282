/**
 * What travels about schedules: what is registered, changed, asked and told.
 */

import type { ScheduleDefinition } from "../../../src/schedule/definition.ts";
import type { Outcome } from "../../../src/schedule/explain.ts";
import type { ScheduleInfo } from "../../../src/schedule/info.ts";
import type { JobState, ScheduleState, SkipReason } from "../../../src/storage/port.ts";
import type { RetryOptions } from "../../../src/task/retry.ts";
import type { PageQuery, WireDuration } from "./common.ts";

/** The outcome of an occurrence, or of a run of skipped ones. */
export interface OccurrenceAnswer {
  schedule: string;
  at: number;
  untilAt: number;
  count: number;
  jobId: string | null;
  reason: SkipReason | null;
  recordedAt: number;
}

/** An instant in a definition: epoch ms, or ISO text (without offset: in the schedule's zone). */
export type WireWhen = number | string;

/** Catch-up as it is written. */
export type WireCatchUp = "all" | "latest" | "none" | { within?: WireDuration; max?: number };

/** A rate as it is written. */
export interface WireRate {
  count: number;
  per: WireDuration;
}

/** Options of a schedule. */
export interface ScheduleOptionsBody {
  input?: unknown;
  timeZone?: string;
  days?: "or" | "and";
  dst?: "once" | "vixie";
  startAt?: WireWhen;
  endAt?: WireWhen;
  maxFires?: number;
  /** Days, instants, `from/to` ranges of either. */
  exclude?: (WireWhen | { from: WireWhen; to: WireWhen })[];
  catchUp?: WireCatchUp;
  expiresIn?: WireDuration;
  overlap?: "allow" | "skip" | "queue" | "cancel";
  jitter?: WireDuration;
  queue?: string;
  priority?: number;
  retry?: RetryOptions | number | false;
  timeout?: WireDuration;
  tags?: string[];
  pauseAfterFailures?: number;
  paused?: boolean;
}

/** A schedule to register. */
export interface ScheduleBody extends ScheduleOptionsBody {
  /** Cron text, `@every 90s`, `@at 2026-12-24T18:00:00Z`, or one instant. */
  expression: string | { at: WireWhen };
  /** Name of the task; the server need not know it. */
  task: string;
}

/** What to change; null takes an option back to its default. */
export type SchedulePatchBody = { [Option in keyof ScheduleOptionsBody]?: ScheduleOptionsBody[Option] | null } & {
  expression?: string | { at: WireWhen };
  task?: string;
};

/** A definition as it is stored, its input decoded. */
export interface DefinitionAnswer extends Omit<ScheduleDefinition, "input" | "exclude" | "tags" | "catchUp"> {
  readonly input?: unknown;
  readonly exclude: string[];
  readonly tags: string[];
  readonly catchUp: "all" | "latest" | "none" | { withinMs?: number; max?: number };
}

/** A schedule: where it stands and what it does. */
export interface ScheduleAnswer extends Omit<ScheduleInfo, "definition"> {
  /** Null where this version cannot read it. */
  readonly definition: DefinitionAnswer | null;
}

/** What registering did. */
export interface RegisteredAnswer {
  status: "created" | "updated" | "unchanged";
  /** What may surprise, in sentences. */
  warnings: string[];
  schedule: ScheduleAnswer;
}

/** Which schedules to list. */
export interface SchedulesQuery extends PageQuery {
  state?: ScheduleState;
  owner?: string;
}

/** Why a schedule is paused. */
export interface PauseBody {
  note?: string;
}

/** How it goes on. */
export interface ResumeBody {
  /** Whether occurrences missed while paused fire, by the schedule's `catchUp` policy, or are skipped. @default skip */
  missed?: "fire" | "skip";
}

/** A job of a schedule, now. */
export interface TriggerBody {
  /** Another input for this job alone. */
  input?: unknown;
  overlap?: "allow" | "skip" | "queue" | "cancel";
}

/** What a trigger did. */
export interface TriggerAnswer {
  /** Null where overlap `skip` found another job unfinished. */
  jobId: string | null;
  at: number;
}

/** Which outcomes to list. */
export interface OccurrencesQuery {
  from?: number;
  to?: number;
  limit?: number;
}

/** Which occurrences to look ahead at. */
export interface PreviewQuery {
  /** How many, 1 to 1,000. @default 10 */
  count?: number;
  /** After which instant. @default now */
  from?: number;
}

/** Occurrences to come. */
export interface PreviewAnswer {
  /** `local` is for people; `availableAt` is later where there is jitter; `excluded` ones do not fire. */
  items: { at: number; local: string; availableAt: number; excluded: boolean }[];
}

/** Which occurrence to explain. */
export interface ExplainQuery {
  /** Epoch ms, or text: without offset it is local time of the schedule's zone. */
  at: string;
}

/** What became of an occurrence. */
export interface ExplainAnswer {
  schedule: string;
  at: number;
  outcome: Outcome;
  reason: SkipReason | null;
  /** All of it in words. */
  text: string;
  previousAt: number | null;
  nextAt: number | null;
  record: OccurrenceAnswer | null;
  /** Its job, where it is still stored. */
  job: { id: string; state: JobState; attempt: number; startedAt: number | null; finishedAt: number | null } | null;
}

/** A range whose occurrences become jobs now. */
export interface BackfillBody {
  from: WireWhen;
  to: WireWhen;
  /** Whether the jobs may run beside others of the schedule or wait for them. */
  overlap?: "allow" | "queue";
  /** At most `count` jobs become available in each `per`. @default all at once */
  rate?: WireRate;
  /** More occurrences than this are refused. @default 10,000 */
  max?: number;
}

/** What a backfill did. */
export interface BackfillAnswer {
  /** Jobs that were made. */
  enqueued: number;
  /** Occurrences that had fired, or were backfilled before. */
  existing: number;
  /** Occurrences that the schedule excludes. */
  excluded: number;
}

/** Whether there was one to remove. */
export interface RemovedAnswer {
  removed: boolean;
}

/** Outcomes, newest first. */
export interface OccurrencesAnswer {
  items: OccurrenceAnswer[];
}
