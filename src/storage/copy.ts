/**
 * How does a running installation move to another storage? It is paused, copied page by page, and left paused.
 *
 * First every active schedule is paused with a note that says why, every queue is paused, and running jobs are waited
 * for. From then on only enqueued jobs and signals change the original; a second reading finds such changes, and the
 * copy is refused. The copy has the state that the original had: schedules with their next occurrence, waiting and
 * sleeping jobs with their history, keys, limits, and a lease whose token goes on, so that fencing numbers never go
 * back. A copy that fails resumes the original; one that was killed is finished by calling it again.
 */
import { type Clock, delay, systemClock } from "../base/clock.ts";
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { systemIds } from "../base/id.ts";
import { aClock, type Checks, callback, checkOptions, duration } from "../base/options.ts";
import type { QueueRecord, ScheduleRecord, Storage, StoragePage } from "./port.ts";

/** Note of schedules that a copy paused. */
export const COPIED_NOTE = "copied to another storage";

const PAGE = 500;
const POLL_MS = 250;
const MAX_ROUNDS = 100;

/** Options of {@link copyStorage}. */
export interface CopyOptions {
  /**
   * How long to wait for running jobs to end or suspend. Their workers may go on meanwhile; they get no new jobs.
   *
   * @default "1m"
   */
  drain?: Duration;
  /** Called after each page with the table and how many rows of it are copied. */
  onProgress?: (table: string, rows: number) => void;
  /** @default the runtime's */
  clock?: Clock;
}

const COPY_CHECKS: Checks<CopyOptions> = {
  drain: duration(),
  onProgress: callback,
  clock: aClock,
};

/** What was copied. */
export interface CopyReport {
  /** Rows by table. */
  rows: Record<string, number>;
  /** Schedules that are active in the copy, and stay paused in the original. */
  schedules: number;
}

/** What a copy has paused in the original, and resumes in the copy. */
interface Paused {
  /** Names of the queues that were not paused before. */
  queues: Set<string>;
  schedules: number;
}

/**
 * Moves everything from one storage to an empty one. Afterwards the original stays paused: point your programs at the
 * copy, then delete the original.
 *
 * Stop programs that enqueue or signal meanwhile; workers and tickers may run on.
 *
 * @throws BelfryError `STORAGE_BUSY` when jobs still run after `drain`, or when something wrote while it was copied;
 *   `SCHEMA_INVALID` when the target holds other schedules or jobs
 *
 * @example
 * ```ts
 * import { copyStorage } from "belfry";
 * import { memory } from "belfry/memory";
 *
 * const report = await copyStorage(memory(), memory());
 * if (report.schedules !== 0) throw new Error("there was nothing to copy");
 * ```
 */
export async function copyStorage(from: Storage, to: Storage, options: CopyOptions = {}): Promise<CopyReport> {
  checkOptions(options, "copyStorage", COPY_CHECKS);
  const { clock = systemClock, onProgress } = options;
  const drainMs = parseDuration(options.drain ?? "1m", "drain");
  await from.migrate({ now: clock.now() });
  await to.migrate({ now: clock.now() });
  await refuseOthers(from, to);
  const stopped = await pause(from, clock);
  try {
    await drain(from, clock, drainMs);
    const rows: Record<string, number> = {};
    const sent = await eachPage(from, async (page) => {
      await to.importPage({ page: resumed(page, stopped) });
      rows[page.table] = (rows[page.table] ?? 0) + page.rows.length;
      onProgress?.(page.table, rows[page.table]!);
    });
    const now = await eachPage(from, async () => undefined);
    if (now !== sent) {
      throw new BelfryError(
        "STORAGE_BUSY",
        `Cannot copy ${from.name} to ${to.name}: something wrote to it meanwhile; stop what enqueues and signals, ` +
          "empty the target, and copy again",
      );
    }
    return { rows, schedules: stopped.schedules };
  } catch (error) {
    await resume(from, stopped, clock);
    throw error;
  }
}

/** Pauses schedules and queues. */
async function pause(from: Storage, clock: Clock): Promise<Paused> {
  const stopped: Paused = { queues: new Set(), schedules: 0 };
  const { queues: depths } = await from.stats({ now: clock.now() });
  const settings = new Map((await from.listQueues()).map((queue) => [queue.name, queue]));
  for (const { queue } of depths) {
    if (!settings.has(queue)) settings.set(queue, { name: queue, paused: false, concurrency: null, rate: null });
  }
  const resumed = await pauseSchedules(from, clock, stopped);
  const open: QueueRecord[] = [];
  for (const queue of settings.values()) {
    // A copy that was killed has paused the queues; which of them were paused before is not known.
    if (!queue.paused || resumed) stopped.queues.add(queue.name);
    if (!queue.paused) open.push({ ...queue, paused: true });
  }
  if (open.length > 0) await from.putQueues({ now: clock.now(), queues: open });
  return stopped;
}

/** Pauses active schedules. @returns whether an earlier copy had begun */
async function pauseSchedules(from: Storage, clock: Clock, stopped: Paused): Promise<boolean> {
  let begun = false;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    let left = 0;
    let after: string | undefined;
    stopped.schedules = 0;
    for (;;) {
      const records = await from.listSchedules({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      if (records.length === 0) break;
      after = records.at(-1)!.name;
      const paused = records.filter((record) => record.state === "paused" && record.note === COPIED_NOTE);
      if (round === 0 && paused.length > 0) begun = true;
      const active = records.filter((record) => record.state === "active");
      stopped.schedules += paused.length + active.length;
      left += active.length - (await rewrite(from, clock, active, { state: "paused", note: COPIED_NOTE }));
    }
    // A schedule that changed between the reading and the writing is read again.
    if (left === 0) return begun;
  }
  throw new BelfryError("STORAGE_BUSY", `Cannot copy ${from.name}: its schedules keep changing`);
}

async function rewrite(
  storage: Storage,
  clock: Clock,
  records: ScheduleRecord[],
  change: Pick<ScheduleRecord, "state" | "note">,
): Promise<number> {
  if (records.length === 0) return 0;
  const now = clock.now();
  const puts = records.map((record) => ({
    revision: record.revision,
    record: { ...record, ...change, updatedAt: now },
    jobs: [],
    occurrences: [],
  }));
  const { written } = await storage.putSchedules({ op: systemIds.token(), now, puts, removes: [], owner: null });
  return written.length;
}

/** Waits until no job runs. A claim that has run out does not count. */
async function drain(from: Storage, clock: Clock, drainMs: number): Promise<void> {
  const since = clock.monotonic();
  for (;;) {
    const running = await from.listJobs({ states: ["running"], limit: PAGE });
    const claimed = running.filter((job) => job.claimExpiresAt! > clock.now());
    if (claimed.length === 0) return;
    if (clock.monotonic() - since >= drainMs) {
      throw new BelfryError(
        "STORAGE_BUSY",
        `Cannot copy ${from.name}: ${claimed.length} jobs still run, the first is ${claimed[0]!.id} (${claimed[0]!.task}); ` +
          'stop their workers, or raise the option "drain"',
      );
    }
    await delay(clock, POLL_MS);
  }
}

/** Reads all pages. @returns a digest of all rows but those of the lease, which changes by itself */
async function eachPage(from: Storage, use: (page: StoragePage) => Promise<void>): Promise<number> {
  let digest = 0x811c9dc5;
  let cursor: string | null = null;
  do {
    const read: { page: StoragePage; cursor: string | null } = await from.exportPage({ cursor, limit: PAGE });
    await use(read.page);
    if (read.page.table !== "lease") {
      const text = JSON.stringify(read.page.rows);
      for (let i = 0; i < text.length; i++) digest = Math.imul(digest ^ text.charCodeAt(i), 0x01000193);
    }
    cursor = read.cursor;
  } while (cursor !== null);
  return digest >>> 0;
}

/** A page as the copy gets it: what was paused for the copy is active, and the lease is free. */
function resumed(page: StoragePage, stopped: Paused): StoragePage {
  const change = (row: StoragePage["rows"][number]): StoragePage["rows"][number] => {
    if (page.table === "lease") return { ...row, holder: null, expires_at: 0 };
    if (page.table === "queues" && stopped.queues.has(row["name"] as string)) return { ...row, paused: 0 };
    if (page.table === "schedules" && row["note"] === COPIED_NOTE) return { ...row, state: "active", note: null };
    return row;
  };
  return { table: page.table, rows: page.rows.map(change) };
}

/** Refuses a target that has other schedules or jobs: they would be mixed. */
async function refuseOthers(from: Storage, to: Storage): Promise<void> {
  const [schedule] = await to.listSchedules({ limit: 1 });
  const [job] = await to.listJobs({ limit: 1 });
  if (schedule && (await from.listSchedules({ names: [schedule.name], limit: 1 })).length === 0) {
    throw mixed(from, to, `the schedule "${schedule.name}"`);
  }
  if (job && (await from.getJob({ id: job.id })) === null) throw mixed(from, to, `the job ${job.id}`);
}

function mixed(from: Storage, to: Storage, what: string): BelfryError {
  return new BelfryError(
    "SCHEMA_INVALID",
    `Cannot copy ${from.name} to ${to.name}: the target holds ${what}, which the original does not; copy to an empty one`,
  );
}

/** Resumes what {@link pause} paused, in the original. */
async function resume(from: Storage, stopped: Paused, clock: Clock): Promise<void> {
  const queues = (await from.listQueues()).filter((queue) => stopped.queues.has(queue.name));
  if (queues.length > 0) {
    await from.putQueues({ now: clock.now(), queues: queues.map((queue) => ({ ...queue, paused: false })) });
  }
  let after: string | undefined;
  for (;;) {
    const records = await from.listSchedules({ limit: PAGE, ...(after === undefined ? {} : { after }) });
    if (records.length === 0) return;
    after = records.at(-1)!.name;
    const paused = records.filter((record) => record.state === "paused" && record.note === COPIED_NOTE);
    await rewrite(from, clock, paused, { state: "active", note: null });
  }
}
