/**
 * How do running jobs write? Steps, progress, children and how they go on, many jobs in one batch.
 *
 * Statement 1 decides: it writes only jobs whose claim is still the given one, and marks them. A batch that was taken
 * before is known by its op and wins nothing, so a late copy of it changes nothing. Only the statements that the writes
 * need are sent; what follows from an end is `consequence.ts`.
 */
import type { JobState, JobWrite, RenewRequest, SaveReply, SaveRequest } from "../../storage/port.ts";
import type { Args, Query, Row, Sql, Value } from "../driver.ts";
import { listKind, listOf } from "../list.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences, ENDED } from "./consequence.ts";
import type { EnqueueStatements } from "./enqueue.ts";
import { insertedJob } from "./limit.ts";
import { CHILDREN, columnsOf, ENDS, GOES_ON, JOBS, STEP_NAMES, STEPS, valuesOf, WRITTEN } from "./lists.ts";

const CLAIMS = listKind<{ id: string; token: string }>()({
  job_id: ["text", ({ id }) => id],
  token: ["text", ({ token }) => token],
});

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
  /** A job is written only under its current claim, and not by a batch that wrote it before. */
  const current = (item: { id: string; token: string }): string =>
    `j.id = ${item.id} AND j.state = 'running' AND j.claim_token = ${item.token}
        AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)`;
  /** What every write of a job sets. */
  const written = (item: Record<"tied" | "reports" | "progress" | "notes", string>): string =>
    `mark = :mark, tied = j.tied | ${item.tied},
        progress = CASE WHEN ${item.reports} = 1 THEN ${item.progress} ELSE j.progress END,
        notes = COALESCE(${item.notes}, j.notes)`;
  const overwritten = columnsOf(STEPS)
    .slice(2)
    .map((name) => `${name} = excluded.${name}`)
    .join(", ");
  return {
    end: t.update({
      update: "{jobs} AS j",
      list: ENDS,
      param: "ends",
      set: (item) =>
        `${written(item)}, state = ${item.state}, result = ${item.result}, error = ${item.error}, ${ENDED}`,
      where: current,
    }),
    goOn: t.update({
      update: "{jobs} AS j",
      list: GOES_ON,
      param: "moves",
      set: (item) => `${written(item)},
        state = CASE WHEN j.wakes <> ${item.wakes} THEN 'ready' ELSE ${item.state} END,
        error = COALESCE(${item.error}, j.error), resuming = ${item.resuming},
        due = CASE WHEN j.wakes <> ${item.wakes} THEN 1 ELSE ${item.due} END,
        available_at = CASE WHEN j.wakes <> ${item.wakes} THEN :now ELSE ${item.available_at} END,
        alarm_at = CASE WHEN j.wakes <> ${item.wakes} THEN NULL ELSE ${item.alarm_at} END,
        claim_token = NULL, claim_expires_at = NULL`,
      where: current,
    }),
    keep: t.update({
      update: "{jobs} AS j",
      list: GOES_ON,
      param: "keeps",
      set: (item) => `${written(item)}, alarm_at = :until, claim_expires_at = :until`,
      where: current,
    }),
    forget: t.sql(`DELETE FROM {steps} WHERE (job_id, name) IN (SELECT item.job_id, item.name
      FROM ${t.list(STEP_NAMES, "forgets")} AS item JOIN {jobs} AS j ON j.id = item.job_id WHERE j.mark = :mark)`),
    putSteps: t.insert({
      into: "steps",
      rows: {
        list: STEPS,
        param: "steps",
        values: (item) => valuesOf(STEPS, item),
        guard: (item) => ({ from: "{jobs} AS j", where: `j.id = ${item.job_id} AND j.mark = :mark` }),
      },
      conflict: `(job_id, name) DO UPDATE SET ${overwritten} WHERE {steps}.state <> 'done'`,
    }),
    children: t.insert({
      into: "jobs",
      rows: {
        list: CHILDREN,
        param: "children",
        values: insertedJob,
        // A spawned job names no parent: what counts is whose write it came with.
        guard: (item) => ({ from: "{jobs} AS p", where: `p.id = ${item.writer} AND p.mark = :mark` }),
      },
      conflict: "DO NOTHING",
    }),
    saved: t.select({
      list: WRITTEN,
      param: "writes",
      select: () => "j.id, j.state, j.wakes",
      from: "{jobs} AS j",
      where: (item) => `j.id = ${item.id} AND j.mark >= :from AND j.mark < :to`,
      ordered: true,
    }),
    renew: t.update({
      update: "{jobs} AS j",
      list: CLAIMS,
      param: "claims",
      set: () => "claim_expires_at = :until, alarm_at = :until",
      where: (item) => `j.id = ${item.job_id} AND j.claim_token = ${item.token}`,
      returning: "id",
    }),
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
