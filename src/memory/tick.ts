/**
 * How do schedules move on? The lease with what is due, firing, and writing schedules.
 *
 * A schedule is written only from the revision that was read, and gets the op of the batch that wrote it. A second send
 * of the batch finds its op and changes nothing.
 */
import type {
  BeginTickReply,
  BeginTickRequest,
  DueSchedule,
  FireReply,
  FireRequest,
  Firing,
  PutSchedulesReply,
  PutSchedulesRequest,
  SchedulePut,
} from "../storage/port.ts";
import { Batch, OVERLAP_ERROR, type Tables } from "./batch.ts";

/** Asks to lead, and reads what is due; see {@link import("../storage/port.ts").Storage.beginTick}. */
export function beginTick(tables: Tables, request: BeginTickRequest, jobsAt: number | null): BeginTickReply {
  const { jobs, schedules, lease } = tables;
  const leads = lease.acquire(request);
  const due: DueSchedule[] = [];
  let nextAt: number | null = null;
  for (const { row } of schedules.active) {
    if (!leads || row.nextAt! > request.now || due.length >= request.maxDue) {
      nextAt = row.nextAt;
      break;
    }
    due.push({ ...row, busy: row.watchesJobs && jobs.unfinishedOf(row.name) !== undefined });
  }
  if (leads && due.length === 0 && request.resignIfIdle) lease.release();
  return { lease: lease.record(), leads, due, nextAt, jobsAt };
}

/** Fires; see {@link import("../storage/port.ts").Storage.fire}. */
export function fire(tables: Tables, request: FireRequest): { reply: FireReply; batch: Batch } {
  const { jobs, schedules, lease } = tables;
  const { op, now } = request;
  const batch = new Batch(tables, now, op);
  const term = request.lease;
  const owns = term === null || lease.isOwnedBy(term.holder, term.token);
  const reply: FireReply = { leads: owns, fired: [], jobs: [] };
  for (const firing of request.firings) {
    const schedule = schedules.byName.get(firing.name);
    if (!schedule) continue;
    if (schedule.op === op) {
      reply.leads = true;
    } else {
      if (!owns || schedule.row.revision !== firing.revision) continue;
      schedule.op = op;
      moveOn(tables, batch, firing, now);
    }
    reply.fired.push(firing.name);
  }
  batch.finish();
  if (owns && term !== null && request.resign) {
    lease.release();
    batch.wakes.add("schedules");
  }

  for (const firing of request.firings) {
    for (const { id } of firing.jobs) if (jobs.byId.get(id)?.insertedBy === op) reply.jobs.push(id);
  }
  return { reply, batch };
}

function moveOn({ jobs, schedules }: Tables, batch: Batch, firing: Firing, now: number): void {
  const schedule = schedules.byName.get(firing.name)!;
  const { state, nextAt, fired, skips, lastAt, note } = firing;
  schedules.change(schedule, {
    state,
    nextAt,
    fired,
    skips,
    lastAt,
    note,
    revision: schedule.row.revision + 1,
    updatedAt: now,
  });
  if (firing.cancelUnfinished) batch.cancel([...(jobs.unfinishedOf(firing.name) ?? [])], OVERLAP_ERROR);
  batch.fireJobs(firing.name, firing.jobs, firing.occurrences);
}

/** Writes schedules; see {@link import("../storage/port.ts").Storage.putSchedules}. */
export function putSchedules(tables: Tables, request: PutSchedulesRequest): { reply: PutSchedulesReply; batch: Batch } {
  const { schedules } = tables;
  const { op, now, owner } = request;
  const batch = new Batch(tables, now, op);
  const reply: PutSchedulesReply = { current: true, written: [], removed: [] };
  if (owner) {
    if ((schedules.owners.get(owner.owner) ?? Number.NEGATIVE_INFINITY) > owner.generation) {
      return { reply: { ...reply, current: false }, batch };
    }
    schedules.owners.set(owner.owner, owner.generation);
  }
  // A second send records nothing again: a purge may have come between.
  const fresh: SchedulePut[] = [];
  for (const put of request.puts) {
    const written = schedules.byName.get(put.record.name)?.op === op;
    if (!written && !write(tables, put, op)) continue;
    reply.written.push(put.record.name);
    if (!written) fresh.push(put);
  }
  for (const { record, jobs, occurrences } of fresh) batch.fireJobs(record.name, jobs, occurrences);
  for (const { name, revision } of request.removes) {
    const schedule = schedules.byName.get(name);
    if (schedule?.row.revision !== revision) continue;
    schedules.remove(schedule);
    reply.removed.push(name);
  }
  batch.finish();
  if (reply.written.length > 0) batch.wakes.add("schedules");
  return { reply, batch };
}

/** Writes one schedule from the revision that was read. */
function write({ schedules }: Tables, { record, revision }: SchedulePut, op: string): boolean {
  const schedule = schedules.byName.get(record.name);
  if (!schedule) {
    if (revision !== null) return false;
    schedules.insert({ ...record, revision: 1 }, op);
    return true;
  }
  if (schedule.row.revision !== revision) return false;
  schedules.change(schedule, { ...record, revision: revision + 1 });
  schedule.op = op;
  return true;
}
