/**
 * What follows from the end of jobs? Statements behind the mark (trick 1 of docs/sql.md), shared by all batches that
 * end jobs.
 *
 * The batch has written its mark on the jobs that it ended. Then unfinished descendants of those that did not complete
 * are cancelled (and marked too), waiting parents become ready, schedules count failures and pause themselves, limits
 * admit the next jobs. Only jobs that are tied to something (`tied`) are in the index by mark: for the end of a plain
 * job one look finds nothing, and a driver that can decide within a batch leaves out the rest.
 */
import type { Batch } from "../batch.ts";
import type { Sql } from "../driver.ts";
import type { Templates } from "../template.ts";
import { readyIfWaiting } from "./arrival.ts";
import { type LimitStatements, limitStatements } from "./limit.ts";

/** Assignments of every end of a job; `state`, `error` and the mark come with it. */
export const ENDED: string = `finished_at = :now, held = 0, due = 0, resuming = 0, available_at = NULL, alarm_at = NULL,
  claim_token = NULL, claim_expires_at = NULL`;

/** Jobs that the batch ended and that are tied to something. */
const ENDED_NOW = "mark IN (:mark, :cascade) AND tied > 0 AND finished_at IS NOT NULL";

/** Statements of the effects. */
export interface EndingEffectStatements {
  /** Finds a row where the batch ended a job that is tied to something, or opened a limit. */
  readonly found: Sql;
  readonly cancelDescendants: Sql;
  readonly reachParents: Sql;
  readonly countFailures: Sql;
  readonly limits: LimitStatements;
  /** All of them, in order. */
  readonly inOrder: readonly Sql[];
}

/** Prepares the statements. */
export function endingEffectStatements(t: Templates): EndingEffectStatements {
  const limits = limitStatements(t);
  // Tricks 12 and 18.
  const cancelDescendants = t.sql(`WITH RECURSIVE down (id, cause) AS (
      SELECT c.id, e.state FROM {jobs} AS e JOIN {jobs} AS c ON c.parent_id = e.id
        WHERE e.mark IN (:mark, :cascade) AND e.tied > 0 AND e.finished_at IS NOT NULL AND e.state <> 'completed'
          AND c.finished_at IS NULL
      UNION SELECT c.id, d.cause FROM down AS d JOIN {jobs} AS c ON c.parent_id = d.id WHERE c.finished_at IS NULL)
    UPDATE {jobs} AS j SET state = 'cancelled', mark = :cascade, ${ENDED},
      error = COALESCE(:error, '{"name":"BelfryError","code":"JOB_CANCELLED","message":"its parent job ended as ' || down.cause || '"}')
      FROM down WHERE j.id = down.id AND j.id IN (SELECT id FROM down) AND j.finished_at IS NULL`);
  const reachParents = t.sql(`UPDATE {jobs} AS p SET arrivals = p.arrivals + c.ended, ${readyIfWaiting("p")}
    FROM (SELECT parent_id, count(*) AS ended FROM {jobs} WHERE ${ENDED_NOW} AND parent_id IS NOT NULL GROUP BY parent_id) AS c
    WHERE p.id = c.parent_id AND p.finished_at IS NULL`);
  const failures = "CASE WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed END";
  const pauses = `s.state = 'active' AND s.pause_after_failures IS NOT NULL AND ${failures} >= s.pause_after_failures`;
  // The last condition: no change, no write (trick 27).
  const countFailures = t.sql(`UPDATE {schedules} AS s SET failures = ${failures},
      state = CASE WHEN ${pauses} THEN 'paused' ELSE s.state END,
      note = CASE WHEN ${pauses} THEN 'paused after ' || ${failures} || ' failed jobs in a row' ELSE s.note END,
      revision = s.revision + 1, updated_at = :now
    FROM (SELECT schedule, count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'completed') AS completed
      FROM {jobs} WHERE ${ENDED_NOW} AND schedule IS NOT NULL GROUP BY schedule) AS e
    WHERE s.name = e.schedule AND s.failures <> ${failures}`);
  return {
    limits,
    found: t.sql(`SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM {jobs} WHERE ${ENDED_NOW})
      OR EXISTS (SELECT 1 FROM {limits} WHERE mark = :mark)`),
    cancelDescendants,
    reachParents,
    countFailures,
    inOrder: [
      cancelDescendants,
      // Trick 6: a descendant that was saving children of its own while the first pass waited for it has them stored
      // now.
      ...(t.dialect.concurrent ? [cancelDescendants] : []),
      reachParents,
      countFailures,
      limits.markEnded,
      ...limits.admit,
    ],
  };
}

/**
 * Adds the effects of what the batch ended. Its parameter `error` is the error of cancelled descendants; null: one that
 * names how their parent ended.
 */
export function addEndingEffects<Name extends string>(batch: Batch<Name>, statements: EndingEffectStatements): void {
  batch.runWhere(statements.found, statements.inOrder);
}
