/**
 * How is a memory storage exported and imported? In pages.
 *
 * Each table is read in order of its key, and a cursor is the key at which the last page ended, so writes between two
 * pages shift nothing. Steps and signals are read job by job.
 */
import type {
  JobLimit,
  JobRecord,
  OccurrenceRecord,
  QueueRecord,
  ScheduleRecord,
  SignalRecord,
  StepRecord,
  StoragePage,
} from "../storage/port.ts";
import type { Tables } from "./batch.ts";
import { isFinished, type Job, type JobTable } from "./jobs.ts";
import type { LimitTable, Rate } from "./limits.ts";
import { fromRow, type Row, TABLES, toRow } from "./rows.ts";
import type { Lease } from "./schedules.ts";
import { compareText } from "./sorted_set.ts";

/** A row and its place in the order of its table. */
type Placed = [place: (string | number)[], row: Row];

const NAMES = Object.keys(TABLES);

/** Prefixes of the scopes under which starts are counted. */
const QUEUE = "queue:";
const LIMIT = "limit:";

/** Reads one page; see {@link import("../storage/port.ts").Storage.exportPage}. */
export function exportPage(
  tables: Tables,
  request: { cursor: string | null; limit: number },
): { page: StoragePage; cursor: string | null } {
  const [start, ...after] =
    request.cursor === null ? [0] : (JSON.parse(request.cursor) as [number, ...(string | number)[]]);
  for (let t = start; t < NAMES.length; t++) {
    const table = NAMES[t]!;
    const rows: Row[] = [];
    let last: (string | number)[] = [];
    for (const [place, row] of walk(tables, table, t === start && after.length > 0 ? after : null)) {
      if (rows.length === request.limit) return { page: { table, rows }, cursor: JSON.stringify([t, ...last]) };
      rows.push(row);
      last = place;
    }
    if (rows.length > 0 || t === NAMES.length - 1) {
      return { page: { table, rows }, cursor: t === NAMES.length - 1 ? null : JSON.stringify([t + 1]) };
    }
  }
  return { page: { table: NAMES[0]!, rows: [] }, cursor: null };
}

function walk(
  { jobs, limits, schedules, lease }: Tables,
  table: string,
  after: (string | number)[] | null,
): Iterable<Placed> {
  switch (table) {
    case "lease":
      return lease.token === 0 || after ? [] : [[[0], toRow(table, lease)]];
    case "owners":
      return byKey(table, schedules.owners, after, (owner, generation) => ({ owner, generation }));
    case "schedules": {
      const probe = after ? { row: { name: after[0] } as ScheduleRecord, op: null } : undefined;
      return mapped(schedules.inOrder.walk(probe), ({ row }) => [[row.name], toRow(table, row)]);
    }
    case "occurrences":
      return walkOutcomes(schedules, after);
    case "jobs":
      return mapped(jobs.inOrder.walk(probeJob(after)), (job) => [[job.row.id], toRow(table, jobRecord(job))]);
    case "steps":
      return walkParts(jobs.inOrder, after, (job) =>
        [...job.steps.values()].map((step) => [[step.jobId, step.name], toRow(table, step)]),
      );
    case "signals":
      return walkParts(jobs.inOrder, after, (job) =>
        [...job.signals.values()].map((signal) => [[signal.jobId, signal.name, signal.key], toRow(table, signal)]),
      );
    case "queues":
      return byKey(
        table,
        jobs.queues,
        after,
        (_, { settings }) => settings && { ...settings, ...rateColumns(settings) },
      );
    case "limits":
      return byKey(table, limits.byKey, after, (_, limit) => ({ ...limit, ...rateColumns(limit) }));
    default:
      return walkStarts({ jobs, limits }, after);
  }
}

function jobRecord({ row, resuming, limit }: Job): object {
  return {
    ...row,
    resuming,
    limitConcurrency: limit?.concurrency ?? null,
    limitCount: limit?.rate?.count ?? null,
    limitPerMs: limit?.rate?.perMs ?? null,
  };
}

function probeJob(after: (string | number)[] | null): Job | undefined {
  return after ? ({ row: { id: after[0] } as JobRecord } as Job) : undefined;
}

function* mapped<T>(items: Iterable<T>, place: (item: T) => Placed): Generator<Placed> {
  for (const item of items) yield place(item);
}

function* byKey<T>(
  table: string,
  map: ReadonlyMap<string, T>,
  after: (string | number)[] | null,
  record: (key: string, value: T) => object | null,
): Generator<Placed> {
  const from = after?.[0] as string | undefined;
  const keys = [...map.keys()].filter((key) => from === undefined || compareText(key, from) > 0).sort(compareText);
  for (const key of keys) {
    const found = record(key, map.get(key)!);
    if (found) yield [[key], toRow(table, found)];
  }
}

function* walkOutcomes(schedules: Tables["schedules"], after: (string | number)[] | null): Generator<Placed> {
  const [fromName, fromAt] = (after ?? []) as [string?, number?];
  for (const name of [...schedules.outcomes.keys()].sort(compareText)) {
    const order = fromName === undefined ? 1 : compareText(name, fromName);
    if (order < 0) continue;
    const probe = order === 0 ? ({ at: fromAt } as OccurrenceRecord) : undefined;
    for (const outcome of schedules.outcomes.get(name)!.walk(probe)) {
      yield [[name, outcome.at], toRow("occurrences", outcome)];
    }
  }
}

/** Reads rows that belong to jobs: the rest of the job at which the last page ended, then the jobs after it. */
function* walkParts(
  jobs: Tables["jobs"]["inOrder"],
  after: (string | number)[] | null,
  parts: (job: Job) => Placed[],
): Generator<Placed> {
  const sorted = (job: Job): Placed[] => parts(job).sort((a, b) => comparePlaces(a[0], b[0]));
  const probe = probeJob(after);
  const begun = probe && jobs.get(probe);
  if (begun) {
    for (const placed of sorted(begun)) if (comparePlaces(placed[0], after!) > 0) yield placed;
  }
  for (const job of jobs.walk(probe)) yield* sorted(job);
}

function* walkStarts(
  { jobs, limits }: Pick<Tables, "jobs" | "limits">,
  after: (string | number)[] | null,
): Generator<Placed> {
  const scopes = new Map<string, number[]>();
  for (const { key, starts } of limits.byKey.values()) scopes.set(LIMIT + key, starts);
  for (const { name, starts } of jobs.queues.values()) scopes.set(QUEUE + name, starts);
  for (const scope of [...scopes.keys()].sort(compareText)) {
    const counts = new Map<number, number>();
    for (const at of scopes.get(scope)!) counts.set(at, (counts.get(at) ?? 0) + 1);
    for (const [at, count] of counts) {
      if (after === null || comparePlaces([scope, at], after) > 0) yield [[scope, at], { scope, at, count }];
    }
  }
}

function comparePlaces(a: (string | number)[], b: (string | number)[]): number {
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    const order = typeof x === "number" ? x - (y as number) : compareText(x, y as string);
    if (order !== 0) return order;
  }
  return 0;
}

interface RateColumns {
  rateCount: number | null;
  ratePerMs: number | null;
}

function rateColumns({ rate }: { rate: Rate | null }): RateColumns {
  return { rateCount: rate?.count ?? null, ratePerMs: rate?.perMs ?? null };
}

function rateOf(count: number | null, perMs: number | null): Rate | null {
  return count === null || perMs === null ? null : { count, perMs };
}

/** Writes one page; see {@link import("../storage/port.ts").Storage.importPage}. */
export function importPage(tables: Tables, { table, rows }: StoragePage): void {
  for (const row of rows) importRow(tables, table, row);
}

function importRow({ jobs, limits, schedules, lease }: Tables, table: string, row: Row): void {
  switch (table) {
    case "lease": {
      // A token never goes back, not even to that of another storage.
      const { holder, token, expiresAt } = fromRow<Lease>(table, row);
      if (token > lease.token) Object.assign(lease, { holder, token, expiresAt });
      break;
    }
    case "owners": {
      const { owner, generation } = fromRow<{ owner: string; generation: number }>(table, row);
      if (!schedules.owners.has(owner)) schedules.owners.set(owner, generation);
      break;
    }
    case "schedules": {
      const record = fromRow<ScheduleRecord>(table, row);
      if (!schedules.byName.has(record.name)) schedules.insert(record, null);
      break;
    }
    case "occurrences":
      schedules.record(fromRow<OccurrenceRecord>(table, row));
      break;
    case "jobs":
      importJob(jobs, limits, row);
      break;
    case "steps": {
      const step = fromRow<StepRecord>(table, row);
      const job = jobs.byId.get(step.jobId);
      if (job && !job.steps.has(step.name)) jobs.putStep(job, step);
      break;
    }
    case "signals": {
      const signal = fromRow<SignalRecord>(table, row);
      const job = jobs.byId.get(signal.jobId);
      if (!job || jobs.hasSignal(job, signal.name, signal.key)) break;
      jobs.putSignal(job, signal);
      // Pages are in order of name and key, the signals of a job in order of arrival.
      job.signals = new Map([...job.signals].sort(([, a], [, b]) => a.seq - b.seq));
      break;
    }
    case "queues": {
      const { rateCount, ratePerMs, ...settings } = fromRow<QueueRecord & RateColumns>(table, row);
      jobs.queue(settings.name).settings ??= { ...settings, rate: rateOf(rateCount, ratePerMs) };
      break;
    }
    case "limits": {
      const { key, concurrency, rateCount, ratePerMs } = fromRow<JobLimit & RateColumns>(table, row);
      Object.assign(limits.get(key), { concurrency, rate: rateOf(rateCount, ratePerMs) });
      break;
    }
    case "starts": {
      const { scope, at, count } = fromRow<{ scope: string; at: number; count: number }>(table, row);
      const starts = scope.startsWith(QUEUE)
        ? jobs.queue(scope.slice(QUEUE.length)).starts
        : limits.get(scope.slice(LIMIT.length)).starts;
      if (starts.includes(at)) break;
      for (let i = 0; i < count; i++) starts.push(at);
      starts.sort((a, b) => a - b);
      break;
    }
  }
}

function importJob(jobs: JobTable, limits: LimitTable, row: Row): void {
  const { limitConcurrency, limitCount, limitPerMs, resuming, ...record } = fromRow<
    JobRecord & { resuming: boolean } & Record<"limitConcurrency" | "limitCount" | "limitPerMs", number | null>
  >("jobs", row);
  if (jobs.byId.has(record.id) || (record.key !== null && jobs.withKey(record.task, record.key))) return;
  const { limitKey, held } = record;
  const given: JobLimit | null =
    limitKey === null ? null : { key: limitKey, concurrency: limitConcurrency, rate: rateOf(limitCount, limitPerMs) };
  if (given) {
    const known = limits.byKey.has(given.key);
    const limit = limits.get(given.key);
    if (!known) Object.assign(limit, given);
    if (!held && !isFinished(record.state)) limit.admitted++;
  }
  // At this "now" nothing is available yet: the next claim has the time, and makes ready what is.
  const job = jobs.insert(record, given, null, Number.NEGATIVE_INFINITY);
  job.resuming = resuming;
  if (given && held) limits.admit(limits.get(given.key), jobs, Number.NEGATIVE_INFINITY);
}
