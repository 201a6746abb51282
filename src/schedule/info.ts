/**
 * A stored schedule as users see it: where it stands, and its definition, if this version can read it.
 */
import type { TemporalLike } from "../cron/zone.ts";
import type { Instant, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { readDefinition, type ScheduleDefinition } from "./definition.ts";

/** A schedule: where it stands and what it does. */
export interface ScheduleInfo {
  /** The schedule's name. */
  readonly name: string;
  /** Whether it fires. */
  readonly state: ScheduleState;
  /** The next occurrence, epoch ms; null where there is none. */
  readonly nextAt: Instant | null;
  /** The last occurrence that got an outcome; null before the first. */
  readonly lastAt: Instant | null;
  /** How many occurrences have fired. */
  readonly fired: number;
  /** How many times in a row it was due and nothing of it fired: too late, excluded, or a job was unfinished. */
  readonly skips: number;
  /** How many of its jobs failed in a row, up to now. */
  readonly failures: number;
  /** Why it is paused or broken. */
  readonly note: string | null;
  /** Who declared it with `sync`. */
  readonly owner: string | null;
  /** Grows with every change. */
  readonly revision: number;
  /** When it was first registered, epoch ms: the anchor of `@every`. */
  readonly createdAt: Instant;
  /** When it last changed or moved on, epoch ms. */
  readonly updatedAt: Instant;
  /** What it does; null where this version cannot read it. */
  readonly definition: ScheduleDefinition | null;
}

/** Shows a stored schedule. */
export function scheduleInfo(record: ScheduleRecord, temporal: TemporalLike | undefined): ScheduleInfo {
  const { name, state, nextAt, lastAt, fired, skips, failures, note, owner, revision, createdAt, updatedAt } = record;
  const read = readDefinition(record, temporal);
  const definition = read instanceof Error ? null : read.definition;
  return {
    name,
    state,
    nextAt,
    lastAt,
    fired,
    skips,
    failures,
    note,
    owner,
    revision,
    createdAt,
    updatedAt,
    definition,
  };
}
