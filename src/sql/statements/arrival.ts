/**
 * What happens to a job that a signal or the end of a child reaches? Its `arrivals` are counted in any case; where it
 * waits, it becomes ready.
 */

/** Assignments that make a waiting job ready, and leave every other job as it is. @param job alias of the job's table */
export function readyIfWaiting(job: string): string {
  const either = (column: string, ready: string): string =>
    `${column} = CASE WHEN ${job}.state = 'waiting' THEN ${ready} ELSE ${job}.${column} END`;
  return [
    either("state", "'ready'"),
    either("due", "1"),
    either("resuming", "1"),
    either("available_at", ":now"),
    either("alarm_at", "NULL"),
  ].join(", ");
}
