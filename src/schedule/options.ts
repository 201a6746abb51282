/**
 * Which options does a schedule take, and how is each value checked and made canonical?
 *
 * The functions turn what was written (`"1h30m"`, `["b", "a"]`) into the one form that is stored, or refuse it with the
 * option's name, what was found and what would fit. All options are checked before anything is written.
 */

import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { type Checks, checkOptions, duration, whole } from "../base/options.ts";
import type { DstRule } from "../cron/occurrences.ts";
import type { StorableRetry } from "../task/retry.ts";
import type { IsOptional, Known } from "../task/task.ts";
import type { Exclusion } from "./exclude.ts";
import type { CatchUpRule, Overlap } from "./planner.ts";
import type { When } from "./when.ts";

/**
 * Which occurrences fire that were missed because nothing ticked.
 *
 * - `"all"`: every one fires, oldest first.
 * - `"latest"`: only the newest fires.
 * - `"none"`: one that is more than a minute late does not fire.
 * - `{ within, max }`: those not older than `within`, of them the newest `max`.
 */
export type CatchUp = "all" | "latest" | "none" | CatchUpLimits;

/** A catch-up policy with limits; at least one of them. */
export interface CatchUpLimits {
  /** Only occurrences that are not older than this. */
  readonly within?: Duration;
  /** Of them only the newest this many; 1 to 100,000. */
  readonly max?: number;
}

/** An expression: cron text, `@every 90s`, `@at 2026-12-24T18:00:00Z`; or one instant. */
export type Expression = string | OneInstant;

/** An expression that occurs once. */
export interface OneInstant {
  /** When. */
  readonly at: When;
}

/**
 * Options of a schedule; all are stored with it.
 *
 * @example
 * ```ts ignore
 * await belfry.schedule("daily-report", "0 9 * * MON-FRI", report, {
 *   timeZone: "Europe/Berlin", catchUp: "latest", overlap: "skip", expiresIn: "6h", exclude: ["2026-12-25"],
 * });
 * ```
 */
export interface ScheduleOptions<Input = unknown> {
  /** The input of its jobs. */
  readonly input?: Input;
  /** Zone of the expression, and of instants written without offset. @default the engine's, "UTC" */
  readonly timeZone?: string;
  /** Whether one of two restricted day fields is enough (`"or"`, as POSIX says) or both must fit. @default "or" */
  readonly days?: "or" | "and";
  /** What happens when clocks change. @default "once" */
  readonly dst?: DstRule;
  /** No occurrence before it; a day means from its beginning. Of `@every` the anchor, and its first occurrence. */
  readonly startAt?: When;
  /** No occurrence after it; a day means through its end. */
  readonly endAt?: When;
  /** How many occurrences fire in all; then the schedule has ended. */
  readonly maxFires?: number;
  /** Occurrences that are left out: days, instants, ranges of either. */
  readonly exclude?: readonly Exclusion[];
  /** Which missed occurrences fire. @default "all" */
  readonly catchUp?: CatchUp;
  /** A job that has not begun this long after its occurrence expires. @default never */
  readonly expiresIn?: Duration;
  /**
   * What to do when a job of this schedule is unfinished: `"allow"` a second beside it, `"skip"` the occurrence,
   * `"queue"` the new job behind it, `"cancel"` it. @default "allow"
   */
  readonly overlap?: Overlap;
  /**
   * Delays each job by less than this. The delay is a hash of the schedule's name and the occurrence: the same on every
   * host, another for each occurrence. For one fixed offset per schedule write `H` in the expression. @default 0
   */
  readonly jitter?: Duration;
  /** Queue of the jobs. @default the task's, "default" */
  readonly queue?: string;
  /** Higher runs first. @default 0 */
  readonly priority?: number;
  /** How failed jobs are tried again. @default the task's */
  readonly retry?: StorableRetry;
  /** How long a job may run. @default the task's */
  readonly timeout?: Duration;
  /** Tags to find schedules and jobs by. */
  readonly tags?: readonly string[];
  /** Pauses the schedule after this many failed jobs in a row. @default never */
  readonly pauseAfterFailures?: number;
  /** Registers it paused; registering again with the same value does not change its state. @default false */
  readonly paused?: boolean;
}

/** The last argument of a call that takes a schedule's options: with the input where the task requires one. */
export type ScheduleArguments<Input> =
  IsOptional<Input> extends true
    ? [options?: ScheduleOptions<NoInfer<Known<Input>>>]
    : [options: ScheduleOptions<NoInfer<Input>> & { readonly input: NoInfer<Input> }];

/** Names of all options, to refuse a misspelt one. */
export const OPTION_NAMES: ReadonlySet<string> = new Set([
  "input",
  "timeZone",
  "days",
  "dst",
  "startAt",
  "endAt",
  "maxFires",
  "exclude",
  "catchUp",
  "expiresIn",
  "overlap",
  "jitter",
  "queue",
  "priority",
  "retry",
  "timeout",
  "tags",
  "pauseAfterFailures",
  "paused",
]);

/** How old an occurrence may be under catch-up `"none"`: some platforms trigger at most once a minute. */
const NONE_WITHIN_MS = 60_000;

/** A catch-up policy as it is stored. */
export type StoredCatchUp = "all" | "latest" | "none" | { readonly withinMs?: number; readonly max?: number };

const CATCH_UP_CHECKS: Checks<CatchUpLimits> = { within: duration({ minMs: 1 }), max: whole(1, 100_000) };

/** Reads a catch-up policy. */
export function readCatchUp(value: unknown): StoredCatchUp {
  if (value === "all" || value === "latest" || value === "none") return value;
  if (typeof value !== "object" || value === null) {
    throw invalid("catchUp", value, '"all", "latest", "none" or { within: "6h", max: 10 }');
  }
  const { within, max } = value as CatchUpLimits;
  checkOptions(value as CatchUpLimits, "catchUp", CATCH_UP_CHECKS);
  if (within === undefined && max === undefined) {
    throw invalid("catchUp", value, "{ within, max }, at least one of the two");
  }
  return {
    ...(within === undefined ? {} : { withinMs: parseDuration(within, "catchUp.within") }),
    ...(max === undefined ? {} : { max: max }),
  };
}

/** Makes the rule of the planner from a stored policy. */
export function catchUpRule(stored: StoredCatchUp): CatchUpRule {
  if (stored === "all") return { withinMs: Infinity, max: Infinity };
  if (stored === "latest") return { withinMs: Infinity, max: 1 };
  if (stored === "none") return { withinMs: NONE_WITHIN_MS, max: Infinity };
  return { withinMs: stored.withinMs ?? Infinity, max: stored.max ?? Infinity };
}

/** Checks that a value is one of a list of words. */
export function oneOf<T extends string>(value: unknown, option: string, words: readonly T[]): T {
  if (!words.includes(value as T)) throw invalid(option, value, words.map((word) => `"${word}"`).join(", "));
  return value as T;
}

/** Checks that a value is a whole number in a range, both ends included. */
export function wholeNumber(value: unknown, option: string, min: number, max: number): number {
  if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
    throw invalid(option, value, `a whole number from ${min} to ${max}`);
  }
  return value as number;
}

/** Checks a list of tags; sorted, each once. */
export function readTags(value: unknown): string[] {
  if (!Array.isArray(value) || value.some((tag) => typeof tag !== "string" || tag === "" || tag.length > 100)) {
    throw invalid("tags", value, "a list of words of at most 100 characters");
  }
  return [...new Set(value as string[])].sort();
}

/** Makes the error of an option that does not fit. */
export function invalid(option: string, value: unknown, expected: string): BelfryError {
  return new BelfryError("OPTION_INVALID", `Cannot use ${option} ${show(value)}: it must be ${expected}`);
}

function show(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
