/**
 * When could a job of a queue be claimed? It depends on whether the queue has a claimable job, whether its settings
 * leave room for one more, and when time next changes one of its jobs.
 */
import type { Row, Sql } from "../driver.ts";
import { int, intOrNull } from "../rows.ts";
import type { Templates } from "../template.ts";
import { rateWindow } from "./rate_window.ts";

/** Condition of a job that can be claimed now (only ready jobs are due), in the words of its index (trick 12). */
export const CLAIMABLE = "due = 1 AND held = 0";

/** Condition of a job that time will change; the first term is the anchor of its index (trick 13). */
export const ALARMED = "finished_at IS NULL AND alarm_at IS NOT NULL";

const { used: USED, freeAt: FREE_AT } = rateWindow("q", "'queue:' || q.name");

/** A column that is 1 where a selection that names another row finds something, otherwise 0 (trick 20). */
export function one(selection: string): string {
  return `COALESCE((SELECT 1 FROM ${selection} LIMIT 1), 0)`;
}

/** How many jobs may be claimed of the queue of the row `q` of queues: at most `limit`, 0 or less where there is no room. */
export function roomOf(t: Templates, limit: string): string {
  const { least } = t.dialect;
  const running = "(SELECT count(*) FROM {jobs} AS r WHERE r.queue = q.name AND r.claim_token IS NOT NULL)";
  const places = `CASE WHEN q.concurrency IS NULL THEN ${limit} ELSE q.concurrency - ${running} END`;
  const starts = `CASE WHEN q.rate_count IS NULL THEN ${limit} ELSE q.rate_count - ${USED} END`;
  return `CASE WHEN q.paused = 1 THEN 0 ELSE ${least(limit, least(places, starts))} END`;
}

/** When the rate of the queue allows its next job; null where not only the rate keeps it waiting. */
const RATE_FREE_AT = `CASE WHEN q.rate_count IS NULL OR q.rate_count <= 0 THEN NULL
  WHEN q.concurrency IS NOT NULL AND q.concurrency <= (SELECT count(*) FROM {jobs} AS r
    WHERE r.queue = q.name AND r.claim_token IS NOT NULL) THEN NULL ELSE ${FREE_AT} END`;

/** When time alone next opens a limit (tricks 13 and 14; a limit is marked only within a batch). */
export const LIMIT_AT: string = `(SELECT m.next_at FROM {limits} AS m WHERE m.mark IS NULL
  AND m.next_at + 0 <= ${Number.MAX_SAFE_INTEGER} ORDER BY m.next_at LIMIT 1)`;

/** The room of a queue for one more job, and when its rate gives some where that alone is missing. */
const stateOf = (t: Templates): { room: string; free: string } => ({
  room: `CASE WHEN q.name IS NULL THEN 1 ELSE ${roomOf(t, "1")} END`,
  free: `CASE WHEN q.name IS NULL THEN NULL ELSE ${RATE_FREE_AT} END`,
});

/** A recursive CTE of the queues that have jobs of a condition, and a last row of null (trick 15). */
export function walkQueues(name: string, where: string): string {
  const first = (more: string): string =>
    `(SELECT j.queue FROM {jobs} AS j WHERE ${where}${more} ORDER BY j.queue LIMIT 1)`;
  return `${name} (queue) AS (SELECT queue FROM ${first("")} AS found UNION ALL
    SELECT ${first(" AND j.queue > w.queue")} FROM ${name} AS w WHERE w.queue IS NOT NULL)`;
}

/**
 * Expression of the instant at which a job of any queue could first be claimed, limits left aside; at or before `:now`:
 * at once. Where no job is ready and none waits for time, as in most ticks, it looks into two empty indexes and at no
 * queue.
 */
export function jobsAt(t: Templates): string {
  const { room, free } = stateOf(t);
  return `CASE WHEN EXISTS (SELECT 1 FROM {jobs} WHERE ${CLAIMABLE}) OR EXISTS (SELECT 1 FROM {jobs} WHERE ${ALARMED})
    THEN (WITH RECURSIVE ${walkQueues("ready", CLAIMABLE)}, ${walkQueues("timed", ALARMED)},
        each_queue (queue, ready, alarm_at) AS (SELECT queue, 1, NULL FROM ready WHERE queue IS NOT NULL UNION ALL SELECT queue, 0,
          (SELECT j.alarm_at FROM {jobs} AS j WHERE j.queue = timed.queue AND ${ALARMED}
            ORDER BY j.alarm_at LIMIT 1) FROM timed WHERE queue IS NOT NULL)
      SELECT min(CASE WHEN q.paused = 1 THEN NULL WHEN each_queue.ready = 0 THEN each_queue.alarm_at WHEN ${room} > 0 THEN :now
        ELSE ${free} END) FROM each_queue LEFT JOIN {queues} AS q ON q.name = each_queue.queue) END`;
}

/** Statements that read the state of queues. */
export interface QueueStateStatements {
  /** The queues of the texts `queues`. */
  readonly asked: Sql;
  /** The queues of the texts `queues`, looking only at tasks of the texts `tasks`. */
  readonly askedTasks: Sql;
}

/** Prepares the statements. */
export function queueStateStatements(t: Templates): QueueStateStatements {
  const { room, free } = stateOf(t);
  const asked = (tasks: string): Sql =>
    t.sql(`SELECT ${room} AS room, COALESCE(q.paused, 0) AS paused, ${free} AS free_at, ${LIMIT_AT} AS limit_at,
        ${one(`{jobs} WHERE queue = a.value AND ${CLAIMABLE}${tasks}`)} AS ready,
        (SELECT alarm_at FROM {jobs} WHERE queue = a.value AND ${ALARMED}${tasks} ORDER BY alarm_at LIMIT 1) AS alarm_at
      FROM ${t.dialect.texts("queues")} AS a LEFT JOIN {queues} AS q ON q.name = a.value`);
  return {
    asked: asked(""),
    askedTasks: asked(` AND task ${t.dialect.oneOf("tasks")}`),
  };
}

/**
 * Reads the earliest instant at which a job could be claimed: `now` when one can be at once, null when none waits for
 * time.
 */
export function earliestOf(rows: readonly Row[], now: number): number | null {
  let earliest: number | null = null;
  const take = (at: number | null): void => {
    if (at !== null && (earliest === null || at < earliest)) earliest = Math.max(at, now);
  };
  for (const row of rows) {
    take(intOrNull(row["limit_at"]));
    if (int(row["paused"]) === 1) continue;
    take(intOrNull(row["alarm_at"]));
    if (int(row["ready"]) !== 1) continue;
    if (int(row["room"]) > 0) take(now);
    else take(intOrNull(row["free_at"]));
  }
  return earliest;
}
