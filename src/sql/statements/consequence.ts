/**
 * What follows from the end of jobs? One list of statements behind the mark, shared by all that end jobs.
 *
 * Whoever ends jobs writes its mark on them. Then: unfinished descendants of those that did not complete are cancelled
 * (and marked too), parents count the news and wake, schedules count failures and pause themselves, limits admit the
 * next. Only jobs that concern somebody (`tied`) stand in the index by mark, so the end of a plain job costs one look, and
 * where a driver can decide within a batch it ends there.
 */
import type { Args, Query, Sql } from "../driver.ts";
import type { Templates } from "../template.ts";
import { type LimitStatements, limitStatements } from "./limit.ts";

/** Columns that every end of a job sets alike; `state`, `error` and the mark come with it. */
export const ENDED: string = `finished_at = :now, held = 0, due = 0, resuming = 0, available_at = NULL, alarm_at = NULL,
  claim_token = NULL, claim_expires_at = NULL`;

const MARKED = "mark IN (:mark, :cascade) AND tied > 0 AND finished_at IS NOT NULL";

/** Statements of the consequences. */
export interface ConsequenceStatements {
  /** Finds a row where the batch's marks concern somebody. */
  readonly concerns: Sql;
  readonly all: readonly Sql[];
  readonly limits: LimitStatements;
}

/** Prepares the statements of the consequences. */
export function consequenceStatements(t: Templates): ConsequenceStatements {
  const limits = limitStatements(t);
  const cascade = t.sql(`WITH RECURSIVE down (id, cause) AS (
      SELECT c.id, e.state FROM {jobs} AS e JOIN {jobs} AS c ON c.parent_id = e.id
        WHERE e.mark IN (:mark, :cascade) AND e.tied > 0 AND e.finished_at IS NOT NULL AND e.state <> 'completed'
          AND c.finished_at IS NULL
      UNION SELECT c.id, d.cause FROM down AS d JOIN {jobs} AS c ON c.parent_id = d.id WHERE c.finished_at IS NULL)
    UPDATE {jobs} AS j SET state = 'cancelled', mark = :cascade, ${ENDED},
      error = COALESCE(:error, '{"name":"BelfryError","code":"JOB_CANCELLED","message":"its parent job ended as ' || down.cause || '"}')
      FROM down WHERE j.id = down.id AND j.id IN (SELECT id FROM down) AND j.finished_at IS NULL`);
  const wakeParents = t.sql(`UPDATE {jobs} AS p SET wakes = p.wakes + c.news,
      state = CASE WHEN p.state = 'waiting' THEN 'ready' ELSE p.state END,
      due = CASE WHEN p.state = 'waiting' THEN 1 ELSE p.due END,
      resuming = CASE WHEN p.state = 'waiting' THEN 1 ELSE p.resuming END,
      available_at = CASE WHEN p.state = 'waiting' THEN :now ELSE p.available_at END,
      alarm_at = CASE WHEN p.state = 'waiting' THEN NULL ELSE p.alarm_at END
    FROM (SELECT parent_id, count(*) AS news FROM {jobs} WHERE ${MARKED} AND parent_id IS NOT NULL GROUP BY parent_id) AS c
    WHERE p.id = c.parent_id AND p.finished_at IS NULL`);
  const failures = "CASE WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed END";
  const pauses = `s.state = 'active' AND s.pause_after_failures IS NOT NULL AND ${failures} >= s.pause_after_failures`;
  const countFailures = t.sql(`UPDATE {schedules} AS s SET failures = ${failures},
      state = CASE WHEN ${pauses} THEN 'paused' ELSE s.state END,
      note = CASE WHEN ${pauses} THEN 'paused after ' || ${failures} || ' failed jobs in a row' ELSE s.note END,
      revision = s.revision + 1, updated_at = :now
    FROM (SELECT schedule, count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE state = 'completed') AS completed
      FROM {jobs} WHERE ${MARKED} AND schedule IS NOT NULL GROUP BY schedule) AS e
    WHERE s.name = e.schedule AND s.failures <> ${failures}`);
  return {
    limits,
    concerns: t.sql(`SELECT 1 AS found WHERE EXISTS (SELECT 1 FROM {jobs} WHERE ${MARKED})
      OR EXISTS (SELECT 1 FROM {limits} WHERE mark = :mark)`),
    all: [
      cascade,
      // A descendant that was saving children while the first pass waited for it has them stored by now.
      ...(t.dialect.concurrent ? [cascade] : []),
      wakeParents,
      countFailures,
      limits.markEnded,
      ...limits.admit,
    ],
  };
}

/** The consequences of what carries the marks in `args`. @param error of cancelled descendants; null: names the cause */
export function consequences(statements: ConsequenceStatements, args: Args, error: string | null = null): Query[] {
  const all = { ...args, error };
  const when = { sql: statements.concerns, args };
  return statements.all.map((sql) => ({ sql, args: all, when }));
}
