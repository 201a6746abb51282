/**
 * How are jobs written while they run, and from outside? Saving, signals, cancelling and putting back.
 *
 * A write is taken only while its claim is the current one. The `op` on the jobs that a batch wrote shows when the same
 * batch is sent again; then it changes nothing and gives the same answer.
 */
import type {
  CancelRequest,
  JobTransition,
  JobWrite,
  RetryRequest,
  SaveReply,
  SaveRequest,
  SignalReply,
  SignalRequest,
} from "../storage/port.ts";
import { Batch, type Tables } from "./batch.ts";
import { isFinished, type Job } from "./jobs.ts";
import { compareText } from "./sorted_set.ts";

/** Saves; see {@link import("../storage/port.ts").Storage.save}. */
export function save(tables: Tables, { op, now, claimMs, writes }: SaveRequest): { reply: SaveReply; batch: Batch } {
  const { jobs } = tables;
  const batch = new Batch(tables, now, op);
  const saved: Job[] = [];
  for (const write of writes) {
    const job = jobs.byId.get(write.id);
    if (!job) continue;
    if (job.op === op) {
      saved.push(job);
      continue;
    }
    if (job.row.state !== "running" || job.row.claimToken !== write.token) continue;
    job.op = op;
    saved.push(job);
    saveHistory(tables, batch, job, write);
    if (write.transition) move(batch, job, write.transition, now);
    else {
      jobs.change(job, now, (row) => {
        row.claimExpiresAt = now + claimMs;
      });
    }
  }
  batch.finish();
  const taken = saved.filter((job) => job.op === op);
  return {
    reply: { saved: taken.map(({ row }) => ({ id: row.id, state: row.state, arrivals: row.arrivals })) },
    batch,
  };
}

function saveHistory(tables: Tables, batch: Batch, job: Job, write: JobWrite): void {
  for (const name of write.forget) job.steps.delete(name);
  for (const step of write.steps) tables.jobs.putStep(job, step);
  for (const child of write.children) batch.insert(child);
  if (write.progress !== undefined) job.row.progress = write.progress;
  if (write.notes !== undefined) job.row.notes = write.notes;
}

function move(batch: Batch, job: Job, transition: JobTransition, now: number): void {
  switch (transition.to) {
    case "completed":
      batch.end(job, { state: "completed", result: transition.result, error: null });
      break;
    case "ready":
      if (transition.error !== null) job.row.error = transition.error;
      batch.ready(job, transition.availableAt, transition.resuming);
      break;
    case "waiting":
      if (job.row.arrivals !== transition.arrivals) batch.ready(job, now, true);
      else {
        job.resuming = true;
        batch.change(job, "waiting", (row) => {
          row.availableAt = transition.availableAt;
        });
      }
      break;
    default:
      batch.end(job, { state: transition.to, error: transition.error });
  }
}

/** Sends signals; see {@link import("../storage/port.ts").Storage.signal}. */
export function signal(tables: Tables, { now, signals }: SignalRequest): { reply: SignalReply; batch: Batch } {
  const { jobs } = tables;
  const batch = new Batch(tables, now, null);
  const outcomes = signals.map(({ jobId, name, key, payload }) => {
    const job = jobs.byId.get(jobId);
    if (!job) return "unknown";
    if (jobs.hasSignal(job, name, key)) return "duplicate";
    if (isFinished(job.row.state)) return "finished";
    batch.reach(job);
    jobs.putSignal(job, { jobId, name, key, payload, sentAt: now, seq: job.row.arrivals });
    return "accepted";
  });
  return { reply: { outcomes }, batch };
}

/** Cancels; see {@link import("../storage/port.ts").Storage.cancel}. */
export function cancel(tables: Tables, { op, now, ids, error }: CancelRequest): { reply: string[]; batch: Batch } {
  const { jobs } = tables;
  const batch = new Batch(tables, now, op);
  const roots = ids.map((id) => jobs.byId.get(id)).filter((job) => job !== undefined);
  batch.cancel(roots, error);
  batch.finish();

  // Jobs with this op were cancelled by this batch, or by an earlier send of it.
  const reply = new Set<Job>();
  const stack = [...new Set(roots)];
  for (let job = stack.pop(); job; job = stack.pop()) {
    if (job.row.state !== "cancelled" || job.op !== op || reply.has(job)) continue;
    reply.add(job);
    stack.push(...jobs.childrenOf(job.row.id));
  }
  return { reply: [...reply].map(({ row }) => row.id), batch };
}

/** Puts finished jobs back; see {@link import("../storage/port.ts").Storage.retry}. */
export function retry(tables: Tables, request: RetryRequest): { reply: string[]; batch: Batch } {
  const { jobs } = tables;
  const batch = new Batch(tables, request.now, request.op);
  const reply: string[] = [];
  // In order of id: of several jobs with one limit key the last one gives the settings.
  for (const { id, forget, notes } of [...request.jobs].sort((a, b) => compareText(a.id, b.id))) {
    const job = jobs.byId.get(id);
    if (!job) continue;
    const { state } = job.row;
    if (job.op !== request.op || state === "cancelled" || state === "failed" || state === "expired") {
      if (!isFinished(state) || state === "completed") continue;
      for (const name of forget) job.steps.delete(name);
      job.row.notes = notes;
      batch.putBack(job);
    }
    reply.push(id);
  }
  batch.finish();
  return { reply, batch };
}
