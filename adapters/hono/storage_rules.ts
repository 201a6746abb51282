/**
 * What may a worker write and read through the storage protocol? Less than the storage itself would take: the database is
 * the server's, and the worker may be hostile.
 *
 * - A job that it makes belongs to no schedule: otherwise it could hold a schedule's occurrences back, or pause it by
 *   failures of its making.
 * - A child belongs to the job whose claim it holds, and has the id that the engine computes for the step that makes it. A
 *   job that it enqueues has no such id, and no parent: otherwise it could forge the outcome of another job's child.
 * - A claim's token is only in the reply to that claim.
 * - Lists show payloads only to tokens with the scope read, as the other routes do.
 */
import type { Belfry } from "../../src/belfry.ts";
import { childId } from "../../src/execution/child_id.ts";
import type { ClaimRequest, JobRecord, JobWrite, NewJob } from "../../src/storage/port.ts";
import type { Access } from "./access.ts";
import { Refusal } from "./problem.ts";
import { readJob } from "./reach.ts";

/** Ids of children are UUIDs of version 8. */
const CHILD_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8/i;

/** Checks jobs to enqueue. @throws Refusal `FORBIDDEN` */
export function checkNewJobs(access: Access, jobs: readonly NewJob[]): void {
  for (const job of jobs) {
    checkNewJob(access, job);
    if (job.parentId !== null) throw refused(job, "it names a parent, and children are made by a save of their parent");
    if (CHILD_ID.test(job.id)) throw refused(job, "its id is that of a child (a UUID of version 8)");
  }
}

/** Checks the children that a running job makes. @throws Refusal `FORBIDDEN` */
export function checkChildren(access: Access, { id, steps, children }: JobWrite): void {
  for (const child of children) {
    checkNewJob(access, child);
    if (child.parentId !== null && child.parentId !== id) throw refused(child, "its parent is another job");
    const made = steps.some((step) => step.childId === child.id && childId(id, step.name) === child.id);
    if (!made) throw refused(child, "no step of the same write makes it");
  }
}

function checkNewJob(access: Access, job: NewJob): void {
  if (job.schedule !== null || job.scheduledAt !== null) {
    throw refused(job, "it names a schedule, and only schedules make such jobs");
  }
  access.needPlace(job);
}

function refused({ id }: NewJob, why: string): Refusal {
  return new Refusal("FORBIDDEN", `Cannot make the job ${JSON.stringify(id.slice(0, 100))} for a worker: ${why}.`);
}

/** A claim as this token may make it. @throws Refusal `FORBIDDEN` */
export function checkedClaim(access: Access, claim: ClaimRequest): ClaimRequest {
  return { ...claim, tasks: access.claimable(claim.queues, claim.tasks) };
}

/** Checks that all jobs are within reach of a narrowed token. @throws BelfryError `JOB_UNKNOWN` */
export async function checkJobs(belfry: Belfry, access: Access, ids: readonly string[]): Promise<void> {
  if (!access.narrowed) return;
  for (const id of new Set(ids)) access.needJob(id, await readJob(belfry, id));
}

/** A stored job for those who did not claim it. */
export function withoutToken<T extends JobRecord>(job: T): T {
  return { ...job, claimToken: null };
}

/** A stored job of a list, for tokens that may not read payloads. */
export function withoutPayloads(job: JobRecord): JobRecord {
  const hidden = { key: null, input: "", options: "{}", result: null, error: null, progress: null, notes: null };
  return { ...job, ...hidden };
}
