/**
 * What can the port be asked? Every operation with and without its options, as requests that need no stored rows: what
 * a snapshot of its SQL is taken of. Which options change the SQL is the whole point of a case; its values do not
 * matter.
 */
import type { NewJob, ScheduleRecord, StepRecord, Storage, StoragePage } from "../../src/storage/port.ts";

/** A way to call an operation: its title, and the call. */
type Cases = Record<string, (storage: Storage) => Promise<unknown> | unknown>;

const now = 1_800_000_000_000;

const plainJob: NewJob = {
  id: "job",
  task: "task",
  queue: "queue",
  priority: 0,
  availableAt: now,
  expiresAt: null,
  key: null,
  input: "{}",
  options: "{}",
  schedule: null,
  scheduledAt: null,
  parentId: null,
  limit: null,
};
const limit = { key: "limit", concurrency: 1, rate: { count: 1, perMs: 1 } };
const scheduled: NewJob = { ...plainJob, schedule: "schedule", scheduledAt: now };
const occurrence = {
  schedule: "schedule",
  at: now,
  untilAt: now,
  count: 1,
  jobId: "job",
  reason: null,
  recordedAt: now,
} as const;

const record: ScheduleRecord = {
  name: "schedule",
  definition: "{}",
  state: "active",
  nextAt: now,
  revision: 1,
  fired: 0,
  skips: 0,
  failures: 0,
  pauseAfterFailures: null,
  watchesJobs: false,
  lastAt: null,
  note: null,
  owner: null,
  createdAt: now,
  updatedAt: now,
};
const step: StepRecord = {
  jobId: "job",
  name: "step",
  kind: "step",
  state: "done",
  seq: 0,
  tries: 1,
  attempt: 1,
  output: "1",
  error: null,
  wakeAt: null,
  childId: null,
  signalKey: null,
  startedAt: now,
  finishedAt: now,
};

const tick = { holder: "holder", token: null, now, ttlMs: 15_000, maxDue: 100, resignIfIdle: false };
const lease = { holder: "holder", token: 1 };
const firing = {
  name: "schedule",
  revision: 1,
  state: "active",
  nextAt: now + 1,
  fired: 1,
  skips: 0,
  lastAt: now,
  note: null,
  cancelUnfinished: false,
  jobs: [scheduled],
  occurrences: [occurrence],
} as const;
const fire = {
  op: "op",
  now,
  lease,
  firings: [{ ...firing, jobs: [scheduled], occurrences: [occurrence] }],
  resign: false,
};
const create = { revision: null, record, jobs: [], occurrences: [] };
const replace = { ...create, revision: 1 };
const puts = { op: "op", now, puts: [], removes: [], owner: null };
const claim = { token: "token", worker: "worker", queues: ["queue"], tasks: null, limit: 1, now, claimMs: 30_000 };
const write = { id: "job", token: "token", steps: [], forget: [], children: [], transition: null };
const save = { op: "op", now, claimMs: 30_000, writes: [write] };
const completed = { ...write, transition: { to: "completed", result: "1" } as const };
const page = (table: string, row: StoragePage["rows"][number]): StoragePage => ({ table, rows: [row] });

/** The cursor of a page in the middle of a table. */
const cursor = (table: number, ...after: (string | number)[]): string => JSON.stringify({ table, after });

/** All operations, by the name of the method. */
export const OPERATIONS: Record<string, Cases> = {
  migrate: { "an empty database": (s) => s.migrate({ now }) },
  beginTick: {
    "keeps the lease": (s) => s.beginTick(tick),
    "gives the lease up when nothing is due": (s) => s.beginTick({ ...tick, resignIfIdle: true }),
  },
  fire: {
    "under the lease": (s) => s.fire(fire),
    "under the lease, which is given up": (s) => s.fire({ ...fire, resign: true }),
    "without lease": (s) => s.fire({ ...fire, lease: null }),
    "a skipped occurrence": (s) => s.fire({ ...fire, firings: [{ ...firing, jobs: [], occurrences: [occurrence] }] }),
    "a job with a limit": (s) =>
      s.fire({ ...fire, firings: [{ ...firing, jobs: [{ ...scheduled, limit }], occurrences: [occurrence] }] }),
    "cancels unfinished jobs": (s) => s.fire({ ...fire, firings: [{ ...fire.firings[0]!, cancelUnfinished: true }] }),
  },
  resign: { "": (s) => s.resign({ ...lease, now }) },
  putSchedules: {
    creates: (s) => s.putSchedules({ ...puts, puts: [create] }),
    replaces: (s) => s.putSchedules({ ...puts, puts: [replace] }),
    "replaces, with an outcome and a job that has a limit": (s) =>
      s.putSchedules({ ...puts, puts: [{ ...replace, jobs: [{ ...scheduled, limit }], occurrences: [occurrence] }] }),
    removes: (s) => s.putSchedules({ ...puts, removes: [{ name: "schedule", revision: 1 }] }),
    "sync: creates, replaces and removes for an owner": (s) =>
      s.putSchedules({
        ...puts,
        puts: [create, replace],
        removes: [{ name: "schedule", revision: 1 }],
        owner: { owner: "owner", generation: 1 },
      }),
  },
  listSchedules: {
    all: (s) => s.listSchedules({ limit: 10 }),
    "the next page": (s) => s.listSchedules({ limit: 10, after: "schedule" }),
    "by name": (s) => s.listSchedules({ limit: 10, names: ["schedule"] }),
    "of an owner": (s) => s.listSchedules({ limit: 10, owner: "owner" }),
    "in a state": (s) => s.listSchedules({ limit: 10, state: "active" }),
    broken: (s) => s.listSchedules({ limit: 10, state: "broken" }),
    "that skip": (s) => s.listSchedules({ limit: 10, minSkips: 1 }),
  },
  listDefinitions: {
    "first page": (s) => s.listDefinitions!({ owner: "owner", limit: 10 }),
    "the next page": (s) => s.listDefinitions!({ owner: "owner", limit: 10, after: "schedule" }),
  },
  listOccurrences: {
    "oldest first": (s) => s.listOccurrences({ schedule: "schedule", limit: 10 }),
    "newest first, in a range": (s) =>
      s.listOccurrences({ schedule: "schedule", limit: 10, newestFirst: true, from: now, to: now }),
  },
  enqueue: {
    "": (s) => s.enqueue({ op: "op", now, jobs: [plainJob] }),
    children: (s) => s.enqueue({ op: "op", now, jobs: [{ ...plainJob, parentId: "parent" }] }),
    "jobs with a limit": (s) => s.enqueue({ op: "op", now, jobs: [{ ...plainJob, limit }] }),
    "with a piggybacked claim": (s) => s.enqueue({ op: "op", now, jobs: [plainJob], claim }),
  },
  enqueueStatements: {
    "": (s) => s.enqueueStatements!({ op: "op", now, jobs: [plainJob] }),
    "children with a limit": (s) =>
      s.enqueueStatements!({ op: "op", now, jobs: [{ ...plainJob, parentId: "parent", limit }] }),
  },
  claim: {
    "from one queue": (s) => s.claim(claim),
    "of some tasks": (s) => s.claim({ ...claim, tasks: ["task"] }),
    "from two queues": (s) => s.claim({ ...claim, queues: ["queue", "other"] }),
  },
  renew: { "": (s) => s.renew({ now, claimMs: 30_000, claims: [{ id: "job", token: "token" }] }) },
  save: {
    "a job completes": (s) => s.save({ ...save, writes: [completed] }),
    "a job suspends": (s) =>
      s.save({ ...save, writes: [{ ...write, transition: { to: "waiting", availableAt: null, arrivals: 0 } }] }),
    "steps of a job that stays running": (s) => s.save({ ...save, writes: [{ ...write, steps: [step] }] }),
    "steps to forget": (s) => s.save({ ...save, writes: [{ ...write, forget: ["step"] }] }),
    "a child": (s) => s.save({ ...save, writes: [{ ...write, children: [{ ...plainJob, parentId: "job" }] }] }),
    "a child with a limit, of another parent": (s) =>
      s.save({ ...save, writes: [{ ...write, children: [{ ...plainJob, parentId: "parent", limit }] }] }),
    "with a piggybacked claim": (s) => s.save({ ...save, writes: [completed], claim }),
  },
  signal: { "": (s) => s.signal({ now, signals: [{ jobId: "job", name: "name", key: "key", payload: "1" }] }) },
  cancel: { "": (s) => s.cancel({ op: "op", now, ids: ["job"], error: "{}" }) },
  retry: {
    "": (s) => s.retry({ op: "op", now, jobs: [{ id: "job", forget: [], notes: null }] }),
    "steps to forget": (s) => s.retry({ op: "op", now, jobs: [{ id: "job", forget: ["step"], notes: null }] }),
  },
  getJob: { "": (s) => s.getJob({ id: "job" }) },
  listJobs: {
    all: (s) => s.listJobs({ limit: 10 }),
    "by every filter": (s) =>
      s.listJobs({
        limit: 10,
        states: ["ready"],
        queue: "queue",
        task: "task",
        schedule: "schedule",
        parentId: "parent",
        key: "key",
        before: "job",
      }),
  },
  putQueues: {
    "": (s) => s.putQueues({ now, queues: [{ name: "queue", paused: false, concurrency: null, rate: null }] }),
  },
  listQueues: { "": (s) => s.listQueues() },
  purge: {
    "": (s) => s.purge({ now, finishedBefore: now, failedBefore: now, occurrencesBefore: now, limit: 10 }),
  },
  stats: { "": (s) => s.stats({ now }) },
  exportPage: {
    lease: (s) => s.exportPage({ cursor: null, limit: 10 }),
    schedules: (s) => s.exportPage({ cursor: cursor(2, "schedule"), limit: 10 }),
    occurrences: (s) => s.exportPage({ cursor: cursor(3, "schedule", now), limit: 10 }),
    jobs: (s) => s.exportPage({ cursor: cursor(4, "job"), limit: 10 }),
    starts: (s) => s.exportPage({ cursor: cursor(9, "limit:limit", now), limit: 10 }),
  },
  importPage: {
    lease: (s) => s.importPage({ page: page("lease", { token: 1 }) }),
    schedules: (s) => s.importPage({ page: page("schedules", { name: "schedule" }) }),
    jobs: (s) => s.importPage({ page: page("jobs", { id: "job" }) }),
    limits: (s) => s.importPage({ page: page("limits", { key: "limit" }) }),
    starts: (s) => s.importPage({ page: page("starts", { scope: "limit:limit" }) }),
  },
};
