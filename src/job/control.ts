/**
 * What can be done to jobs from outside: cancel, send a signal, put back what failed, one or many.
 *
 * Putting back keeps what was saved. Where a job failed because of a step whose failure its code had caught (so that it
 * is part of the history, and replay would end in the same failure), that step and all after it are forgotten; children
 * that it failed for, or that were cancelled with it, are put back too. Everything else goes on from the last saved step.
 */
import { encodePayload } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import type { ClaimedJob, JobState, ListJobsRequest } from "../storage/port.ts";
import { parseFailure } from "../task/failure.ts";
import { ATTEMPT_NOTE } from "./notes.ts";

/**
 * Cancels a job and all that it invoked. A running one learns of it at its next write or renewal; in this process at once.
 *
 * @returns the ids cancelled, descendants included; empty when it was over already
 * @throws BelfryError `JOB_UNKNOWN`
 */
export async function cancelJob(engine: Engine, id: string, reason = "cancelled"): Promise<string[]> {
  await engine.open();
  const now = engine.clock.now();
  const error = JSON.stringify({ name: "BelfryError", code: "JOB_CANCELLED", message: reason });
  const ids = await engine.storage.cancel({ op: engine.ids.token(), now, ids: [id], error });
  if (ids.length === 0 && !(await engine.storage.getJob({ id }))) throw unknownJob("cancel", id);
  for (const cancelled of ids) {
    engine.events.emit("job:cancelled", { id: cancelled });
    engine.endings.announce(cancelled, { state: "cancelled", result: null, error });
  }
  return ids;
}

/**
 * Sends a value to a job that waits for it, or will.
 *
 * @param options `key`: the same key is taken once, however often it is sent; default: each call is a signal of its own
 * @returns `accepted`, or `duplicate` when the key was sent before
 * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE` the job is over, `PAYLOAD_UNSERIALIZABLE`, `NAME_INVALID`
 */
export async function signalJob(
  engine: Engine,
  id: string,
  name: string,
  value?: unknown,
  options: { key?: string } = {},
): Promise<"accepted" | "duplicate"> {
  checkName(name, "signal");
  const key = options.key === undefined ? engine.ids.token() : checkName(options.key, "key");
  const payload = await encodePayload(engine.codec, value, `signal ${JSON.stringify(name)}`);
  await engine.open();
  const now = engine.clock.now();
  const signals = [{ jobId: id, name, key, payload }];
  const outcome = (await timed(engine, () => engine.storage.signal({ now, signals }))).outcomes[0]!;
  if (outcome === "unknown") throw unknownJob("signal", id);
  if (outcome === "finished") {
    throw new BelfryError("JOB_STATE", `Cannot signal job ${id}: it is over; signals reach unfinished jobs only`);
  }
  engine.events.emit("signal:sent", { id, signal: name, key });
  return outcome;
}

/** States that {@link retryJob} takes back. */
const RETRIABLE: readonly JobState[] = ["failed", "cancelled", "expired"];

/**
 * Puts a failed, cancelled or expired job back: it goes on from its saved steps, with all its attempts before it.
 *
 * @returns the ids put back: the job, and the failed children that it failed for
 * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE` it is not over, or it completed
 */
export async function retryJob(engine: Engine, id: string): Promise<string[]> {
  await engine.open();
  const job = await engine.storage.getJob({ id });
  if (!job) throw unknownJob("retry", id);
  if (!RETRIABLE.includes(job.state)) {
    throw new BelfryError(
      "JOB_STATE",
      `Cannot retry job ${id}: it is ${job.state}, and only ${RETRIABLE.join(", ")} jobs can be`,
    );
  }
  return putBack(engine, [job]);
}

/** Which jobs to redrive: {@link ListJobsRequest} with states among failed (default), cancelled and expired. */
export type RedriveFilter = Omit<ListJobsRequest, "limit" | "before"> & { limit?: number };

/**
 * Puts back many jobs.
 *
 * @param options `dryRun`: only say which
 * @returns ids in the order newest first, at most `filter.limit` (default 1,000) of them
 * @throws BelfryError `JOB_STATE` when the filter asks for states that cannot be put back
 */
export async function redriveJobs(
  engine: Engine,
  filter: RedriveFilter = {},
  options: { dryRun?: boolean } = {},
): Promise<string[]> {
  const { states = ["failed"], limit = 1_000, ...rest } = filter;
  const wrong = states.find((state) => !RETRIABLE.includes(state));
  if (wrong !== undefined) {
    throw new BelfryError(
      "JOB_STATE",
      `Cannot redrive ${wrong} jobs: only ${RETRIABLE.join(", ")} ones can be put back`,
    );
  }
  await engine.open();
  const ids: string[] = [];
  let before: string | undefined;
  while (ids.length < limit) {
    const size = Math.min(limit - ids.length, 200);
    const page = await engine.storage.listJobs({
      ...rest,
      states: [...states],
      limit: size,
      ...(before === undefined ? {} : { before }),
    });
    if (page.length === 0) break;
    before = page.at(-1)!.id;
    if (options.dryRun) {
      ids.push(...page.map((job) => job.id));
    } else {
      const jobs = await Promise.all(page.map((job) => engine.storage.getJob({ id: job.id })));
      const back = new Set(
        await putBack(
          engine,
          jobs.filter((job) => job !== null),
        ),
      );
      ids.push(...page.map((job) => job.id).filter((id) => back.has(id)));
    }
    if (page.length < size) break;
  }
  return ids;
}

async function putBack(engine: Engine, jobs: ClaimedJob[]): Promise<string[]> {
  const plan = new Map<string, string[]>();
  const byId = new Map<string, ClaimedJob>();
  // Children first, so that the parent finds them unfinished when it looks.
  const visit = async (job: ClaimedJob): Promise<void> => {
    const culprit = job.error === null ? undefined : parseFailure(job.error).step;
    const step = job.steps.find((candidate) => candidate.name === culprit);
    const from = step?.seq ?? null;
    const forget = from === null ? [] : job.steps.filter((other) => other.seq === null || other.seq >= from);
    // Children that ended with it, or that it failed for, would answer at once as they did before.
    for (const other of job.steps) {
      if (other.kind !== "invoke" || other.ref === null || plan.has(other.ref)) continue;
      if (other.state !== "pending" && !forget.includes(other)) continue;
      const child = await engine.storage.getJob({ id: other.ref });
      if (child && RETRIABLE.includes(child.state)) await visit(child);
    }
    byId.set(job.id, job);
    // A child may have been purged, or may be at any moment while its parent is over: a wait for it is begun again, which
    // leaves a child that is there alone and makes one that is gone.
    const awaited = job.steps.filter(({ kind, state }) => kind === "invoke" && state === "pending");
    const forgotten = new Set([...forget, ...awaited].map((other) => other.name));
    // Attempts are counted anew, so the note about those that threw goes, too.
    plan.set(job.id, [...forgotten, ATTEMPT_NOTE]);
  };
  for (const job of jobs) await visit(job);
  const now = engine.clock.now();
  const requests = [...plan].map(([id, forget]) => ({ id, forget }));
  const ids = await engine.storage.retry({ op: engine.ids.token(), now, jobs: requests });
  for (const id of ids) {
    const job = byId.get(id);
    if (!job) continue;
    const { task, queue, schedule, scheduledAt } = job;
    engine.events.emit("job:enqueued", { id, task, queue, schedule, scheduledAt, availableAt: now });
  }
  return ids;
}

function unknownJob(verb: string, id: string): BelfryError {
  return new BelfryError("JOB_UNKNOWN", `Cannot ${verb} job ${JSON.stringify(id)}: no job of that id is stored`);
}
