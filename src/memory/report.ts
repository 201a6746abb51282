/**
 * How many jobs and schedules are stored, and which are purged? Counts, and the removal of what is past its retention.
 *
 * Counting reads unfinished and failed jobs only. Finished jobs are indexed by their end, so a purge reads the oldest
 * and stops at the first that is too young.
 */
import type { PurgeReply, PurgeRequest, StatsReply } from "../storage/port.ts";
import type { Tables } from "./batch.ts";
import { isFinished, type Job } from "./jobs.ts";
import { forgetStarts } from "./limits.ts";
import { compareText, type SortedSet } from "./sorted_set.ts";

type QueueStats = StatsReply["queues"][number];

/** Counts; see {@link import("../storage/port.ts").Storage.stats}. */
export function stats({ jobs, schedules, lease }: Tables, now: number): StatsReply {
  const queues = new Map<string, QueueStats>();
  const of = (queue: string): QueueStats => {
    let found = queues.get(queue);
    if (!found) {
      const paused = jobs.queues.get(queue)?.settings?.paused ?? false;
      const none = { ready: 0, scheduled: 0, held: 0, running: 0, waiting: 0, failed: 0 };
      found = { queue, ...none, oldestReadyAt: null, paused };
      queues.set(queue, found);
    }
    return found;
  };
  for (const { name, settings } of jobs.queues.values()) if (settings) of(name);
  for (const { row } of jobs.counted) {
    const counts = of(row.queue);
    if (row.state !== "ready") counts[row.state as "running" | "waiting" | "failed"]++;
    else if (row.availableAt! > now) counts.scheduled++;
    else if (row.held) counts.held++;
    else {
      counts.ready++;
      counts.oldestReadyAt = Math.min(counts.oldestReadyAt ?? row.availableAt!, row.availableAt!);
    }
  }
  return {
    queues: [...queues.values()].sort((a, b) => compareText(a.queue, b.queue)),
    schedules: { ...schedules.counts },
    onlySkips: schedules.onlySkips,
    nextAt: schedules.active.first()?.row.nextAt ?? null,
    lease: lease.record(),
  };
}

/** Removes; see {@link import("../storage/port.ts").Storage.purge}. */
export function purge(tables: Tables, request: PurgeRequest): PurgeReply {
  const { jobs, limits, schedules } = tables;
  const { limit } = request;
  const old = [
    ...removable(tables, jobs.settled, request.finishedBefore, limit),
    ...removable(tables, jobs.failed, request.failedBefore, limit),
  ];
  old.sort((a, b) => a.row.finishedAt! - b.row.finishedAt! || compareText(a.row.id, b.row.id));
  const removed = old.slice(0, limit);
  for (const job of removed) jobs.remove(job);
  const rates = [...jobs.queues.values()].map(({ settings }) => settings?.rate);
  for (const { rate } of limits.byKey.values()) rates.push(rate);
  const until = request.now - Math.max(0, ...rates.map((rate) => rate?.perMs ?? 0));
  for (const { starts } of jobs.queues.values()) forgetStarts(starts, until);
  limits.sweep(until);
  return { jobs: removed.length, occurrences: schedules.purgeOutcomes(request.occurrencesBefore, limit) };
}

/** The oldest jobs of an index of finished ones; a job with an unfinished parent is kept. */
function removable({ jobs }: Tables, finished: SortedSet<Job>, before: number, limit: number): Job[] {
  const found: Job[] = [];
  for (const job of finished) {
    if (found.length === limit || job.row.finishedAt! >= before) break;
    const parent = job.row.parentId === null ? undefined : jobs.byId.get(job.row.parentId);
    if (!parent || isFinished(parent.row.state)) found.push(job);
  }
  return found;
}
