/**
 * What does a due schedule fire, what does it skip and why, and where does it go on? State and time in, outcomes out.
 *
 * A `Planner` stands at the first occurrence without outcome and decides one step at a time: one occurrence that fires,
 * or a run of skipped ones that share a reason. Reasons come as stretches of time (everything before now - expiresIn
 * is expired, everything before the catch-up horizon is dropped), so a run is counted, not walked one outcome each,
 * and a week of missed seconds is a few steps. The caller decides how many steps it takes, from which schedule first.
 *
 * Pure: no clock, no storage, no random numbers. The same state and time give the same plan on every host, and a plan that
 * stops early goes on from the place that it reached.
 */

import type { ScheduleState, SkipReason } from "../storage/port.ts";
import type { Excluded } from "./exclude.ts";
import type { Timing } from "./timing.ts";

/** Which missed occurrences fire: those older than `withinMs`, and all but the newest `max`, are dropped. */
export interface CatchUpRule {
  /** How old an occurrence may be, ms; `Infinity`: any age. */
  readonly withinMs: number;
  /** How many of the newest fire; `Infinity`: all. */
  readonly max: number;
}

/** All overlap policies. */
export const OVERLAPS = ["allow", "skip", "queue", "cancel"] as const;

/** What to do when a job of the schedule is unfinished as the next occurrence comes. */
export type Overlap = (typeof OVERLAPS)[number];

/** The parts of a definition that decide what fires. */
export interface PlanRules {
  readonly timing: Timing;
  readonly excluded: Excluded | null;
  readonly catchUp: CatchUpRule;
  /** How long after an occurrence its job may begin, ms; null: without limit. */
  readonly expiresInMs: number | null;
  readonly overlap: Overlap;
  /** How many occurrences fire in all; null: no end. */
  readonly maxFires: number | null;
}

/** Where a schedule stands. */
export interface PlanState {
  /** The first occurrence without outcome. */
  readonly nextAt: number | null;
  readonly fired: number;
  readonly lastAt: number | null;
  /** A job of this schedule is unfinished. */
  readonly busy: boolean;
}

/** One decision: an occurrence that fires (`reason` null), or a run of `count` that do not. */
export interface PlannedOutcome {
  at: number;
  untilAt: number;
  count: number;
  reason: SkipReason | null;
}

/** Decides the due occurrences of one schedule, step by step. */
export class Planner {
  /** The first occurrence without outcome; null when there is none any more. */
  at: number | null;
  /** How many occurrences have fired, those decided here included. */
  fired: number;
  /** The last occurrence that got an outcome. */
  lastAt: number | null;
  /** An occurrence fires under overlap `cancel`, so the unfinished jobs must be cancelled. */
  cancels = false;
  readonly #rules: PlanRules;
  readonly #now: number;
  #busy: boolean;
  /** Occurrences at or before it have expired. */
  readonly #expiredUntil: number;
  /** Occurrences before it are dropped by the catch-up policy. */
  readonly #catchUpFrom: number;
  /** The only one that fires under overlap `cancel`, since each newer occurrence would cancel the older. */
  readonly #newest: number;

  constructor(rules: PlanRules, state: PlanState, now: number) {
    this.#rules = rules;
    this.#now = now;
    this.at = state.nextAt;
    this.fired = state.fired;
    this.lastAt = state.lastAt;
    this.#busy = state.busy;
    this.#expiredUntil = rules.expiresInMs === null ? -Infinity : now - rules.expiresInMs;
    const { withinMs, max } = rules.catchUp;
    this.#catchUpFrom = this.due ? Math.max(now - withinMs, this.#nthNewest(max)) : -Infinity;
    this.#newest = this.due && rules.overlap === "cancel" ? this.#nthNewest(1) : -Infinity;
  }

  /** Whether an occurrence waits for its outcome. */
  get due(): boolean {
    return this.at !== null && this.at <= this.#now;
  }

  /** How many steps an outcome took to find: arithmetic counts a run of any length in one. */
  cost(outcome: PlannedOutcome): number {
    return this.#rules.timing.arithmetic && this.#rules.excluded === null ? 1 : outcome.count;
  }

  /** The state the schedule is in after what was decided. */
  get state(): ScheduleState {
    return this.at === null ? "ended" : "active";
  }

  /**
   * Decides the next step; only while {@link due}.
   *
   * @param maxSteps how many occurrences of a calendar expression may be walked to count a run; what is left of a longer
   * run comes with the next call
   */
  decide(maxSteps: number): PlannedOutcome {
    const at = this.at!;
    const reason = this.#reason(at);
    const outcome = reason === null ? { at, untilAt: at, count: 1, reason } : this.#run(at, reason, maxSteps);
    this.lastAt = outcome.untilAt;
    if (reason === null) {
      this.fired++;
      this.#busy = true;
      if (this.#rules.overlap === "cancel") this.cancels = true;
    }
    this.at = this.#rules.timing.next(outcome.untilAt);
    // What is due after the last fire is still recorded, as "ended"; what lies ahead is not.
    if (this.#spent && !this.due) this.at = null;
    return outcome;
  }

  get #spent(): boolean {
    return this.#rules.maxFires !== null && this.fired >= this.#rules.maxFires;
  }

  #reason(at: number): SkipReason | null {
    if (this.#spent) return "ended";
    if (this.#rules.excluded?.at(at)) return "excluded";
    if (at <= this.#expiredUntil) return "expired";
    if (at < this.#catchUpFrom) return "catch-up";
    if (at < this.#newest) return "overlap";
    return this.#rules.overlap === "skip" && this.#busy ? "overlap" : null;
  }

  /** Counts the occurrences from `at` on that are skipped for the same reason. */
  #run(at: number, reason: SkipReason, maxSteps: number): PlannedOutcome {
    const { timing, excluded } = this.#rules;
    if (excluded === null || reason === "ended") {
      const { count, untilAt } = timing.count(at, this.#stretch(reason), maxSteps);
      return { at, untilAt, count, reason };
    }
    let count = 1;
    let untilAt = at;
    while (count < maxSteps) {
      const next = timing.next(untilAt);
      if (next === null || next > this.#now || this.#reason(next) !== reason) break;
      untilAt = next;
      count++;
    }
    return { at, untilAt, count, reason };
  }

  /** The last instant to which a reason holds, when nothing is excluded. */
  #stretch(reason: SkipReason): number {
    if (reason === "expired") return this.#expiredUntil;
    // Whole milliseconds: just before the horizon.
    if (reason === "catch-up") return this.#catchUpFrom - 1;
    if (reason === "overlap" && this.#rules.overlap === "cancel") return this.#newest - 1;
    return this.#now;
  }

  /** Finds the `n`th newest due occurrence that is not excluded; `-Infinity` where there are fewer. */
  #nthNewest(n: number): number {
    if (n === Infinity) return -Infinity;
    const { timing, excluded } = this.#rules;
    const oldest = this.at!;
    let before = this.#now + 1;
    for (let left = n; left > 0; ) {
      const at = timing.previous(before);
      if (at === null || at < oldest) return -Infinity;
      const range = excluded?.at(at);
      // A whole excluded range is skipped in one step.
      before = range ? range.from : at;
      if (!range) left--;
    }
    return before;
  }
}

/** What {@link plan} decided. */
export interface Plan {
  outcomes: PlannedOutcome[];
  state: ScheduleState;
  nextAt: number | null;
  fired: number;
  lastAt: number | null;
  cancelUnfinished: boolean;
  /** More is due than the limits allowed. */
  more: boolean;
}

/** How much one plan may decide. */
export interface PlanLimits {
  /** How many occurrences may fire. */
  maxFires: number;
  /** How many occurrences may be walked in counting runs. */
  maxSteps: number;
}

/** Decides the due occurrences of one schedule, oldest first, as far as the limits allow. */
export function plan(rules: PlanRules, state: PlanState, now: number, limits: PlanLimits): Plan {
  const planner = new Planner(rules, state, now);
  const outcomes: PlannedOutcome[] = [];
  let fires = 0;
  let steps = limits.maxSteps;
  while (planner.due && fires < limits.maxFires && steps > 0) {
    const outcome = planner.decide(steps);
    if (outcome.reason === null) fires++;
    steps -= planner.cost(outcome);
    merge(outcomes, outcome);
  }
  return {
    outcomes,
    state: planner.state,
    nextAt: planner.at,
    fired: planner.fired,
    lastAt: planner.lastAt,
    cancelUnfinished: planner.cancels,
    more: planner.due,
  };
}

/** Appends an outcome, joining it to the run before where both were skipped for one reason. */
export function merge(outcomes: PlannedOutcome[], outcome: PlannedOutcome): void {
  const last = outcomes.at(-1);
  if (last && last.reason !== null && last.reason === outcome.reason) {
    last.untilAt = outcome.untilAt;
    last.count += outcome.count;
  } else outcomes.push(outcome);
}

/**
 * Skips all occurrences from one up to an instant because the schedule was paused.
 *
 * @param from the first of them
 * @returns the last of them
 */
export function skipUntil(
  { timing }: Pick<PlanRules, "timing">,
  from: number,
  to: number,
  add: (outcome: PlannedOutcome) => void,
): number {
  let lastAt = from;
  for (let at: number | null = from; at !== null && at <= to; at = timing.next(lastAt)) {
    const { count, untilAt } = timing.count(at, to, SKIP_STEPS);
    add({ at, untilAt, count, reason: "paused" });
    lastAt = untilAt;
  }
  return lastAt;
}

/** How long runs are that {@link skipUntil} hands out. */
const SKIP_STEPS = 1_000_000;
