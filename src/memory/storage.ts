/**
 * What does each method of the port do to the tables? The memory storage, method by method.
 *
 * Each method works synchronously, so it is atomic; replies are copies.
 */
import { type Checks, callback, checkOptions, whole } from "../base/options.ts";
import type {
  JobRecord,
  ListJobsRequest,
  ListSchedulesRequest,
  OccurrenceRecord,
  ScheduleRecord,
  Storage,
  Wake,
} from "../storage/port.ts";
import { Batch, type Tables } from "./batch.ts";
import { claim, jobsAt } from "./claim.ts";
import { exportPage, importPage } from "./copy.ts";
import { type Job, JobTable } from "./jobs.ts";
import { LimitTable } from "./limits.ts";
import { purge, stats } from "./report.ts";
import { cancel, retry, save, signal } from "./save.ts";
import { Lease, ScheduleTable } from "./schedules.ts";
import { compareText } from "./sorted_set.ts";
import { beginTick, fire, putSchedules } from "./tick.ts";

/** Options of `memory`. */
export interface MemoryOptions {
  /**
   * A clock that the storage reports as its own, as servers do: epoch ms. For tests of clocks that differ.
   *
   * @default none: the engine's clock counts
   */
  time?: () => number;
  /**
   * The most rows that one batch should carry. For tests of chunks.
   *
   * @default 1000
   */
  maxBatchRows?: number;
}

const CHECKS: Checks<MemoryOptions> = { time: callback, maxBatchRows: whole(1, 1_000_000) };

/** What listeners are called with when a lease was given up. */
const SCHEDULES: ReadonlySet<Wake> = new Set(["schedules"]);

/** Version of what is stored, the same in all adapters. */
const SCHEMA_VERSION = 1;

/** Makes empty tables. */
export function newTables(): Tables {
  const limits = new LimitTable();
  return {
    jobs: new JobTable((job, now) => limits.indexOf(job, now)),
    limits,
    schedules: new ScheduleTable(),
    lease: new Lease(),
  };
}

/**
 * Makes the storage over its tables.
 *
 * @param tables what it holds; a caller that keeps them may read them, and watch their rows
 */
export function storageOf(tables: Tables, options: MemoryOptions = {}): Storage {
  checkOptions(options, "memory", CHECKS);
  const { time, maxBatchRows = 1000 } = options;
  const { jobs, schedules, lease } = tables;
  const listeners = new Set<(wake: Wake) => void>();
  let version = 0;

  const timed = <T extends object>(reply: T): T => (time ? { ...reply, time: time() } : reply);
  const notify = (wakes: ReadonlySet<Wake>): void => {
    if (wakes.size === 0 || listeners.size === 0) return;
    // After the caller's own continuation, as a notification from a database would arrive.
    queueMicrotask(() => {
      for (const wake of wakes) for (const listener of listeners) listener(wake);
    });
  };
  const done = <T>({ reply, batch }: { reply: T; batch: Batch }): T => {
    notify(batch.wakes);
    return reply;
  };

  return {
    name: "memory",
    capabilities: {
      serverClock: time !== undefined,
      durable: false,
      shared: false,
      statements: false,
      maxBatchRows,
      maxBatchBytes: 16 * 1024 * 1024,
    },

    async migrate() {
      const from = version;
      version = SCHEMA_VERSION;
      return timed({ from, to: version, warnings: [] });
    },

    async beginTick(request) {
      const reply = beginTick(tables, request, jobsAt(tables, request.now));
      if (reply.lease === null) notify(SCHEDULES);
      return timed(reply);
    },

    async fire(request) {
      return timed(done(fire(tables, request)));
    },

    async resign({ holder, token }) {
      const owned = lease.isOwnedBy(holder, token);
      if (owned) {
        lease.release();
        notify(SCHEDULES);
      }
      return owned;
    },

    async putSchedules(request) {
      return timed(done(putSchedules(tables, request)));
    },

    async listSchedules(request) {
      const found: ScheduleRecord[] = [];
      for (const row of candidates(schedules, request)) {
        if (found.length >= request.limit) break;
        if (request.owner !== undefined && row.owner !== request.owner) continue;
        if (request.state !== undefined && row.state !== request.state) continue;
        if (request.minSkips !== undefined && row.skips < request.minSkips) continue;
        found.push({ ...row });
      }
      return found;
    },

    async listOccurrences({ schedule, from, to, newestFirst, limit }) {
      const found: OccurrenceRecord[] = [];
      const outcomes = schedules.outcomes.get(schedule);
      if (!outcomes) return found;
      for (const outcome of newestFirst ? outcomes.walkBack() : outcomes.walk()) {
        if (found.length >= limit) break;
        if (from !== undefined && outcome.untilAt < from) continue;
        if (to !== undefined && outcome.at > to) continue;
        found.push({ ...outcome });
      }
      return found;
    },

    async enqueue({ op, now, jobs: asked, claim: piggyback }) {
      const batch = new Batch(tables, now, op);
      const reply = asked.map((job) => {
        const { row, insertedBy } = batch.insert(job);
        return { id: row.id, created: row.id === job.id && insertedBy === op };
      });
      batch.finish();
      notify(batch.wakes);
      return timed(piggyback ? { jobs: reply, claimed: claim(tables, piggyback) } : { jobs: reply });
    },

    async claim(request) {
      return timed(claim(tables, request));
    },

    async renew({ now, claimMs, claims }) {
      const kept: string[] = [];
      for (const { id, token } of claims) {
        const job = jobs.byId.get(id);
        if (job?.row.state !== "running" || job.row.claimToken !== token) continue;
        jobs.change(job, now, (row) => {
          row.claimExpiresAt = now + claimMs;
        });
        kept.push(id);
      }
      return timed({ kept });
    },

    async save(request) {
      const reply = done(save(tables, request));
      return timed(request.claim ? { ...reply, claimed: claim(tables, request.claim) } : reply);
    },

    async signal(request) {
      return timed(done(signal(tables, request)));
    },

    async cancel(request) {
      return done(cancel(tables, request));
    },

    async retry(request) {
      return done(retry(tables, request));
    },

    async getJob({ id }) {
      const job = jobs.byId.get(id);
      return job ? jobs.claimed(job) : null;
    },

    async listJobs(request) {
      const found: JobRecord[] = [];
      for (const { row } of jobs.inOrder.walkBack(
        request.before === undefined ? undefined : ({ row: { id: request.before } } as Job),
      )) {
        if (found.length >= request.limit) break;
        if (fits(row, request)) found.push({ ...row });
      }
      return found;
    },

    async putQueues({ queues }) {
      for (const { name, paused, concurrency, rate } of queues) {
        const queue = jobs.queue(name);
        const settings = queue.settings ?? { name, paused: false, concurrency: null, rate: null };
        queue.settings = {
          name,
          paused: paused ?? settings.paused,
          concurrency: concurrency === undefined ? settings.concurrency : concurrency,
          rate: rate === undefined ? settings.rate : rate && { ...rate },
        };
      }
      notify(new Set<Wake>(["jobs"]));
    },

    async listQueues() {
      const found = [...jobs.queues.values()].map(({ settings }) => settings).filter((settings) => settings !== null);
      found.sort((a, b) => compareText(a.name, b.name));
      return found.map((settings) => ({ ...settings, rate: settings.rate && { ...settings.rate } }));
    },

    async purge(request) {
      return purge(tables, request);
    },

    async stats({ now }) {
      return timed(stats(tables, now));
    },

    async listen(onWake) {
      // Wrapped, so that one function may listen twice.
      const listener = (wake: Wake): void => onWake(wake);
      listeners.add(listener);
      return async () => {
        listeners.delete(listener);
      };
    },

    async exportPage(request) {
      return exportPage(tables, request);
    },

    async importPage({ page }) {
      importPage(tables, page);
    },

    // Nothing to release: other engines may share the storage.
    async close() {},
  };
}

/** The schedules that a list may contain, in order of name. */
function* candidates(schedules: ScheduleTable, { names, after }: ListSchedulesRequest): Generator<ScheduleRecord> {
  if (names) {
    for (const name of [...new Set(names)].sort(compareText)) {
      const schedule = schedules.byName.get(name);
      if (schedule && (after === undefined || compareText(name, after) > 0)) yield schedule.row;
    }
    return;
  }
  const probe = after === undefined ? undefined : { row: { name: after } as ScheduleRecord, op: null };
  for (const { row } of schedules.inOrder.walk(probe)) yield row;
}

function fits(row: JobRecord, { states, queue, task, schedule, parentId, key }: ListJobsRequest): boolean {
  return (
    (states === undefined || states.includes(row.state)) &&
    (queue === undefined || row.queue === queue) &&
    (task === undefined || row.task === task) &&
    (schedule === undefined || row.schedule === schedule) &&
    (parentId === undefined || row.parentId === parentId) &&
    (key === undefined || row.key === key)
  );
}
