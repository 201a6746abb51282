/**
 * What does registering do to a schedule that is stored already? Its row, the old and the new definition and the time in;
 * its new place and the outcomes of what the old timing had missed out. Pure: no clock, no storage, no chance.
 *
 * ```text
 *   stored state          new timing   missed occurrences            next occurrence
 *   --------------------  -----------  ----------------------------  -----------------------------------------------
 *   not stored            -            none                          first after now
 *   active                same         stay due                      kept
 *   active                changed      decided by the old policies   first after now
 *   paused                same         stay due                      kept
 *   paused                changed      recorded as "paused"          first after now
 *   ended                 any          none                          first after now
 *   broken, readable      as active
 *   broken, unreadable    any          stay due where kept           kept where the new timing has it, else first after now
 * ```
 *
 * "Timing" is what decides the occurrences (expression, zone, `days`, `dst`, `startAt`). `endAt` and a used-up `maxFires`
 * take the next occurrence away afterwards. "After now" is also after the last occurrence that has an outcome, so that a
 * host with a slow clock cannot set a schedule back: a run of skipped occurrences that began there would find its
 * place taken in the log and go unrecorded.
 */
import type { Instant, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { type ReadSchedule, sameTiming } from "./definition.ts";
import { merge, type PlannedOutcome, Planner, skipUntil } from "./planner.ts";

/** A stored schedule, and its definition or the error that makes it unreadable. */
export interface StoredSchedule {
  readonly record: ScheduleRecord;
  readonly read: ReadSchedule | Error;
}

/** How missed occurrences of a replaced timing are closed out. */
export type CloseOut = "nothing" | "decide" | "skip";

const CLOSE_OUT: Readonly<Record<ScheduleState, CloseOut>> = {
  active: "decide",
  broken: "decide",
  paused: "skip",
  ended: "nothing",
};

/** Tells how the occurrences that the stored timing has missed are closed out before `next` replaces it. */
export function closeOutOf({ record, read }: StoredSchedule, next: TimingOf, now: Instant): CloseOut {
  if (record.nextAt === null || record.nextAt > now) return "nothing";
  if (read instanceof Error || sameTiming(read.definition, next.definition)) return "nothing";
  return CLOSE_OUT[record.state];
}

type TimingOf = Pick<ReadSchedule, "definition">;

/** What registering changes. */
export interface Transition {
  readonly fields: Pick<ScheduleRecord, "state" | "nextAt" | "fired" | "skips" | "lastAt" | "failures" | "note">;
  /** Outcomes of what the old timing had missed, oldest first. */
  readonly outcomes: readonly PlannedOutcome[];
}

/** How many occurrences one step of counting may walk. */
const MAX_STEPS = 500_000;

/**
 * Decides what registering a definition makes of a stored schedule.
 *
 * @param stored what is stored; null where nothing is
 * @param next the new definition, with rules from the schedule's own anchor
 * @param now up to when the old timing is closed out; no job of the schedule is unfinished, or its overlap is not `skip`
 */
export function transition(stored: StoredSchedule | null, next: ReadSchedule, now: Instant): Transition {
  if (stored === null) {
    const nextAt = next.timing.next(now);
    const state = stateOf(next.definition.paused, nextAt);
    return { fields: { state, nextAt, fired: 0, skips: 0, lastAt: null, failures: 0, note: null }, outcomes: [] };
  }
  const { record, read } = stored;
  const closed = close(stored, next, now);
  const fired = record.fired + closed.fired;
  const lastAt = closed.lastAt ?? record.lastAt;
  const nextAt = nextPlace(stored, next, { fired, after: Math.max(now, lastAt ?? now) });
  const pausedBefore = !(read instanceof Error) && read.definition.paused;
  const { paused: pausedNow } = next.definition;
  const paused = pausedNow === pausedBefore ? record.state === "paused" : pausedNow;
  const resumed = record.state === "paused" && !paused;
  return {
    fields: {
      state: stateOf(paused, nextAt),
      nextAt,
      fired,
      // The new definition has skipped nothing yet.
      skips: 0,
      lastAt,
      failures: resumed ? 0 : record.failures,
      note: paused ? record.note : null,
    },
    outcomes: closed.outcomes,
  };
}

function stateOf(paused: boolean, nextAt: Instant | null): ScheduleState {
  if (paused) return "paused";
  return nextAt === null ? "ended" : "active";
}

function nextPlace(
  { record, read }: StoredSchedule,
  { definition, timing }: ReadSchedule,
  { fired, after }: { fired: number; after: Instant },
): Instant | null {
  if (definition.maxFires !== null && fired >= definition.maxFires) return null;
  const { nextAt } = record;
  const kept =
    nextAt !== null && (read instanceof Error ? timing.has(nextAt) : sameTiming(read.definition, definition));
  if (!kept) return timing.next(after);
  return definition.endAt !== null && nextAt > definition.endAt ? null : nextAt;
}

interface Closed {
  readonly outcomes: PlannedOutcome[];
  readonly fired: number;
  readonly lastAt: Instant | null;
}

function close(stored: StoredSchedule, next: TimingOf, now: Instant): Closed {
  const { record, read } = stored;
  const outcomes: PlannedOutcome[] = [];
  const how = closeOutOf(stored, next, now);
  if (how === "nothing" || read instanceof Error) return { outcomes, fired: 0, lastAt: null };
  if (how === "skip") {
    const lastAt = skipUntil(read, record.nextAt!, now, (outcome) => merge(outcomes, outcome));
    return { outcomes, fired: 0, lastAt };
  }
  const planner = new Planner(read, { ...record, busy: false }, now);
  while (planner.due) merge(outcomes, planner.decide(MAX_STEPS));
  return { outcomes, fired: planner.fired - record.fired, lastAt: planner.lastAt };
}
