/**
 * What do all hosts of a simulated world share? One storage, and direct access to its rows.
 *
 * The hosts use the storage through its port. The oracle and the simulated clients read the rows directly, and the oracle
 * is told of each change of a row, in order, within the batch that made it. This file has the implementation for the
 * memory storage; the one for SQLite is in `test/simulation/sqlite_world_storage.ts`.
 */
import { newTables, storageOf } from "../../../src/memory/storage.ts";
import type { JobRecord, OccurrenceRecord, QueueRecord, ScheduleRecord, Storage } from "../../../src/storage/port.ts";

/** Receives changes of rows, in the order in which they were made. */
export interface RowWatcher {
  /** `before` is null for a new row, `after` for one that was removed. */
  jobChanged(before: Readonly<JobRecord> | null, after: Readonly<JobRecord> | null): void;
  scheduleChanged(before: Readonly<ScheduleRecord> | null, after: Readonly<ScheduleRecord> | null): void;
  recorded(outcome: Readonly<OccurrenceRecord>): void;
}

/** A storage and direct access to its rows. */
export interface WorldStorage {
  readonly storage: Storage;
  job(id: string): Readonly<JobRecord> | undefined;
  /** Unfinished and failed jobs. */
  openJobs(): Iterable<Readonly<JobRecord>>;
  /** Active schedules, earliest next occurrence first. */
  activeSchedules(): Iterable<Readonly<ScheduleRecord>>;
  /** Settings of a queue; null where it has none. */
  queue(name: string): Readonly<QueueRecord> | null;
  /** How many jobs a limit admits at once; null: any number, or there is none of this key. */
  concurrencyOf(limitKey: string): number | null;
  /** Begins to report changes. */
  watch(watcher: RowWatcher): void;
  /** Reports changes that were not reported yet; called after each request, before its reply is checked. */
  reportChanges(): void;
}

/** Makes a world's storage. @param time the server's clock; null: the storage has none */
export type MakeWorldStorage = (time: (() => number) | null) => WorldStorage;

/** The memory storage: rows are watched where they change. */
export function memoryWorldStorage(time: (() => number) | null): WorldStorage {
  const tables = newTables();
  const { jobs, limits, schedules } = tables;
  return {
    storage: storageOf(tables, time ? { time } : {}),
    job: (id) => jobs.byId.get(id)?.row,
    *openJobs() {
      for (const { row } of jobs.counted) yield row;
    },
    *activeSchedules() {
      for (const { row } of schedules.active.walk()) yield row;
    },
    queue: (name) => jobs.queues.get(name)?.settings ?? null,
    concurrencyOf: (key) => limits.byKey.get(key)?.concurrency ?? null,
    watch(watcher) {
      jobs.watch = (before, after) => watcher.jobChanged(before, after);
      schedules.watch = {
        changed: (before, after) => watcher.scheduleChanged(before, after),
        recorded: (outcome) => watcher.recorded(outcome),
      };
    },
    reportChanges() {},
  };
}
