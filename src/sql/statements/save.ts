/**
 * How do running jobs write? Steps, progress, children and how they go on, many jobs in one batch.
 *
 * Statement 1 decides: it writes only jobs whose claim is still the given one, and marks them. A batch that was taken
 * before is known by its op and wins nothing, so a late copy of it changes nothing. Only the statements that the writes
 * need are sent; what follows from an end is `ending_effects.ts`.
 */
import type { JobState, JobWrite, RenewReply, RenewRequest, SaveReply, SaveRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Sql, Value } from "../driver.ts";
import { listKind, listOf } from "../list.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, ENDED, type EndingEffectStatements } from "./ending_effects.ts";
import type { EnqueueStatements } from "./enqueue.ts";
import { insertedJob } from "./limit.ts";
import { CHILDREN, columnsOf, ENDS, GOES_ON, JOBS, STEP_NAMES, STEPS, valuesOf, WRITTEN } from "./lists.ts";

const CLAIMS = listKind<{ id: string; token: string }>()({
  job_id: ["text", ({ id }) => id],
  token: ["text", ({ token }) => token],
});

/** Statements of running jobs. */
export interface SaveStatements {
  readonly t: Templates;
  readonly effects: EndingEffectStatements;
  /** As {@link EnqueueStatements.tieParents}. */
  readonly tieParents: Sql;
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
export function saveStatements(
  t: Templates,
  effects: EndingEffectStatements,
  { tieParents }: EnqueueStatements,
): SaveStatements {
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
    t,
    effects,
    tieParents,
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
        state = CASE WHEN j.arrivals <> ${item.arrivals} THEN 'ready' ELSE ${item.state} END,
        error = COALESCE(${item.error}, j.error), resuming = ${item.resuming},
        due = CASE WHEN j.arrivals <> ${item.arrivals} THEN 1 ELSE ${item.due} END,
        available_at = CASE WHEN j.arrivals <> ${item.arrivals} THEN :now ELSE ${item.available_at} END,
        alarm_at = CASE WHEN j.arrivals <> ${item.arrivals} THEN NULL ELSE ${item.alarm_at} END,
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
      select: () => "j.id, j.state, j.arrivals",
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

/** The batch of a save. */
export function save(s: SaveStatements, request: SaveRequest, marks: Args): Operation<SaveReply> {
  const { now, writes } = request;
  const { dialect } = s.t;
  const { limits } = s.effects;
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
    writes: listOf(dialect, WRITTEN, writes),
    error: null,
  };
  const batch = new Batch<"saved">(args);
  if (ends.length > 0) {
    args["ends"] = listOf(dialect, ENDS, ends, now);
    batch.run(s.end);
  }
  if (moves.length > 0) {
    args["moves"] = listOf(dialect, GOES_ON, moves, now);
    batch.run(s.goOn);
  }
  if (keeps.length > 0) {
    args["keeps"] = listOf(dialect, GOES_ON, keeps, now);
    batch.run(s.keep);
  }
  if (forgets.length > 0) {
    args["forgets"] = listOf(dialect, STEP_NAMES, forgets);
    batch.run(s.forget);
  }
  if (steps.length > 0) {
    args["steps"] = listOf(dialect, STEPS, steps);
    batch.run(s.putSteps);
  }
  if (jobs.length > 0) {
    args["children"] = listOf(dialect, CHILDREN, children, now);
    args["jobs"] = listOf(dialect, JOBS, jobs, now);
    batch.run(s.children);
    if (jobs.some((job) => job.limit)) batch.run(limits.markInserted, ...limits.admit);
  }
  if (ends.length > 0) addEndingEffects(batch, s.effects);
  // Children name their parent as a rule; one that names another job is tied to that one.
  if (jobs.some(({ parentId }) => parentId !== null && !writes.some((write) => write.id === parentId)))
    batch.run(s.tieParents);
  batch.read("saved", s.saved);
  return operation(batch, () => ({
    saved: batch.rows("saved").map((row) => ({
      id: row["id"] as string,
      state: row["state"] as JobState,
      arrivals: int(row["arrivals"]),
    })),
  }));
}

/** The batch of a renewal. */
export function renew(s: SaveStatements, request: RenewRequest): Operation<RenewReply> {
  const batch = new Batch<"renewed">({
    until: request.now + request.claimMs,
    claims: listOf(s.t.dialect, CLAIMS, request.claims),
  });
  batch.read("renewed", s.renew);
  return operation(batch, () => ({ kept: batch.rows("renewed").map((row) => row["id"] as string) }));
}
