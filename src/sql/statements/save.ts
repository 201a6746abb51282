/**
 * How do running jobs write? Steps, progress, children and how each job goes on, many jobs in one batch.
 *
 * The first statements write only jobs whose claim is still the given one, and mark them (tricks 1 and 2 of
 * docs/sql.md). Only the statements that the writes need are sent. What follows from an end is in `ending_effects.ts`.
 */
import type { JobState, JobWrite, RenewReply, RenewRequest, SaveReply, SaveRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Sql, Value } from "../driver.ts";
import { listKind, listOf } from "../list.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, ENDED, type EndingEffectStatements } from "./ending_effects.ts";
import type { EnqueueStatements } from "./enqueue.ts";
import { forgetSteps } from "./history.ts";
import { insertedJob } from "./limit.ts";
import { CHILDREN, columnsOf, ENDS, JOBS, MOVES, STEP_NAMES, STEPS, valuesOf, WRITTEN } from "./lists.ts";

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
  /** Writes jobs that end. */
  readonly end: Sql;
  /** Writes jobs that are ready again or wait; one that something reached since its run looked is ready at once. */
  readonly move: Sql;
  /** Writes jobs that stay running, and prolongs their claims. */
  readonly stay: Sql;
  readonly forget: Sql;
  readonly putSteps: Sql;
  readonly children: Sql;
  /** The jobs that this op wrote. */
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
  /** Assignments of every write of a job (trick 29). */
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
    move: t.update({
      update: "{jobs} AS j",
      list: MOVES,
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
    stay: t.update({
      update: "{jobs} AS j",
      list: MOVES,
      param: "stays",
      set: (item) => `${written(item)}, alarm_at = :until, claim_expires_at = :until`,
      where: current,
    }),
    forget: forgetSteps(t),
    putSteps: t.insert({
      into: "steps",
      rows: {
        list: STEPS,
        param: "steps",
        values: (item) => valuesOf(STEPS, item),
        guard: (item) => ({ from: "{jobs} AS j", where: `j.id = ${item.job_id} AND j.mark = :mark` }),
      },
      // Trick 27: a step that is done stays as it is.
      conflict: `(job_id, name) DO UPDATE SET ${overwritten} WHERE {steps}.state <> 'done'`,
    }),
    children: t.insert({
      into: "jobs",
      rows: {
        list: CHILDREN,
        param: "children",
        values: insertedJob,
        // The writer decides, not the parent: a spawned job has none.
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
  const stays: JobWrite[] = [];
  for (const write of writes) {
    const to = write.transition?.to;
    (to === undefined ? stays : to === "ready" || to === "waiting" ? moves : ends).push(write);
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
    args["moves"] = listOf(dialect, MOVES, moves, now);
    batch.run(s.move);
  }
  if (stays.length > 0) {
    args["stays"] = listOf(dialect, MOVES, stays, now);
    batch.run(s.stay);
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
  // The write of a parent ties it to its children already; a child may name another job as its parent.
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
