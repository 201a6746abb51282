/**
 * Errors that Belfry throws, and the "did you mean" that goes into their messages.
 *
 * Expected outcomes are values, never errors. What is left has a stable `code`: the code is API, the message is for
 * people. A message says what was attempted, quotes the input, says what is wrong and what to do.
 */

/** All codes, in the order in which {@link ErrorCode} explains them. */
export const ERROR_CODES = [
  "CRON_SYNTAX",
  "CRON_NEVER",
  "ZONE_UNKNOWN",
  "DURATION_INVALID",
  "OPTION_INVALID",
  "NAME_INVALID",
  "TASK_DUPLICATE",
  "TASK_UNKNOWN",
  "INPUT_INVALID",
  "PAYLOAD_UNSERIALIZABLE",
  "PAYLOAD_TOO_LARGE",
  "PAYLOAD_UNREADABLE",
  "SCHEDULE_BROKEN",
  "SCHEDULE_UNKNOWN",
  "JOB_UNKNOWN",
  "QUEUE_UNKNOWN",
  "JOB_STATE",
  "JOB_FAILED",
  "JOB_CANCELLED",
  "JOB_EXPIRED",
  "RESULT_TIMEOUT",
  "STEP_TIMEOUT",
  "JOB_TIMEOUT",
  "REPLAY_MISMATCH",
  "CLAIM_LOST",
  "SIGNAL_TIMEOUT",
  "SCHEMA_NEWER",
  "SCHEMA_INVALID",
  "SAVE_REFUSED",
  "STORAGE_UNUSABLE",
  "STORAGE_UNAVAILABLE",
  "STORAGE_BUSY",
  "CLOSED",
] as const;

/**
 * Stable codes of {@link BelfryError}.
 *
 * - `CRON_SYNTAX`: an expression cannot be read.
 * - `CRON_NEVER`: a schedule's expression has no occurrence, ever.
 * - `ZONE_UNKNOWN`: this runtime knows no such time zone.
 * - `DURATION_INVALID`: a duration is unreadable, negative or out of range.
 * - `OPTION_INVALID`: another option is out of its range or of the wrong type.
 * - `NAME_INVALID`: a name is empty, too long or has control characters.
 * - `TASK_DUPLICATE`, `TASK_UNKNOWN`: a task's name is taken, or nothing has that name.
 * - `INPUT_INVALID`: an input does not fit its task's schema.
 * - `PAYLOAD_UNSERIALIZABLE`: JSON would lose or change a part of a value.
 * - `PAYLOAD_TOO_LARGE`: an encoded value is over the size limit.
 * - `PAYLOAD_UNREADABLE`: a stored value cannot be decoded (wrong key, wrong codec).
 * - `SCHEDULE_BROKEN`: a stored schedule cannot be read or planned by this version or in this runtime.
 * - `SCHEDULE_UNKNOWN`, `JOB_UNKNOWN`, `QUEUE_UNKNOWN`: nothing of that name or id is stored.
 * - `JOB_STATE`: the job's state does not allow what was asked.
 * - `JOB_FAILED`, `JOB_CANCELLED`, `JOB_EXPIRED`: how the job that was awaited ended.
 * - `RESULT_TIMEOUT`: the awaited result did not come in time; the job goes on.
 * - `STEP_TIMEOUT`, `JOB_TIMEOUT`: a step or a job ran longer than it may.
 * - `REPLAY_MISMATCH`: a job's history does not fit the code that replays it.
 * - `CLAIM_LOST`: the worker no longer holds the job; nothing more of this attempt is saved.
 * - `SIGNAL_TIMEOUT`: reserved for `waitFor` with `onTimeout: "throw"`.
 * - `SCHEMA_NEWER`: the database was written by a newer Belfry.
 * - `SCHEMA_INVALID`: the database's tables are not Belfry's.
 * - `STORAGE_UNUSABLE`: the database cannot be opened, read or written.
 * - `STORAGE_UNAVAILABLE`: the database did not answer; what was asked may or may not have happened.
 * - `STORAGE_BUSY`: another writer held the database's lock longer than the busy timeout.
 * - `CLOSED`: the object was closed.
 */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * Carries a stable {@link ErrorCode} for what a caller may handle.
 *
 * @example
 * ```ts
 * import { BelfryError } from "./error.ts";
 *
 * const error = new BelfryError("TASK_UNKNOWN", 'Cannot enqueue "raport": no task of that name');
 * if (error.code !== "TASK_UNKNOWN") throw error;
 * ```
 */
export class BelfryError extends Error {
  /** Stable name of what went wrong. */
  readonly code: ErrorCode;

  /**
   * Makes the error.
   *
   * @param code stable name of what went wrong
   * @param message what was attempted, what is wrong, what to do
   * @param options `cause`: the error behind this one
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BelfryError";
    this.code = code;
  }
}

/** What {@link CronSyntaxError} knows about the place it points at. */
export interface CronSyntaxDetails {
  /** The whole expression as it was given. */
  expression: string;
  /** Name of the field, `"expression"` where no single field is at fault. */
  field: string;
  /** Zero-based offset of the fault in `expression`. */
  column: number;
  /** The text that does not fit, empty where something is missing. */
  found: string;
  /** What would fit there. */
  expected: string;
  /** The remedy, where one can be guessed. */
  hint?: string | undefined;
  /** Name of the schedule that was to be registered; absent where the expression was read by itself. */
  schedule?: string | undefined;
}

/** Says where and why an expression cannot be read; `code` is `CRON_SYNTAX`, the message draws a caret under the place. */
export class CronSyntaxError extends BelfryError implements CronSyntaxDetails {
  /** The whole expression as it was given. */
  declare readonly expression: string;
  /** Name of the field, `"expression"` where no single field is at fault. */
  declare readonly field: string;
  /** Zero-based offset of the fault in `expression`. */
  declare readonly column: number;
  /** The text that does not fit, empty where something is missing. */
  declare readonly found: string;
  /** What would fit there. */
  declare readonly expected: string;
  /** The remedy, where one can be guessed. */
  declare readonly hint: string | undefined;
  /** Name of the schedule that was to be registered; undefined where the expression was read by itself. */
  declare readonly schedule: string | undefined;

  /**
   * Makes the error and its message.
   *
   * @param details the place, what is there and what should be
   */
  constructor(details: CronSyntaxDetails) {
    const { expression, field, column, found, expected, hint, schedule } = details;
    const cannot = schedule === undefined ? "Cannot" : `Cannot schedule ${JSON.stringify(schedule)}: cannot`;
    // What cannot be seen is named: a no-break space is U+00A0.
    const shown = found.replace(
      /[^ -~\t]/g,
      (char) => `U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
    );
    super(
      "CRON_SYNTAX",
      `${cannot} read the expression: in ${field}, found ${found ? `"${shown}"` : "nothing"}, expected ${expected}` +
        `\n  ${expression.replace(/\s/g, " ")}\n  ${" ".repeat(column)}^${hint ? `\n${hint}` : ""}`,
    );
    Object.assign(this, details, { name: "CronSyntaxError" });
  }
}

/**
 * Finds the candidate nearest to a misspelt name: fewest insertions, deletions and replacements.
 *
 * @param limit how many of them are too far: half of the name's length by default, and never more than 3
 * @returns the nearest candidate, or `undefined` where none is near enough to be meant
 */
export function nearest(name: string, candidates: Iterable<string>, limit = name.length / 2): string | undefined {
  let best: string | undefined;
  let most = Math.min(3, Math.floor(limit));
  for (const candidate of candidates) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), most);
    if (distance <= most) {
      best = candidate;
      most = distance - 1;
    }
  }
  return best;
}

/** Counts the edits between two texts; a branch with more than `most` of them is given up, so there are few. */
function editDistance(a: string, b: string, most: number): number {
  if (most < 0) return Infinity;
  if (!a || !b) return a.length + b.length;
  const edit = (fromA: number, fromB: number): number => 1 + editDistance(a.slice(fromA), b.slice(fromB), most - 1);
  if (a[0] === b[0]) return editDistance(a.slice(1), b.slice(1), most);
  return Math.min(edit(1, 0), edit(0, 1), edit(1, 1));
}
