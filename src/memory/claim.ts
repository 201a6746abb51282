/**
 * Which job runs next? Claiming, and the question when there will be something to claim.
 *
 * Before it claims, a batch lets time do its work in all queues: delayed jobs and timed-out waits become ready, claims
 * that have run out are freed, what is past `expiresAt` expires. Then it takes turns over the queues, each
 * giving its best job, until the limit is reached or no queue has anything to give.
 */
import type { ClaimReply, ClaimRequest } from "../storage/port.ts";
import { Batch, EXPIRY_ERROR, type Tables } from "./batch.ts";
import { byClaimOrder, type Job, type Lane, type Queue } from "./jobs.ts";
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
    passTime(tables, now);
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

/** When some job of any queue could be claimed, by any worker; null when nothing waits for time. */
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

/** Lets time do its work. */
function passTime(tables: Tables, now: number): void {
  const batch = new Batch(tables, now, null);
  for (const { lanes } of tables.jobs.queues.values()) {
    for (const { timed, expiring } of lanes.values()) {
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
      const job = best(queue, tasks);
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
 * When a worker that knows these tasks should ask a queue again: `now` when it has something to give, else the next
 * instant at which time changes something in it.
 */
function claimableAt(queue: Queue, tasks: ReadonlySet<string> | null, now: number): number | null {
  if (queue.settings?.paused) return null;
  let at: number | null = null;
  for (const { timed, expiring } of lanesFor(queue, tasks)) {
    at = earliest(at, timed.first()?.timedAt ?? null);
    at = earliest(at, expiring.first()?.row.expiresAt ?? null);
  }
  const free = freeAt(queue);
  if (hasPlace(queue) && free < Number.POSITIVE_INFINITY && best(queue, tasks)) at = earliest(at, free);
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
function best(queue: Queue, tasks: ReadonlySet<string> | null): Job | undefined {
  let first: Job | undefined;
  for (const lane of lanesFor(queue, tasks)) {
    const job = lane.ready.first();
    if (job && (first === undefined || byClaimOrder(job, first) < 0)) first = job;
  }
  return first;
}

function* lanesFor(queue: Queue, tasks: ReadonlySet<string> | null): Generator<Lane> {
  for (const [task, lane] of queue.lanes) {
    if (tasks === null || tasks.has(task)) yield lane;
  }
}
