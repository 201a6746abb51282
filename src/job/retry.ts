/**
 * How is a job that ended badly put back? It keeps what it saved and goes on from its last saved step.
 *
 * Where the job failed because of a step whose failure its code had caught (so that it is part of the history, and replay
 * would end in the same failure), that step and all after it are forgotten; children that it failed for, or that were
 * cancelled with it, are put back too.
 */
import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClaimedJob, JobState, RetryRequest } from "../storage/port.ts";
import { parseFailure } from "../task/failure.ts";
import { unknownJob } from "./control.ts";
import { notesAfterRetry } from "./notes.ts";

/** States from which a job can be put back. */
export const RETRIABLE: readonly JobState[] = ["failed", "cancelled", "expired"];

/**
 * Puts a failed, cancelled or expired job back: it goes on from its saved steps, with all its attempts before it.
 *
 * @returns the ids put back: the job, and the failed children that it failed for
 * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE` the job is not over, or it completed
 */
export async function retryJob(engine: Engine, id: string): Promise<string[]> {
  await engine.open();
  const job = await engine.storage.getJob({ id });
  if (!job) throw unknownJob("retry", id);
  if (!RETRIABLE.includes(job.state)) {
    throw new BelfryError(
      "JOB_STATE",
      `Cannot retry job ${id}: it is ${job.state}, and only ${RETRIABLE.join(", ")} jobs can be put back`,
    );
  }
  return putBack(engine, [job]);
}

/** Puts jobs back, children before their parents. @returns the ids put back, children included */
export async function putBack(engine: Engine, jobs: ClaimedJob[]): Promise<string[]> {
  const plan = new Map<string, RetryRequest["jobs"][number]>();
  const byId = new Map<string, ClaimedJob>();
  // Children first, so that the parent finds them unfinished when it looks.
  const visit = async (job: ClaimedJob): Promise<void> => {
    const culprit = job.error === null ? undefined : parseFailure(job.error).step;
    const step = job.steps.find((candidate) => candidate.name === culprit);
    const from = step?.seq ?? null;
    const forget = from === null ? [] : job.steps.filter((other) => other.seq === null || other.seq >= from);
    // Children that ended with it, or that it failed for, would answer at once as they did before.
    for (const other of job.steps) {
      if (other.kind !== "invoke" || other.childId === null || plan.has(other.childId)) continue;
      if (other.state !== "pending" && !forget.includes(other)) continue;
      const child = await engine.storage.getJob({ id: other.childId });
      if (child && RETRIABLE.includes(child.state)) await visit(child);
    }
    byId.set(job.id, job);
    // A child may have been purged, or may be at any moment while its parent is over: a wait for it is begun again, which
    // leaves a child that is there alone and makes one that is gone.
    const awaited = job.steps.filter(({ kind, state }) => kind === "invoke" && state === "pending");
    const forgotten = new Set([...forget, ...awaited].map((other) => other.name));
    const kept = job.steps.filter((other) => !forgotten.has(other.name));
    plan.set(job.id, { id: job.id, forget: [...forgotten], notes: JSON.stringify(notesAfterRetry(job, kept)) });
  };
  for (const job of jobs) await visit(job);
  const now = engine.clock.now();
  const ids = await engine.storage.retry({ op: engine.ids.token(), now, jobs: [...plan.values()] });
  for (const id of ids) {
    const job = byId.get(id);
    if (!job) continue;
    const { task, queue, schedule, scheduledAt } = job;
    engine.events.emit("job:enqueued", { id, task, queue, schedule, scheduledAt, availableAt: now });
  }
  return ids;
}
