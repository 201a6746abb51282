/**
 * What is to be said of an occurrence that has no entry in the log? From the schedule's row, its calendar and the time: that
 * there is no such occurrence and why, that it lies ahead and whether it will fire, or that it is due and what the next
 * tick will make of it. Pure, from the planner that fires.
 */
import { formatDuration } from "../base/duration.ts";
import type { Instant, ScheduleRecord, SkipReason } from "../storage/port.ts";
import type { ReadSchedule } from "./definition.ts";
import { delayMs } from "./firing.ts";
import { decisionOf, endsBefore, neighbour } from "./upcoming.ts";

/** All outcomes that `explain` tells. */
export const OUTCOMES = ["fired", "skipped", "pending", "upcoming", "none", "unknown"] as const;

/**
 * How an occurrence ended, or where it is.
 *
 * - `fired`: it became a job (see its state); `skipped`: it did not, for a reason, or will not because it is excluded;
 *   `pending`: it is due and nothing has decided it yet; `upcoming`: it lies ahead and will fire.
 * - `none`: the schedule has no occurrence then; `unknown`: no such schedule, or its log no longer has it.
 */
export type Outcome = (typeof OUTCOMES)[number];

/** Reasons in words. */
export const SKIPPED: Readonly<Record<SkipReason, string>> = {
  overlap: "an earlier job of this schedule was unfinished",
  paused: 'the schedule was paused, and resumed with missed: "skip"',
  expired: "it was too late: more than expiresIn after it",
  "catch-up": "it was missed, and the catchUp policy drops it",
  ended: "the schedule had fired maxFires times",
  excluded: "it is excluded",
};

/** An occurrence without entry in the log, and all that is known of its schedule. */
export interface Case {
  readonly name: string;
  /** The schedule's row; null where there is none. */
  readonly record: ScheduleRecord | null;
  /** Its definition, or the error that makes it unreadable; null where there is none. */
  readonly read: ReadSchedule | Error | null;
  readonly at: Instant;
  /** False where a local time was asked for that a change of clocks skips. */
  readonly exists: boolean;
  readonly now: Instant;
  /** Writes an instant for people. */
  readonly show: (at: Instant) => string;
}

/** What is said of it. */
export interface Verdict {
  readonly outcome: Outcome;
  readonly reason?: SkipReason;
  /** All of it in words. */
  readonly text: string;
}

/** A case whose schedule can be read. */
type Known = Case & { readonly record: ScheduleRecord; readonly read: ReadSchedule };

/** Says how an occurrence without entry in the log ended, or why there is none. */
export function verdictOf(asked: Case): Verdict {
  const { name, record, read, at, show } = asked;
  if (record === null) {
    const text = `No schedule is named "${name}": it was never registered, or was removed, and the log has nothing at ${show(at)}.`;
    return { outcome: "unknown", text };
  }
  if (read === null || read instanceof Error) {
    const text = `"${name}" is broken: ${read?.message ?? record.note}. It fires nothing until it is registered anew.`;
    return { outcome: "unknown", text };
  }
  const known = { ...asked, record, read };
  const none = notInCalendar(known);
  if (none !== null) return { outcome: "none", text: none };
  return alreadyPassed(known) ?? excludedOf(known) ?? (at > known.now ? ahead(known) : due(known));
}

/** Says why the calendar has no such occurrence; null where it has. */
function notInCalendar(asked: Known): string | null {
  const { name, read, at, exists, show } = asked;
  const { definition, timing } = read;
  const { startAt, endAt, timeZone, expression } = definition;
  if (!exists) {
    return `That local time does not exist in ${timeZone}: clocks went forward over it, to ${show(at)}. ${around(asked)}`;
  }
  if (startAt !== null && at < startAt) {
    return `${show(at)} is before startAt of "${name}", ${show(startAt)}. ${around(asked)}`;
  }
  if (endAt !== null && at > endAt) return `${show(at)} is after endAt of "${name}", ${show(endAt)}. ${around(asked)}`;
  if (timing.has(at)) return null;
  return `${show(at)} is no occurrence of "${name}" ("${expression}", ${timeZone}). ${around(asked)}`;
}

/** Says what of an occurrence that the schedule has passed by; null where it has still to decide it. */
function alreadyPassed({ name, record, at, show }: Known): Verdict | null {
  if (record.state === "ended") {
    const last = record.lastAt === null ? "" : `, last at ${show(record.lastAt)}`;
    return { outcome: "none", text: `"${name}" has ended: it fired ${record.fired} times${last}.` };
  }
  if (record.nextAt !== null && at >= record.nextAt) return null;
  if (at < record.createdAt) {
    const text = `"${name}" was registered only at ${show(record.createdAt)}. Backfill runs what came before.`;
    return { outcome: "none", text };
  }
  if (record.nextAt === null) return null;
  const text =
    `${show(at)} is decided, but the log does not have it: it is older than what is kept, or the schedule had another ` +
    "timing then.";
  return { outcome: "unknown", text };
}

function excludedOf(asked: Known): Verdict | null {
  const { name, read, at, now, show } = asked;
  if (!read.excluded?.at(at)) return null;
  const will = at > now ? "will not run" : "does not run, and the next tick records it as skipped";
  const text = `The occurrence of "${name}" at ${show(at)} is excluded: it ${will}. ${around(asked)}`;
  return { outcome: "skipped", reason: "excluded", text };
}

function ahead({ name, record, read, at, now, show }: Known): Verdict {
  if (endsBefore(read, at, record, now)) {
    const text =
      `"${name}" will have fired maxFires (${read.maxFires}) times before ${show(at)}, so it will have ended. It has ` +
      `fired ${record.fired} times so far.`;
    return { outcome: "none", text };
  }
  const paused = record.state === "paused" ? `, but "${name}" is paused${noteOf(record)}` : "";
  const availableAt = at + delayMs(name, at, read.definition);
  const jitter = availableAt > at ? ` Jitter makes its job available at ${show(availableAt)}.` : "";
  return { outcome: "upcoming", text: `${show(at)} lies ahead${paused}.${jitter}` };
}

function due({ name, record, read, at, now, show }: Known): Verdict {
  if (record.state === "paused") {
    const text =
      `"${name}" is paused${noteOf(record)}, so the occurrence at ${show(at)} has not fired; resume it with ` +
      'missed: "fire" to make up for it.';
    return { outcome: "pending", text };
  }
  const waits = `nothing has fired it for ${formatDuration(now - at)}: no process ticks, or the ticker is behind`;
  const text = `The occurrence of "${name}" at ${show(at)} is due and ${waits}. ${nextTick(read, at, record, now)}.`;
  return { outcome: "pending", text };
}

function nextTick(read: ReadSchedule, at: Instant, record: ScheduleRecord, now: Instant): string {
  const decision = decisionOf(read, at, record, now);
  if (decision === undefined) return "The next ticks decide it by its policies";
  if (decision !== null) return `The next tick skips it: ${SKIPPED[decision]}`;
  return read.overlap === "skip"
    ? "The next tick fires it unless a job of the schedule is unfinished"
    : "The next tick fires it";
}

function noteOf({ note }: ScheduleRecord): string {
  return note === null ? "" : ` (${note})`;
}

function around({ read, at, show }: Known): string {
  const shown = (instant: Instant | null): string => (instant === null ? "none" : show(instant));
  return `The occurrence before is ${shown(neighbour(read, at, -1))}, the one after ${shown(neighbour(read, at, 1))}.`;
}
