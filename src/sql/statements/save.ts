/**
 * How do running jobs write? Steps, progress, children and how they go on, many jobs in one batch.
 *
 * Statement 1 decides: it writes only jobs whose claim is still the given one, and marks them. A batch that was taken
 * before is known by its op and wins nothing, so a late copy of it changes nothing. Only the statements that the writes
 * need are sent; what follows from an end is `consequence.ts`.
 */
import type { JobState, RenewRequest, SaveReply, SaveRequest } from "../../storage.ts";
import type { Args, Query, Row, Sql } from "../driver.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences } from "./consequence.ts";
import type { EnqueueStatements } from "./enqueue.ts";
import { INSERTED_COLUMNS, INSERTED_VALUES } from "./limit.ts";
import { columnsOf, encode, JOBS, type ListKind, STEP_NAMES, STEPS, WRITES } from "./lists.ts";

const CLAIMS: ListKind<{ id: string; token: string }> = {
  columns: [
    ["job_id", "text"],
    ["token", "text"],
  ],
  cells: ({ id, token }) => [id, token],
};

/** Statements of running jobs. */
export interface SaveStatements {
  readonly write: Sql;
  readonly forget: Sql;
  readonly putSteps: Sql;
  readonly children: Sql;
  readonly saved: Sql;
  readonly renew: Sql;
}

/** Prepares the statements. */
export function saveStatements(t: Templates): SaveStatements {
  const d = t.dialect;
  const ends = "w.kind IN ('completed', 'failed', 'cancelled', 'expired')";
  const wakes = "w.kind = 'waiting' AND j.wakes <> w.wakes";
  const stepColumns = columnsOf(STEPS);
  const overwritten = STEPS.columns
    .slice(2)
    .map(([name]) => `${name} = excluded.${name}`)
    .join(", ");
  return {
    write: t.sql(`UPDATE {jobs} AS j SET mark = :mark, tied = j.tied | w.tied,
        state = CASE WHEN ${wakes} THEN 'ready' ELSE w.kind END,
        finished_at = CASE WHEN ${ends} THEN :now END,
        result = w.result,
        error = CASE WHEN w.kind = 'completed' THEN NULL WHEN ${ends} THEN w.error ELSE COALESCE(w.error, j.error) END,
        progress = CASE WHEN w.reports = 1 THEN w.progress ELSE j.progress END,
        resuming = CASE WHEN ${ends} OR w.kind = 'running' THEN 0 ELSE w.resuming END,
        due = CASE WHEN ${wakes} THEN 1 WHEN w.kind = 'ready' AND w.available_at <= :now THEN 1 ELSE 0 END,
        available_at = CASE WHEN w.kind = 'running' THEN j.available_at WHEN ${wakes} THEN :now ELSE w.available_at END,
        alarm_at = CASE WHEN w.kind = 'running' THEN :until WHEN ${ends} OR ${wakes} THEN NULL
          WHEN w.kind = 'ready' AND w.available_at <= :now THEN NULL ELSE w.available_at END,
        claim_token = CASE WHEN w.kind = 'running' THEN j.claim_token END,
        claim_expires_at = CASE WHEN w.kind = 'running' THEN :until END
      FROM ${d.list("writes", WRITES.columns)} AS w
      WHERE j.id = w.id AND j.state = 'running' AND j.claim_token = w.token
        AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)`),
    forget: t.sql(`DELETE FROM {steps} WHERE (job_id, name) IN (SELECT f.job_id, f.name
      FROM ${d.list("forgets", STEP_NAMES.columns)} AS f JOIN {jobs} AS j ON j.id = f.job_id WHERE j.mark = :mark)`),
    putSteps: t.sql(`INSERT INTO {steps} (${stepColumns}) SELECT ${columnsOf(STEPS, "item")}
      FROM ${d.list("steps", STEPS.columns)} AS item JOIN {jobs} AS j ON j.id = item.job_id WHERE j.mark = :mark
      ORDER BY item.ord ON CONFLICT (job_id, name) DO UPDATE SET ${overwritten}`),
    children: t.sql(`INSERT INTO {jobs} (${INSERTED_COLUMNS}) SELECT ${INSERTED_VALUES}
      FROM ${d.list("jobs", JOBS.columns)} AS item JOIN {jobs} AS p ON p.id = item.parent_id WHERE p.mark = :mark
      ORDER BY item.ord ON CONFLICT DO NOTHING`),
    saved: t.sql(`SELECT j.id, j.state, j.wakes FROM ${d.list("writes", WRITES.columns)} AS w
      JOIN {jobs} AS j ON j.id = w.id WHERE j.mark >= :from AND j.mark < :to ORDER BY w.ord`),
    renew: t.sql(`UPDATE {jobs} AS j SET claim_expires_at = :until, alarm_at = :until
      FROM ${d.list("claims", CLAIMS.columns)} AS c WHERE j.id = c.job_id AND j.claim_token = c.token RETURNING id`),
  };
}

/** The batch of a save; the reply is read from its last statement. */
export function save(
  s: SaveStatements,
  e: EnqueueStatements,
  c: ConsequenceStatements,
  t: Templates,
  request: SaveRequest,
  marks: Args,
): Query[] {
  const { now, writes } = request;
  const steps = writes.flatMap((write) => write.steps.map((step) => ({ ...step, jobId: write.id })));
  const forgets = writes.flatMap((write) => write.forget.map((name) => ({ jobId: write.id, name })));
  const jobs = writes.flatMap((write) => write.children);
  const ends = writes.some(({ transition }) => transition && transition.to !== "ready" && transition.to !== "waiting");
  const args: Record<string, string | number | null> = {
    ...marks,
    now,
    until: now + request.claimMs,
    writes: encode(t.dialect, WRITES, writes),
  };
  const queries: Query[] = [{ sql: s.write, args }];
  const add = (...sqls: readonly Sql[]): void => {
    for (const sql of sqls) queries.push({ sql, args });
  };
  if (forgets.length > 0) {
    args["forgets"] = encode(t.dialect, STEP_NAMES, forgets);
    add(s.forget);
  }
  if (steps.length > 0) {
    args["steps"] = encode(t.dialect, STEPS, steps);
    add(s.putSteps);
  }
  if (jobs.length > 0) {
    args["jobs"] = encode(t.dialect, JOBS, jobs);
    add(s.children);
    if (jobs.some((job) => job.limit)) add(c.limits.markInserted, ...c.limits.admit);
  }
  if (ends) queries.push(...consequences(c, args));
  // Children name their parent as a rule; one that names another job is tied to that one.
  if (jobs.some((job) => !writes.some((write) => write.id === job.parentId))) add(e.tieParents);
  add(s.saved);
  return queries;
}

/** Reads the reply of {@link save}. */
export function saveReply(rows: readonly Row[]): SaveReply {
  return {
    saved: rows.map((row) => ({
      id: row["id"] as string,
      state: row["state"] as JobState,
      wakes: int(row["wakes"]),
    })),
  };
}

/** The batch of a renewal. */
export function renew(s: SaveStatements, t: Templates, request: RenewRequest): Query[] {
  const args: Args = { until: request.now + request.claimMs, claims: encode(t.dialect, CLAIMS, request.claims) };
  return [{ sql: s.renew, args }];
}
