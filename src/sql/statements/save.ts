/**
 * How do running jobs write? Steps, progress, children and how they go on, many jobs in one batch.
 *
 * Statement 1 decides: it writes only jobs whose claim is still the given one, and marks them. A batch that was taken
 * before is known by its op and wins nothing, so a late copy of it changes nothing. Only the statements that the writes
 * need are sent; what follows from an end is `consequence.ts`.
 */
import type { JobState, JobWrite, RenewRequest, SaveReply, SaveRequest } from "../../storage/port.ts";
import type { Args, Query, Row, Sql, Value } from "../driver.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences, ENDED } from "./consequence.ts";
import type { EnqueueStatements } from "./enqueue.ts";
import { INSERTED_COLUMNS, INSERTED_VALUES } from "./limit.ts";
import {
  CHILDREN,
  columnsOf,
  ENDS,
  GOES_ON,
  JOBS,
  type ListKind,
  listOf,
  STEP_NAMES,
  STEPS,
  WRITTEN,
} from "./lists.ts";

const CLAIMS: ListKind<{ id: string; token: string }> = {
  columns: [
    ["job_id", "text"],
    ["token", "text"],
  ],
  cells: ({ id, token }) => [id, token],
};

/** Statements of running jobs. */
export interface SaveStatements {
  readonly end: Sql;
  readonly goOn: Sql;
  readonly keep: Sql;
  readonly forget: Sql;
  readonly putSteps: Sql;
  readonly children: Sql;
  readonly saved: Sql;
  readonly renew: Sql;
}

/** Prepares the statements. */
export function saveStatements(t: Templates): SaveStatements {
  const d = t.dialect;
  const current = `j.id = w.id AND j.state = 'running' AND j.claim_token = w.token
        AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)`;
  const progress = "CASE WHEN w.reports = 1 THEN w.progress ELSE j.progress END";
  const stepColumns = columnsOf(STEPS);
  const overwritten = STEPS.columns
    .slice(2)
    .map(([name]) => `${name} = excluded.${name}`)
    .join(", ");
  return {
    end: t.each(
      ENDS.columns,
      `UPDATE {jobs} AS j SET mark = :mark, tied = j.tied | w.tied, state = w.state,
        result = w.result, error = w.error, progress = ${progress}, ${ENDED} FROM [[ends w]] WHERE ${current}`,
    ),
    goOn: t.each(
      GOES_ON.columns,
      `UPDATE {jobs} AS j SET mark = :mark, tied = j.tied | w.tied,
        state = CASE WHEN j.wakes <> w.wakes THEN 'ready' ELSE w.state END,
        error = COALESCE(w.error, j.error), progress = ${progress},
        resuming = w.resuming, due = CASE WHEN j.wakes <> w.wakes THEN 1 ELSE w.due END,
        available_at = CASE WHEN j.wakes <> w.wakes THEN :now ELSE w.available_at END,
        alarm_at = CASE WHEN j.wakes <> w.wakes THEN NULL ELSE w.alarm_at END,
        claim_token = NULL, claim_expires_at = NULL
      FROM [[moves w]] WHERE ${current}`,
    ),
    keep: t.each(
      GOES_ON.columns,
      `UPDATE {jobs} AS j SET mark = :mark, tied = j.tied | w.tied, progress = ${progress},
        alarm_at = :until, claim_expires_at = :until FROM [[keeps w]] WHERE ${current}`,
    ),
    forget: t.sql(`DELETE FROM {steps} WHERE (job_id, name) IN (SELECT f.job_id, f.name
      FROM ${d.list("forgets", STEP_NAMES.columns)} AS f JOIN {jobs} AS j ON j.id = f.job_id WHERE j.mark = :mark)`),
    putSteps: t.each(
      STEPS.columns,
      `INSERT INTO {steps} (${stepColumns}) SELECT ${columnsOf(STEPS, "item")}
      FROM [[steps item]], {jobs} AS j WHERE j.id = item.job_id AND j.mark = :mark
      ORDER BY item.ord ON CONFLICT (job_id, name) DO UPDATE SET ${overwritten} WHERE {steps}.state <> 'done'`,
    ),
    // A spawned job names no parent: what counts is whose write it came with.
    children: t.each(
      CHILDREN.columns,
      `INSERT INTO {jobs} (${INSERTED_COLUMNS}) SELECT ${INSERTED_VALUES}
      FROM [[children item]], {jobs} AS p WHERE p.id = item.writer AND p.mark = :mark
      ORDER BY item.ord ON CONFLICT DO NOTHING`,
    ),
    saved: t.each(
      WRITTEN.columns,
      `SELECT j.id, j.state, j.wakes FROM [[writes w]], {jobs} AS j WHERE j.id = w.id
      AND j.mark >= :from AND j.mark < :to ORDER BY w.ord`,
    ),
    renew: t.each(
      CLAIMS.columns,
      `UPDATE {jobs} AS j SET claim_expires_at = :until, alarm_at = :until
      FROM [[claims c]] WHERE j.id = c.job_id AND j.claim_token = c.token RETURNING id`,
    ),
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
  const children = writes.flatMap((write) => write.children.map((job) => ({ writer: write.id, job })));
  const jobs = children.map(({ job }) => job);
  const ends: JobWrite[] = [];
  const moves: JobWrite[] = [];
  const keeps: JobWrite[] = [];
  for (const write of writes) {
    const to = write.transition?.to;
    (to === undefined ? keeps : to === "ready" || to === "waiting" ? moves : ends).push(write);
  }
  const args: Record<string, Value> = {
    ...marks,
    now,
    until: now + request.claimMs,
    writes: listOf(t.dialect, WRITTEN, writes),
  };
  const queries: Query[] = [];
  const add = (...sqls: readonly Sql[]): void => {
    for (const sql of sqls) queries.push({ sql, args });
  };
  if (ends.length > 0) {
    args["ends"] = listOf(t.dialect, ENDS, ends, now);
    add(s.end);
  }
  if (moves.length > 0) {
    args["moves"] = listOf(t.dialect, GOES_ON, moves, now);
    add(s.goOn);
  }
  if (keeps.length > 0) {
    args["keeps"] = listOf(t.dialect, GOES_ON, keeps, now);
    add(s.keep);
  }
  if (forgets.length > 0) {
    args["forgets"] = listOf(t.dialect, STEP_NAMES, forgets);
    add(s.forget);
  }
  if (steps.length > 0) {
    args["steps"] = listOf(t.dialect, STEPS, steps);
    add(s.putSteps);
  }
  if (jobs.length > 0) {
    args["children"] = listOf(t.dialect, CHILDREN, children, now);
    args["jobs"] = listOf(t.dialect, JOBS, jobs, now);
    add(s.children);
    if (jobs.some((job) => job.limit)) add(c.limits.markInserted, ...c.limits.admit);
  }
  if (ends.length > 0) queries.push(...consequences(c, args));
  // Children name their parent as a rule; one that names another job is tied to that one.
  if (jobs.some(({ parentId }) => parentId !== null && !writes.some((write) => write.id === parentId)))
    add(e.tieParents);
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
  const args: Args = { until: request.now + request.claimMs, claims: listOf(t.dialect, CLAIMS, request.claims) };
  return [{ sql: s.renew, args }];
}
