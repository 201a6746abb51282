/**
 * What will a schedule fire, from where it stands? What is due is decided by the planner that fires, as the next tick
 * would; what lies ahead is the calendar without excluded occurrences, until `maxFires` is used up. Each job becomes
 * available after its jitter. Everything that says "next" to people asks here, so that it says what will happen.
 *
 * Overlap is the one thing that nobody can tell beforehand: jobs are taken to have ended. Pure.
 */
import type { Instant, SkipReason } from "../storage/port.ts";
import type { ReadSchedule } from "./definition.ts";
import { delayMs } from "./firing.ts";
import { Planner, type PlanState } from "./planner.ts";

/** Where a schedule stands: {@link PlanState} without what only a tick knows. */
export type Standing = Omit<PlanState, "busy">;

/** An occurrence to come. */
export interface Upcoming {
  /** The occurrence. */
  readonly at: Instant;
  /** When its job becomes available: later where there is `jitter`. */
  readonly availableAt: Instant;
  /** It is left out by `exclude` and will not fire. */
  readonly excluded: boolean;
}

/** How many occurrences may be walked to answer one question about one schedule. */
const MAX_STEPS = 500_000;
/** The same for each of many: about a millisecond. */
const MAX_STEPS_OF_MANY = 20_000;

/** Options of {@link upcoming}. */
export interface UpcomingOptions {
  readonly standing: Standing;
  readonly now: Instant;
  /** Also lists, marked, the excluded ones among those that lie ahead. @default false */
  readonly withExcluded?: boolean;
  /** How many due occurrences may be walked to decide them. @default 500,000 */
  readonly maxSteps?: number;
}

/**
 * Lists the occurrences that will fire, oldest first; endless where the schedule is.
 *
 * @param name the schedule's name: jitter depends on it
 */
export function* upcoming(
  name: string,
  rules: ReadSchedule,
  { standing, now, withExcluded = false, maxSteps = MAX_STEPS }: UpcomingOptions,
): Generator<Upcoming, void> {
  const { timing, excluded, definition } = rules;
  const entry = (at: Instant, excluded: boolean): Upcoming => ({
    at,
    availableAt: at + delayMs(name, at, definition),
    excluded,
  });
  const planner = new Planner(rules, { ...standing, busy: false }, now);
  for (let steps = maxSteps; planner.due && steps > 0; ) {
    const outcome = planner.decide(steps);
    steps -= planner.cost(outcome);
    if (outcome.reason === null) yield entry(outcome.at, false);
  }
  let left = (rules.maxFires ?? Infinity) - planner.fired;
  for (let at = planner.at; at !== null && left > 0; ) {
    const range = excluded?.at(at) ?? null;
    if (range === null) left--;
    if (range === null || withExcluded) yield entry(at, range !== null);
    // A whole excluded range is passed in one step.
    at = timing.next(range === null || withExcluded ? at : range.to);
  }
}

/** Finds the first occurrence that will fire; null where none will. */
export function nextFire(name: string, rules: ReadSchedule, standing: Standing, now: Instant): Upcoming | null {
  const { value } = upcoming(name, rules, { standing, now, maxSteps: MAX_STEPS_OF_MANY }).next();
  return value ?? null;
}

/** Tells whether `maxFires` will be used up before an occurrence that lies ahead. */
export function endsBefore(rules: ReadSchedule, at: Instant, standing: Standing, now: Instant): boolean {
  if (rules.maxFires === null) return false;
  let steps = 0;
  for (const fire of upcoming("", rules, { standing, now })) if (fire.at >= at || ++steps > MAX_STEPS) return false;
  return true;
}

/**
 * Tells what the next tick will make of a due occurrence, if no job of the schedule is unfinished then.
 *
 * @returns null: it will fire; undefined where that takes too long to find out
 */
export function decisionOf(
  rules: ReadSchedule,
  at: Instant,
  standing: Standing,
  now: Instant,
): SkipReason | null | undefined {
  const planner = new Planner(rules, { ...standing, busy: false }, now);
  for (let steps = MAX_STEPS; planner.due && steps > 0; ) {
    const outcome = planner.decide(steps);
    if (at <= outcome.untilAt) return outcome.reason;
    steps -= planner.cost(outcome);
  }
  return undefined;
}

/** Finds the nearest occurrence before (-1) or after (1) an instant that is not excluded; null where there is none. */
export function neighbour({ timing, excluded }: ReadSchedule, at: Instant, direction: -1 | 1): Instant | null {
  const step = (from: Instant): Instant | null => (direction === 1 ? timing.next(from) : timing.previous(from));
  for (let found = step(at); ; ) {
    const range = found === null ? null : (excluded?.at(found) ?? null);
    if (range === null) return found;
    // A whole excluded range is skipped in one step.
    found = step(direction === 1 ? range.to : range.from);
  }
}
