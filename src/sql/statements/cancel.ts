/**
 * How are jobs cancelled by a user, and put back? Cancelling ends and marks the unfinished jobs of a list; their
 * descendants are cancelled as an effect of that (`ending_effects.ts`). Putting back makes failed, cancelled and
 * expired jobs ready and admits them to their limits anew.
 */
import type { CancelRequest, RetryRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Row, Sql } from "../driver.ts";
import { listOf } from "../list.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, ENDED, type EndingEffectStatements } from "./ending_effects.ts";
import { forgetSteps } from "./history.ts";
import { PUT_BACK, STEP_NAMES } from "./lists.ts";

/** Statements of cancelling and retrying. */
export interface CancelStatements {
  readonly t: Templates;
  readonly effects: EndingEffectStatements;
  /** Locks the limits of held jobs before the jobs, as admission does (trick 7); null where no lock is needed. */
  readonly lockLimits: Sql | null;
  readonly cancel: Sql;
  readonly cancelled: Sql;
  readonly retry: Sql;
  readonly forget: Sql;
  readonly retried: Sql;
}

/** Prepares the statements. */
export function cancelStatements(t: Templates, effects: EndingEffectStatements): CancelStatements {
  const d = t.dialect;
  const asked = `id ${d.oneOf("ids")}`;
  const heldLimits = `SELECT key FROM {limits} WHERE key IN (SELECT limit_key FROM {jobs} WHERE ${asked} AND held = 1)
      ORDER BY key${d.forUpdate}`;
  return {
    t,
    effects,
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
    forget: forgetSteps(t),
    retried: t.sql(`SELECT id FROM {jobs} WHERE ${asked} AND state = 'ready' AND mark >= :from AND mark < :to`),
  };
}

/** The batch of a cancel. @returns the ids that were cancelled, descendants included */
export function cancel(s: CancelStatements, request: CancelRequest, marks: Args): Operation<string[]> {
  const { encodeTexts } = s.t.dialect;
  const args = { ...marks, now: request.now, ids: encodeTexts(request.ids), error: request.error };
  const batch = new Batch<"cancelled">(args);
  if (s.lockLimits) batch.run(s.lockLimits);
  batch.run(s.cancel);
  addEndingEffects(batch, s.effects);
  batch.read("cancelled", s.cancelled);
  return operation(batch, () => idsOf(batch.rows("cancelled")));
}

/** The batch of a retry. @returns the ids that were put back */
export function retry(s: CancelStatements, request: RetryRequest, marks: Args): Operation<string[]> {
  const { dialect } = s.t;
  const { limits } = s.effects;
  const forgets = request.jobs.flatMap(({ id, forget }) => forget.map((name) => ({ jobId: id, name })));
  const batch = new Batch<"retried">({
    ...marks,
    now: request.now,
    ids: dialect.encodeTexts(request.jobs.map(({ id }) => id)),
    backs: listOf(dialect, PUT_BACK, request.jobs),
    forgets: listOf(dialect, STEP_NAMES, forgets),
  });
  batch.run(s.retry);
  if (forgets.length > 0) batch.run(s.forget);
  batch.run(limits.markPutBack, ...limits.admit);
  batch.read("retried", s.retried);
  return operation(batch, () => idsOf(batch.rows("retried")));
}

function idsOf(rows: readonly Row[]): string[] {
  return rows.map((row) => row["id"] as string);
}
