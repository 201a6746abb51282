/**
 * What does the engine note about a job from one run of it to the next?
 *
 * The notes are JSON in one column of the job, which storages keep and do not read. They are no records of the job's history,
 * so no name that a user gives to a step can clash with them.
 */

import type { StepRecord } from "../storage/port.ts";

/** The engine's notes about one job. */
export interface JobNotes {
  /** Version of the task with which the job began, if it was enqueued without one. */
  version?: string;
  /** The last attempt that ended with an error, and how many attempts were used by then. */
  thrown?: { attempt: number; used: number };
  /** `seq` of the first step saved after the last `retry` of the job; earlier ones are no progress of the new attempts. */
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

/** Makes the notes of a job that is put back: attempts are counted anew, and only steps saved from now on are progress. */
export function notesAfterRetry(job: { notes: string | null }, kept: readonly StepRecord[]): JobNotes {
  const { version } = readNotes(job);
  const progressFrom = kept.reduce((next, { state, seq }) => (state === "done" ? Math.max(next, seq! + 1) : next), 0);
  return { ...(version === undefined ? {} : { version }), ...(progressFrom === 0 ? {} : { progressFrom }) };
}
