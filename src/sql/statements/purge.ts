/**
 * How is history deleted? A bounded chunk at a time: jobs that ended long ago with their steps and signals, and old
 * outcomes.
 *
 * The jobs of the chunk are marked first, oldest ends first; then everything of marked jobs is deleted. So a job that
 * is put back at the same moment keeps its steps.
 */
import type { PurgeReply, PurgeRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Sql } from "../driver.ts";
import type { Templates } from "../template.ts";

/** Statements of purging, in order. */
export interface PurgeStatements {
  /** Marks the chunk. */
  readonly mark: Sql;
  readonly steps: Sql;
  readonly signals: Sql;
  readonly jobs: Sql;
  readonly occurrences: Sql;
  /** Starts that no rate counts any more. */
  readonly starts: Sql;
  /** Limits that no job has any more. */
  readonly limits: Sql;
}

/** Prepares the statements. */
export function purgeStatements(t: Templates): PurgeStatements {
  const d = t.dialect;
  const marked = "tied > 0 AND finished_at IS NOT NULL AND mark = :mark";
  const old = (state: string, before: string): string =>
    `SELECT id, finished_at FROM {jobs} AS j WHERE state = '${state}' AND finished_at < :${before} AND NOT EXISTS
      (SELECT 1 FROM {jobs} AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL)
      ORDER BY finished_at LIMIT (SELECT :limit)${d.skipLockedOf("j")}`;
  const chunk = [
    old("completed", "finishedBefore"),
    old("cancelled", "finishedBefore"),
    old("expired", "finishedBefore"),
    old("failed", "failedBefore"),
  ].map((select, i) => `SELECT id, finished_at FROM (${select}) AS chunk${i}`);
  return {
    mark: t.sql(`WITH chunk AS MATERIALIZED (${chunk.join(" UNION ALL ")})
        UPDATE {jobs} SET mark = :mark, tied = tied | 1 WHERE finished_at IS NOT NULL
          AND id IN (SELECT id FROM chunk ORDER BY finished_at, id LIMIT (SELECT :limit))`),
    steps: t.sql(`DELETE FROM {steps} WHERE job_id IN (SELECT id FROM {jobs} WHERE ${marked})`),
    signals: t.sql(`DELETE FROM {signals} WHERE job_id IN (SELECT id FROM {jobs} WHERE ${marked})`),
    jobs: t.sql(`DELETE FROM {jobs} WHERE ${marked} RETURNING id`),
    occurrences: t.sql(`DELETE FROM {occurrences} WHERE (schedule, at) IN (SELECT schedule, at FROM {occurrences}
        WHERE until_at < :occurrencesBefore ORDER BY until_at, schedule, at LIMIT (SELECT :limit)) RETURNING at`),
    starts: t.sql(`DELETE FROM {starts} WHERE at <= :now - (SELECT COALESCE(max(rate_per_ms), 0) FROM
        (SELECT rate_per_ms FROM {queues} UNION ALL SELECT rate_per_ms FROM {limits}) AS rates)`),
    limits: t.sql(`DELETE FROM {limits} WHERE mark IS NULL AND NOT EXISTS
          (SELECT 1 FROM {jobs} AS j WHERE j.limit_key = {limits}.key AND j.limit_key IS NOT NULL AND j.held = 0 AND j.finished_at IS NULL)
        AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE j.limit_key = {limits}.key AND j.held = 1 AND j.due = 1)
        AND NOT EXISTS (SELECT 1 FROM {jobs} AS j WHERE j.limit_key = {limits}.key AND j.held = 1 AND j.due = 0)
        AND NOT EXISTS (SELECT 1 FROM {starts} AS s WHERE s.scope = 'limit:' || {limits}.key)`),
  };
}

/** The batch of a purge. */
export function purge(s: PurgeStatements, request: PurgeRequest, marks: Args): Operation<PurgeReply> {
  const batch = new Batch<"jobs" | "occurrences">({ ...marks, ...request });
  batch.run(s.mark, s.steps, s.signals);
  batch.read("jobs", s.jobs);
  batch.read("occurrences", s.occurrences);
  batch.run(s.starts, s.limits);
  return operation(batch, () => ({
    jobs: batch.rows("jobs").length,
    occurrences: batch.rows("occurrences").length,
  }));
}
