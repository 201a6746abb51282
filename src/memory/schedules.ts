/**
 * How are schedules, outcomes and the lease of a memory storage stored?
 *
 * Active schedules are indexed by `nextAt`, so reading what is due costs no more than what is due. The lease keeps its
 * token when it is given up, since a fencing number never goes back.
 */
import type { LeaseRecord, OccurrenceRecord, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { ONLY_SKIPS_FROM } from "../storage/states.ts";
import { compareText, SortedSet } from "./sorted_set.ts";

/** A schedule, and the op of the batch that last wrote it. */
export interface Schedule {
  readonly row: ScheduleRecord;
  op: string | null;
}

const byName = (a: Schedule, b: Schedule): number => compareText(a.row.name, b.row.name);
const byNextAt = (a: Schedule, b: Schedule): number => a.row.nextAt! - b.row.nextAt! || byName(a, b);
const byAt = (a: OccurrenceRecord, b: OccurrenceRecord): number => a.at - b.at;
const byUntilAt = (a: OccurrenceRecord, b: OccurrenceRecord): number =>
  a.untilAt - b.untilAt || compareText(a.schedule, b.schedule) || a.at - b.at;

/** Called after each change of a schedule's row, and for each outcome that is recorded. */
export interface WatchSchedules {
  /** `before` is null for a new one, `after` for one that was removed. */
  changed(before: Readonly<ScheduleRecord> | null, after: Readonly<ScheduleRecord> | null): void;
  recorded(outcome: Readonly<OccurrenceRecord>): void;
}

/** All schedules and outcomes. */
export class ScheduleTable {
  readonly byName: Map<string, Schedule> = new Map();
  /** All schedules in order of name. */
  readonly inOrder: SortedSet<Schedule> = new SortedSet(byName);
  /** Active schedules in order of their next occurrence. */
  readonly active: SortedSet<Schedule> = new SortedSet(byNextAt);
  readonly counts: Record<ScheduleState, number> = { active: 0, paused: 0, ended: 0, broken: 0 };
  /** How many active schedules only skip. */
  onlySkips = 0;
  /** The latest generation that each owner has synced. */
  readonly owners: Map<string, number> = new Map();
  /** Outcomes of each schedule in order of occurrence; they outlive their schedule. */
  readonly outcomes: Map<string, SortedSet<OccurrenceRecord>> = new Map();
  /** All outcomes, oldest last occurrence first: the order in which they are purged. */
  readonly oldest: SortedSet<OccurrenceRecord> = new SortedSet(byUntilAt);

  /** Called for each change, for the oracle of the simulator. */
  watch: WatchSchedules | null = null;

  insert(row: ScheduleRecord, op: string | null): void {
    const schedule: Schedule = { row, op };
    this.byName.set(row.name, schedule);
    this.inOrder.add(schedule);
    this.#enter(schedule);
    this.watch?.changed(null, row);
  }

  /** Changes a schedule and its place in the indexes. The name stays. */
  change(schedule: Schedule, change: Partial<ScheduleRecord>): void {
    const before = this.watch && { ...schedule.row };
    this.#leave(schedule);
    Object.assign(schedule.row, change);
    this.#enter(schedule);
    this.watch?.changed(before, schedule.row);
  }

  remove(schedule: Schedule): void {
    this.#leave(schedule);
    this.byName.delete(schedule.row.name);
    this.inOrder.delete(schedule);
    this.watch?.changed(schedule.row, null);
  }

  /** Tells whether exactly this occurrence (not a run around it) has an outcome. */
  hasOutcome(schedule: string, at: number): boolean {
    const outcomes = this.outcomes.get(schedule);
    return outcomes?.get({ at } as OccurrenceRecord) !== undefined;
  }

  /** Records an outcome, unless its occurrence has one. */
  record(outcome: OccurrenceRecord): void {
    let outcomes = this.outcomes.get(outcome.schedule);
    if (!outcomes) {
      outcomes = new SortedSet(byAt);
      this.outcomes.set(outcome.schedule, outcomes);
    }
    if (outcomes.get(outcome)) return;
    const copy = { ...outcome };
    outcomes.add(copy);
    this.oldest.add(copy);
    this.watch?.recorded(copy);
  }

  /** Removes outcomes that ended before an instant, oldest first. @returns how many */
  purgeOutcomes(before: number, limit: number): number {
    let removed = 0;
    for (let outcome = this.oldest.first(); outcome && removed < limit; outcome = this.oldest.first()) {
      if (outcome.untilAt >= before) break;
      this.oldest.delete(outcome);
      const outcomes = this.outcomes.get(outcome.schedule)!;
      outcomes.delete(outcome);
      if (outcomes.size === 0) this.outcomes.delete(outcome.schedule);
      removed++;
    }
    return removed;
  }

  #enter(schedule: Schedule): void {
    const { row } = schedule;
    this.counts[row.state]++;
    if (onlySkips(row)) this.onlySkips++;
    if (row.state === "active" && row.nextAt !== null) this.active.add(schedule);
  }

  #leave(schedule: Schedule): void {
    const { row } = schedule;
    this.counts[row.state]--;
    if (onlySkips(row)) this.onlySkips--;
    if (row.state === "active" && row.nextAt !== null) this.active.delete(schedule);
  }
}

function onlySkips({ state, skips }: ScheduleRecord): boolean {
  return state === "active" && skips >= ONLY_SKIPS_FROM;
}

/** The lease. */
export class Lease {
  /** Null when nobody holds it. */
  holder: string | null = null;
  /** Grows with each new term. */
  token = 0;
  expiresAt = 0;

  /** Tells whether this is the current term, run out or not. */
  isOwnedBy(holder: string, token: number): boolean {
    return this.holder === holder && this.token === token;
  }

  /**
   * Asks for the lease.
   *
   * @param request `token`: that of the term the holder believes it has; null for a new one
   * @returns whether the holder leads
   */
  acquire(request: { holder: string; token: number | null; now: number; ttlMs: number }): boolean {
    const { holder, token, now, ttlMs } = request;
    const renews = this.holder === holder && token === this.token;
    const free = this.holder === null || this.expiresAt <= now || (this.holder === holder && token === null);
    if (!renews && !free) return false;
    if (!renews) this.token++;
    this.holder = holder;
    this.expiresAt = now + ttlMs;
    return true;
  }

  release(): void {
    this.holder = null;
  }

  /** The lease as a copy; null when nobody holds it. */
  record(): LeaseRecord | null {
    return this.holder === null ? null : { holder: this.holder, token: this.token, expiresAt: this.expiresAt };
  }
}
