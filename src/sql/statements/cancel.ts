/**
 * How are jobs stopped by hand, and put back? Cancelling marks the unfinished ones of a list and lets the consequences
 * find their descendants; retrying marks those that ended badly and admits them anew.
 */
import type { CancelRequest, RetryRequest } from "../../storage/port.ts";
import type { Args, Query, Sql } from "../driver.ts";
import { listOf } from "../list.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences, ENDED } from "./consequence.ts";
import { PUT_BACK, STEP_NAMES } from "./lists.ts";

/** Statements of cancelling and retrying. */
export interface CancelStatements {
  /** Locks the limits of held jobs, in the order in which admission locks: limits, then jobs. Null where none is needed. */
  readonly lockLimits: Sql | null;
  readonly cancel: Sql;
  readonly cancelled: Sql;
  readonly retry: Sql;
  readonly forget: Sql;
  readonly retried: Sql;
}

/** Prepares the statements. */
export function cancelStatements(t: Templates): CancelStatements {
  const d = t.dialect;
  const asked = `id ${d.oneOf("ids")}`;
  const heldLimits = `SELECT key FROM {limits} WHERE key IN (SELECT limit_key FROM {jobs} WHERE ${asked} AND held = 1)
      ORDER BY key${d.forUpdate}`;
  return {
    lockLimits: d.concurrent ? t.sql(heldLimits) : null,
    cancel: t.sql(`UPDATE {jobs} SET state = 'cancelled', mark = :mark, error = :error, ${ENDED}
      WHERE ${asked} AND finished_at IS NULL`),
    cancelled: t.sql(`SELECT id FROM {jobs} WHERE ${asked} AND state = 'cancelled' AND mark >= :from AND mark < :allTo
      UNION SELECT id FROM {jobs} WHERE tied > 0 AND finished_at IS NOT NULL AND state = 'cancelled'
        AND mark >= :from AND mark < :allTo`),
    retry: t.update({
      update: "{jobs} AS j",
      list: PUT_BACK,
      param: "backs",
      set: (item) => `state = 'ready', mark = :mark, attempt = 0, available_at = :now, due = 1, resuming = 0,
        held = CASE WHEN j.limit_key IS NULL THEN 0 ELSE 1 END, expires_at = NULL, alarm_at = NULL, finished_at = NULL,
        result = NULL, error = NULL, notes = ${item.notes}`,
      where: (item) => `j.id = ${item.id} AND j.state IN ('failed', 'cancelled', 'expired')
        AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)`,
    }),
    forget: t.sql(`DELETE FROM {steps} WHERE (job_id, name) IN (SELECT item.job_id, item.name
      FROM ${t.list(STEP_NAMES, "forgets")} AS item JOIN {jobs} AS j ON j.id = item.job_id WHERE j.mark = :mark)`),
    retried: t.sql(`SELECT id FROM {jobs} WHERE ${asked} AND state = 'ready' AND mark >= :from AND mark < :to`),
  };
}

/** The batch of a cancel; the reply is read from its last statement. */
export function cancel(
  s: CancelStatements,
  c: ConsequenceStatements,
  t: Templates,
  request: CancelRequest,
  marks: Args,
): Query[] {
  const args = { ...marks, now: request.now, ids: t.dialect.encodeTexts(request.ids), error: request.error };
  const locks = s.lockLimits ? [{ sql: s.lockLimits, args }] : [];
  return [...locks, { sql: s.cancel, args }, ...consequences(c, args, request.error), { sql: s.cancelled, args }];
}

/** The batch of a retry; the reply is read from its last statement. */
export function retry(
  s: CancelStatements,
  c: ConsequenceStatements,
  t: Templates,
  request: RetryRequest,
  marks: Args,
): Query[] {
  const forgets = request.jobs.flatMap(({ id, forget }) => forget.map((name) => ({ jobId: id, name })));
  const args: Args = {
    ...marks,
    now: request.now,
    ids: t.dialect.encodeTexts(request.jobs.map(({ id }) => id)),
    backs: listOf(t.dialect, PUT_BACK, request.jobs),
    forgets: listOf(t.dialect, STEP_NAMES, forgets),
  };
  const sqls = [s.retry, ...(forgets.length > 0 ? [s.forget] : []), c.limits.markRevived, ...c.limits.admit, s.retried];
  return sqls.map((sql) => ({ sql, args }));
}
