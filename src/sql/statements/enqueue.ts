/**
 * How are jobs enqueued? By one insert that leaves stored jobs alone, and a look at those that were stored before.
 */
import type { EnqueueReply, EnqueueRequest, NewJob } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Sql } from "../driver.ts";
import { listOf } from "../list.ts";
import { int } from "../rows.ts";
import { TIED } from "../schema.ts";
import type { Templates } from "../template.ts";
import { insertedJob, type LimitStatements } from "./limit.ts";
import { JOBS } from "./lists.ts";

/** Statements of enqueueing. */
export interface EnqueueStatements {
  readonly t: Templates;
  readonly limits: LimitStatements;
  readonly insert: Sql;
  /** Notes on parents that they have children. */
  readonly tieParents: Sql;
  /** Jobs of the list that another op stored before, or whose key it did: place in the list, and id of the stored job. */
  readonly notInserted: Sql;
}

/** Prepares the statements. */
export function enqueueStatements(t: Templates, limits: LimitStatements): EnqueueStatements {
  return {
    t,
    limits,
    insert: t.insert({
      into: "jobs",
      rows: { list: JOBS, param: "jobs", values: insertedJob },
      conflict: "DO NOTHING",
    }),
    tieParents: t.sql(`UPDATE {jobs} SET tied = tied | ${TIED.children} WHERE (tied & ${TIED.children}) = 0
      AND id IN (SELECT item.parent_id FROM ${t.list(JOBS, "jobs")} AS item WHERE item.parent_id IS NOT NULL)`),
    notInserted: t.select({
      list: JOBS,
      param: "jobs",
      select: (item) => `${item.ord} AS ord, COALESCE(j.id, k.id) AS id`,
      join: (item) => `LEFT JOIN {jobs} AS j ON j.id = ${item.id}
        LEFT JOIN {jobs} AS k ON k.task = ${item.task} AND k.key = ${item.key} AND k.key IS NOT NULL`,
      where: () => "j.id IS NULL OR COALESCE(j.inserted_by, '') <> :op",
    }),
  };
}

/** The statements that insert, in order. */
export function insertsOf(s: EnqueueStatements, jobs: readonly NewJob[]): Sql[] {
  const sqls = [s.insert];
  if (jobs.some((job) => job.parentId !== null)) sqls.push(s.tieParents);
  if (jobs.some((job) => job.limit)) sqls.push(s.limits.markInserted, ...s.limits.admit);
  return sqls;
}

/** Parameters of an enqueue. */
export function enqueueArgs(s: EnqueueStatements, request: EnqueueRequest, marks: Args): Args {
  return { ...marks, now: request.now, jobs: listOf(s.t.dialect, JOBS, request.jobs, request.now) };
}

/** The batch of an enqueue. */
export function enqueue(s: EnqueueStatements, request: EnqueueRequest, marks: Args): Operation<EnqueueReply> {
  const batch = new Batch<"notInserted">(enqueueArgs(s, request, marks));
  batch.run(...insertsOf(s, request.jobs));
  // Trick 4: not asked where all were inserted.
  batch.read("notInserted", s.notInserted, { sql: s.insert, changes: request.jobs.length });
  return operation(batch, () => {
    const jobs = request.jobs.map(({ id }) => ({ id, created: true }));
    for (const row of batch.rows("notInserted")) {
      const job = jobs[int(row["ord"])]!;
      job.id = (row["id"] as string | null) ?? job.id;
      job.created = false;
    }
    return { jobs };
  });
}
