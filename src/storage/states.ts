/**
 * The words for states and reasons that storages keep, as lists: types, checks and API descriptions are made from them,
 * so none of these can know a word that another lacks.
 */

/** All states of a schedule. */
export const SCHEDULE_STATES = ["active", "paused", "ended", "broken"] as const;

/**
 * State of a schedule.
 *
 * - `active`: fires when `nextAt` is reached; `nextAt` is never null.
 * - `paused`: fires nothing; `nextAt` stays where it was when it paused, so that resuming can catch up.
 * - `ended`: past its `endAt`, its `maxFires` or its last occurrence; `nextAt` is null.
 * - `broken`: its definition cannot be read or planned; `note` says why.
 */
export type ScheduleState = (typeof SCHEDULE_STATES)[number];

/** From this many fires in a row that made no job (`skips`) a schedule is counted and reported as one that only skips. */
export const ONLY_SKIPS_FROM = 3;

/** All reasons for which an occurrence does not fire. */
export const SKIP_REASONS = ["overlap", "paused", "expired", "catch-up", "ended", "excluded"] as const;

/** Why an occurrence did not fire. */
export type SkipReason = (typeof SKIP_REASONS)[number];

/** All states of a job. */
export const JOB_STATES = ["ready", "running", "waiting", "completed", "failed", "cancelled", "expired"] as const;

/**
 * State of a job.
 *
 * ```text
 *             enqueue            claim              save
 *                │       ┌────────────────┐  ┌──────────────> completed
 *                v       │                v  │
 *              ready ────┘             running ─────────────> failed
 *              ^ ^ │                    │ │  │
 *              │ │ │  expiresAt passes  │ │  └─ retry, sleep, give back ─> ready
 *              │ │ └────> expired       │ └──── waits ───────> waiting
 *              │ └── claim runs out ────┘                         │
 *              └──────────── signal, child ended, timeout ────────┘
 *   any unfinished state ── cancel ──> cancelled;   failed | cancelled | expired ── retry ──> ready
 * ```
 */
export type JobState = (typeof JOB_STATES)[number];

/** All kinds of steps. */
export const STEP_KINDS = ["step", "sleep", "wait", "invoke", "spawn", "value", "patch"] as const;

/** Kind of a step: what the code asked for. */
export type StepKind = (typeof STEP_KINDS)[number];

/** All states of a step. */
export const STEP_STATES = ["pending", "done", "failed"] as const;

/** State of a step. `pending`: begun, not over (a sleep, a wait, a running child, a failed try that will be repeated). */
export type StepState = (typeof STEP_STATES)[number];
