/**
 * Which job runs next? Claiming, and when there will be a job to claim.
 *
 * First a claim makes the changes that are due by time, in all queues: delayed jobs and timed-out waits become ready,
 * claims that have run out are freed, jobs past `expiresAt` expire. Then the queues take turns, each giving its first
 * job in claim order, until the limit is reached or no queue has a job and room.
 */
import type { ClaimReply, ClaimRequest } from "../storage/port.ts";
import { Batch, EXPIRY_ERROR, type Tables } from "./batch.ts";
import { byClaimOrder, type Job, type Queue, type TaskJobs } from "./jobs.ts";
import { rateFreeAt } from "./limits.ts";

/** Claims jobs; see {@link import("../storage/port.ts").Storage.claim}. */
export function claim(tables: Tables, request: ClaimRequest): ClaimReply {
  const { jobs, limits } = tables;
  const { token, now, limit } = request;
  const tasks = request.tasks && new Set(request.tasks);
  const queues = [...new Set(request.queues)]
    .map((name) => jobs.queues.get(name))
    .filter((queue) => queue !== undefined);

  const before = jobs.runningUnder(token);
  let claimed: Job[];
  if (before) {
    claimed = [...before];
  } else {
    applyTime(tables, now);
    limits.admitDue(jobs, now);
    claimed = takeTurns(queues, tasks, now, limit, (job) => {
      jobs.change(job, now, (row) => {
        row.state = "running";
        row.claimToken = token;
        row.claimExpiresAt = now + request.claimMs;
        row.worker = request.worker;
        row.claims++;
        if (!job.resuming) row.attempt++;
        row.startedAt ??= now;
      });
      job.op = null;
      job.resuming = false;
    });
  }
  let nextAt = limits.nextAt(now);
  for (const queue of queues) nextAt = earliest(nextAt, claimableAt(queue, tasks, now));
  return { jobs: claimed.map((job) => jobs.claimed(job)), nextAt };
}

/** When a job of any queue could first be claimed, by any worker; null when none waits for time. */
export function jobsAt(tables: Tables, now: number): number | null {
  let at = tables.limits.nextAt(now);
  for (const queue of tables.jobs.queues.values()) at = earliest(at, claimableAt(queue, null, now));
  return at;
}

/** The earlier of two instants, either of which may be missing. */
function earliest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** Makes the changes that are due by time. */
function applyTime(tables: Tables, now: number): void {
  const batch = new Batch(tables, now, null);
  for (const { tasks } of tables.jobs.queues.values()) {
    for (const { timed, expiring } of tasks.values()) {
      for (let job = timed.first(); job && job.timedAt <= now; job = timed.first()) {
        const { state, availableAt } = job.row;
        if (state === "running") batch.ready(job, now, false);
        else batch.ready(job, availableAt!, job.resuming);
      }
      for (let job = expiring.first(); job && job.row.expiresAt! <= now; job = expiring.first()) {
        batch.end(job, { state: "expired", error: EXPIRY_ERROR });
      }
    }
  }
  batch.finish();
}

function takeTurns(
  queues: Queue[],
  tasks: ReadonlySet<string> | null,
  now: number,
  limit: number,
  take: (job: Job) => void,
): Job[] {
  const taken: Job[] = [];
  let turn = queues;
  while (turn.length > 0 && taken.length < limit) {
    const again: Queue[] = [];
    for (const queue of turn) {
      if (taken.length === limit) break;
      if (!hasPlace(queue) || freeAt(queue) > now) continue;
      const job = firstOf(queue, tasks);
      if (!job) continue;
      take(job);
      if (queue.settings?.rate) queue.starts.push(now);
      taken.push(job);
      again.push(queue);
    }
    turn = again;
  }
  return taken;
}

/**
 * When a worker that knows these tasks could first claim from a queue: `now` when it can at once, else the next instant
 * at which time changes a job of it.
 */
function claimableAt(queue: Queue, tasks: ReadonlySet<string> | null, now: number): number | null {
  if (queue.settings?.paused) return null;
  let at: number | null = null;
  for (const { timed, expiring } of jobsFor(queue, tasks)) {
    at = earliest(at, timed.first()?.timedAt ?? null);
    at = earliest(at, expiring.first()?.row.expiresAt ?? null);
  }
  const free = freeAt(queue);
  if (hasPlace(queue) && free < Number.POSITIVE_INFINITY && firstOf(queue, tasks)) at = earliest(at, free);
  return at === null ? null : Math.max(at, now);
}

function hasPlace(queue: Queue): boolean {
  const { settings } = queue;
  return settings === null || (!settings.paused && queue.running < (settings.concurrency ?? Number.POSITIVE_INFINITY));
}

/** When the queue's rate has room. */
function freeAt({ starts, settings }: Queue): number {
  return rateFreeAt(starts, settings?.rate ?? null);
}

/** The ready job of the queue that comes first in claim order. */
function firstOf(queue: Queue, tasks: ReadonlySet<string> | null): Job | undefined {
  let first: Job | undefined;
  for (const jobs of jobsFor(queue, tasks)) {
    const job = jobs.ready.first();
    if (job && (first === undefined || byClaimOrder(job, first) < 0)) first = job;
  }
  return first;
}

/** The jobs of a queue, by task, of the tasks asked for. */
function* jobsFor(queue: Queue, tasks: ReadonlySet<string> | null): Generator<TaskJobs> {
  for (const [task, jobs] of queue.tasks) {
    if (tasks === null || tasks.has(task)) yield jobs;
  }
}
