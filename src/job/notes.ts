/**
 * Names of the records that the engine keeps among a job's steps. They are no part of what the code asks for.
 */

/** Counts the attempts that a job has used. */
export const ATTEMPT_NOTE = "attempt()";
