/**
 * What does the engine note about a job from one run of it to the next?
 *
 * The notes are one column of the job, JSON that storages keep and do not read. They are no records of the job's history,
 * so no name that a user gives to a step can meet them.
 */

import type { StepRecord } from "../storage/port.ts";

/** The engine's notes about one job. */
export interface JobNotes {
  /** Version of the task with which the job began, where it was not enqueued for one. */
  version?: string;
  /** The last attempt that ended with an error, and how many attempts were used by then. */
  thrown?: { attempt: number; used: number };
  /** `seq` of the first step that counts as progress of the present attempts; earlier ones are of before a `retry`. */
  progressFrom?: number;
}

/** Reads the notes of a stored job; text that is no object counts as none. */
export function readNotes({ notes }: { notes: string | null }): JobNotes {
  if (notes === null) return {};
  try {
    const value: unknown = JSON.parse(notes);
    return typeof value === "object" && value !== null ? (value as JobNotes) : {};
  } catch {
    return {};
  }
}

/** The notes of a job that is put back: attempts are counted anew, and only steps saved from now on are progress. */
export function notesAfterRetry(job: { notes: string | null }, kept: readonly StepRecord[]): JobNotes {
  const { version } = readNotes(job);
  const progressFrom = kept.reduce((next, { state, seq }) => (state === "done" ? Math.max(next, seq! + 1) : next), 0);
  return { ...(version === undefined ? {} : { version }), ...(progressFrom === 0 ? {} : { progressFrom }) };
}
