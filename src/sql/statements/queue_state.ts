/**
 * When could a job of a queue be claimed? For each queue: is one claimable now, is there room, and when is time next due.
 *
 * The indexes begin with the queue, so the next queue that has something is one seek away: all queues are found in as
 * many seeks as there are queues, however many jobs wait in them.
 */
import type { Row, Sql } from "../driver.ts";
import { int, intOrNull } from "../rows.ts";
import type { Templates } from "../template.ts";
import { rateWindow } from "./rate_window.ts";

/** What a job must be to be claimed now (only ready jobs are due); the literal terms are those of the partial index. */
export const CLAIMABLE = "due = 1 AND held = 0";

/** What a job must be for time to change it; the first term is the anchor of the index (see `dialect.ts`). */
export const ALARMED = "finished_at IS NULL AND alarm_at IS NOT NULL";

const { used: USED, freeAt: FREE_AT } = rateWindow("q", "'queue:' || q.name");

/**
 * 1 where a selection that names another row finds something, otherwise 0, as a column. Not EXISTS: Postgres may gather all
 * that one could find in a table of its own first, and keep to that when the rows have become many.
 */
export function one(selection: string): string {
  return `COALESCE((SELECT 1 FROM ${selection} LIMIT 1), 0)`;
}

/** Room of the queue of the row `q` of queues; `limit` is what was asked for. */
export function roomOf(t: Templates, limit: string): string {
  const { least } = t.dialect;
  const running = "(SELECT count(*) FROM {jobs} AS r WHERE r.queue = q.name AND r.claim_token IS NOT NULL)";
  const places = `CASE WHEN q.concurrency IS NULL THEN ${limit} ELSE q.concurrency - ${running} END`;
  const starts = `CASE WHEN q.rate_count IS NULL THEN ${limit} ELSE q.rate_count - ${USED} END`;
  return `CASE WHEN q.paused = 1 THEN 0 ELSE ${least(limit, least(places, starts))} END`;
}

/** Whether only the rate keeps the queue's jobs waiting. */
const RATED = `CASE WHEN q.rate_count IS NULL OR q.rate_count <= 0 THEN NULL
  WHEN q.concurrency IS NOT NULL AND q.concurrency <= (SELECT count(*) FROM {jobs} AS r
    WHERE r.queue = q.name AND r.claim_token IS NOT NULL) THEN NULL ELSE ${FREE_AT} END`;

/**
 * When time alone next opens a limit. No limit at rest is marked; the sum says "not null" as the index does, without
 * being a range of it, since a range is never an equality that finds nothing.
 */
export const LIMIT_AT: string = `(SELECT m.next_at FROM {limits} AS m WHERE m.mark IS NULL
  AND m.next_at + 0 <= ${Number.MAX_SAFE_INTEGER} ORDER BY m.next_at LIMIT 1)`;

/** Whether a queue has room for one more, and when its rate gives some where that alone is missing. */
const freeAt = (t: Templates): { room: string; free: string } => ({
  room: `CASE WHEN q.name IS NULL THEN 1 ELSE ${roomOf(t, "1")} END`,
  free: `CASE WHEN q.name IS NULL THEN NULL ELSE ${RATED} END`,
});

/**
 * When a job of any queue could first be claimed, apart from limits, as an expression; at or before `:now`: at once. Where
 * nothing is ready and nothing waits for time, which is the rule, it looks into two empty indexes and at no queue.
 */
export function jobsAt(t: Templates): string {
  const { room, free } = freeAt(t);
  const first = (where: string): string => `(SELECT j.queue FROM {jobs} AS j WHERE ${where} ORDER BY j.queue LIMIT 1)`;
  const walk = (
    name: string,
    where: string,
  ): string => `${name} (queue) AS (SELECT queue FROM ${first(where)} AS found UNION ALL
    SELECT ${first(`${where} AND j.queue > w.queue`)} FROM ${name} AS w WHERE w.queue IS NOT NULL)`;
  return `CASE WHEN EXISTS (SELECT 1 FROM {jobs} WHERE ${CLAIMABLE}) OR EXISTS (SELECT 1 FROM {jobs} WHERE ${ALARMED})
    THEN (WITH RECURSIVE ${walk("ready", CLAIMABLE)}, ${walk("timed", ALARMED)},
        line (queue, ready, alarm_at) AS (SELECT queue, 1, NULL FROM ready WHERE queue IS NOT NULL UNION ALL SELECT queue, 0,
          (SELECT j.alarm_at FROM {jobs} AS j WHERE j.queue = timed.queue AND ${ALARMED}
            ORDER BY j.alarm_at LIMIT 1) FROM timed WHERE queue IS NOT NULL)
      SELECT min(CASE WHEN q.paused = 1 THEN NULL WHEN line.ready = 0 THEN line.alarm_at WHEN ${room} > 0 THEN :now
        ELSE ${free} END) FROM line LEFT JOIN {queues} AS q ON q.name = line.queue) END`;
}

/** Statements that tell how queues stand. */
export interface QueueStateStatements {
  /** The queues of the texts `queues`. */
  readonly asked: Sql;
  /** The queues of the texts `queues`, looking only at tasks of the texts `tasks`. */
  readonly askedTasks: Sql;
}

/** Prepares the statements. */
export function queueStateStatements(t: Templates): QueueStateStatements {
  const { room, free } = freeAt(t);
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

/** The earliest instant at which something could be claimed: `now` when it can be at once, null when nothing waits. */
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
