/**
 * What do all hosts of a simulated world share? One storage, and a view of its rows from below.
 *
 * The hosts use the storage; the oracle and the clients of the game look at the rows past it, and are told of each change
 * of a row within the batch that made it. Here is the ground of the memory storage; a database needs one of its own (that
 * of SQLite is in `test/simulation/sqlite_ground.ts`).
 */
import { newTables, storageOf } from "../../../src/memory/storage.ts";
import type { JobRecord, OccurrenceRecord, QueueRecord, ScheduleRecord, Storage } from "../../../src/storage/port.ts";

/** Is told of changes of rows, in the order in which they were made. */
export interface RowWatcher {
  /** `before` is null for a new row, `after` for one that was removed. */
  jobChanged(before: Readonly<JobRecord> | null, after: Readonly<JobRecord> | null): void;
  scheduleChanged(before: Readonly<ScheduleRecord> | null, after: Readonly<ScheduleRecord> | null): void;
  recorded(outcome: Readonly<OccurrenceRecord>): void;
}

/** A storage and what can be seen of its rows. */
export interface Ground {
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
  /** From now on changes are told. */
  watch(watcher: RowWatcher): void;
  /** Tells what has not been told; called after each request, before its reply is looked at. */
  settle(): void;
}

/** Makes a ground. @param time the server's clock, where the storage is to have one of its own */
export type MakeGround = (time: (() => number) | null) => Ground;

/** The memory storage: rows are watched where they change. */
export function memoryGround(time: (() => number) | null): Ground {
  const tables = newTables();
  const { jobs, limits, schedules } = tables;
  return {
    storage: storageOf(tables, time ? { time } : {}),
    job: (id) => jobs.byId.get(id)?.row,
    *openJobs() {
      for (const { row } of jobs.watched) yield row;
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
    settle() {},
  };
}
