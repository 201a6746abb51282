/**
 * What do users see of a stored schedule? Where it stands, when it fires next, and its definition where this version can
 * read it.
 */
import type { Engine } from "../engine/engine.ts";
import type { Instant, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { readDefinition, type ScheduleDefinition } from "./definition.ts";
import { nextFire } from "./upcoming.ts";

/** A stored schedule. */
export interface ScheduleInfo {
  /** The schedule's name. */
  readonly name: string;
  /** Its state; only an active one fires. */
  readonly state: ScheduleState;
  /**
   * When the next job becomes available, epoch ms: without excluded occurrences, jitter added. In the past where a tick is
   * due; null where nothing will fire (paused, ended, broken, everything excluded).
   */
  readonly nextAt: Instant | null;
  /** The first occurrence without outcome, whatever becomes of it: where the schedule stands. Null where it has ended. */
  readonly nextBoundaryAt: Instant | null;
  /** The last occurrence that got an outcome; null before the first. */
  readonly lastAt: Instant | null;
  /** How many occurrences have fired. */
  readonly fired: number;
  /** How many times in a row it was due and nothing of it fired: too late, excluded, or a job was unfinished. */
  readonly skips: number;
  /** How many of its jobs failed in a row, up to now. */
  readonly failures: number;
  /** Why it is paused or broken; null otherwise. */
  readonly note: string | null;
  /** The owner that declared it with `sync`; null: none. */
  readonly owner: string | null;
  /** Grows with every change. */
  readonly revision: number;
  /** When it was first registered, epoch ms: the anchor of `@every`. */
  readonly createdAt: Instant;
  /** When it last changed or moved on, epoch ms. */
  readonly updatedAt: Instant;
  /** Its definition; null where this version cannot read it. */
  readonly definition: ScheduleDefinition | null;
}

/** Shows a stored schedule. */
export function scheduleInfo(
  record: ScheduleRecord,
  engine: Pick<Engine, "temporal" | "recurrence" | "clock">,
): ScheduleInfo {
  const { name, state, nextAt, lastAt, fired, skips, failures, note, owner, revision, createdAt, updatedAt } = record;
  const read = readDefinition(record, engine);
  const readable = !(read instanceof Error);
  const next = readable && state === "active" ? nextFire(name, read, record, engine.clock.now()) : null;
  return {
    name,
    state,
    nextAt: next?.availableAt ?? null,
    nextBoundaryAt: nextAt,
    lastAt,
    fired,
    skips,
    failures,
    note,
    owner,
    revision,
    createdAt,
    updatedAt,
    definition: readable ? read.definition : null,
  };
}
