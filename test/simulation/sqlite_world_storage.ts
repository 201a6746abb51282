/**
 * How does a simulated world run on a real database? On the SQLite adapter with a database in memory and triggers.
 *
 * SQLite works synchronously under the adapter's promises, so between two steps of the simulation every request is either
 * executed or has not begun, and the same seed gives the same run. Temporary triggers write each change of a row (before and
 * after, in order) to a temporary table within the batch itself. The table is read after the batch, and only changes of
 * columns that the port shows count. No poller runs: in one process the adapter notifies its listeners itself.
 */
import type { DatabaseSync } from "node:sqlite";
import { sqlite } from "../../adapters/sqlite.ts";
import type { Row } from "../../src/sql/driver.ts";
import { jobOf, occurrenceOf, queueOf, scheduleOf } from "../../src/sql/rows.ts";
import { TABLES } from "../../src/sql/schema.ts";
import type { LocalDriver } from "../../src/sql/sqlite/driver.ts";
import type { JobRecord, ScheduleRecord, Storage } from "../../src/storage/port.ts";
import type { MakeWorldStorage, RowWatcher, WorldStorage } from "./simulator/mod.ts";

/** Replies that carry the server's time, where there is one. */
const TIMED = new Set(
  ["migrate", "beginTick", "fire", "putSchedules", "enqueue", "claim", "renew", "save", "signal"].concat("stats"),
);
const WATCHED = ["jobs", "schedules", "occurrences"];

/**
 * Opens a database for one world.
 *
 * @param corrupt SQL that is run before the world begins: for tests that break something on purpose
 */
export async function sqliteWorldStorage(corrupt?: string): Promise<MakeWorldStorage> {
  const storage = sqlite(":memory:");
  await storage.migrate({ now: 0 });
  const database = (await (storage.driver as LocalDriver).database()) as unknown as DatabaseSync;
  if (corrupt !== undefined) database.exec(corrupt);
  return (time) => new SqliteWorldStorage(storage, database, time);
}

class SqliteWorldStorage implements WorldStorage {
  readonly storage: Storage;
  readonly #database: DatabaseSync;
  readonly #jobs = new Map<string, JobRecord>();
  readonly #schedules = new Map<string, ScheduleRecord>();
  readonly #read: ReturnType<DatabaseSync["prepare"]>;
  readonly #forget: ReturnType<DatabaseSync["prepare"]>;
  readonly #queue: ReturnType<DatabaseSync["prepare"]>;
  readonly #limit: ReturnType<DatabaseSync["prepare"]>;
  #watcher: RowWatcher | null = null;

  constructor(storage: Storage, database: DatabaseSync, time: (() => number) | null) {
    this.storage = withTime(storage, time);
    this.#database = database;
    this.#watchTables();
    this.#read = database.prepare("SELECT what, before, after FROM temp.seen ORDER BY n");
    this.#forget = database.prepare("DELETE FROM temp.seen");
    this.#queue = database.prepare("SELECT * FROM belfry_queues WHERE name = ?");
    this.#limit = database.prepare("SELECT concurrency FROM belfry_limits WHERE key = ?");
  }

  job(id: string): JobRecord | undefined {
    return this.#jobs.get(id);
  }

  *openJobs(): Iterable<JobRecord> {
    for (const row of this.#jobs.values())
      if (row.state !== "completed" && row.state !== "cancelled" && row.state !== "expired") yield row;
  }

  activeSchedules(): ScheduleRecord[] {
    const active = [...this.#schedules.values()].filter(({ state }) => state === "active");
    return active.sort((a, b) => a.nextAt! - b.nextAt! || (a.name < b.name ? -1 : 1));
  }

  queue(name: string): ReturnType<WorldStorage["queue"]> {
    const [row] = this.#queue.all(name) as Row[];
    return row ? queueOf(row) : null;
  }

  concurrencyOf(limitKey: string): number | null {
    const [row] = this.#limit.all(limitKey) as { concurrency: number | null }[];
    return row?.concurrency ?? null;
  }

  watch(watcher: RowWatcher): void {
    this.#watcher = watcher;
  }

  reportChanges(): void {
    const seen = this.#read.all() as { what: string; before: string | null; after: string | null }[];
    if (seen.length > 0) this.#forget.run();
    for (const { what, before, after } of seen) {
      const rows = [before, after].map((text) => (text === null ? null : (JSON.parse(text) as Row))) as [
        Row | null,
        Row | null,
      ];
      if (what === "occurrences") {
        if (rows[1] && !rows[0]) this.#watcher?.recorded(occurrenceOf(rows[1]));
      } else if (what === "jobs") this.#jobChanged(rows[0] && jobOf(rows[0]), rows[1] && jobOf(rows[1]));
      else this.#scheduleChanged(rows[0] && scheduleOf(rows[0]), rows[1] && scheduleOf(rows[1]));
    }
  }

  #jobChanged(before: JobRecord | null, after: JobRecord | null): void {
    if (after) this.#jobs.set(after.id, after);
    else this.#jobs.delete(before!.id);
    if (!same(before, after)) this.#watcher?.jobChanged(before, after);
  }

  #scheduleChanged(before: ScheduleRecord | null, after: ScheduleRecord | null): void {
    if (after) this.#schedules.set(after.name, after);
    else this.#schedules.delete(before!.name);
    if (!same(before, after)) this.#watcher?.scheduleChanged(before, after);
  }

  #watchTables(): void {
    const statements = [
      "CREATE TEMP TABLE seen (n INTEGER PRIMARY KEY, what TEXT NOT NULL, before TEXT, after TEXT)",
      ...TABLES.filter(({ name }) => WATCHED.includes(name)).flatMap(({ name, columns }) => {
        const row = (of: string): string =>
          `json_object(${columns.map((column) => `'${column.split(" ")[0]}', ${of}.${column.split(" ")[0]}`).join(", ")})`;
        const on = (event: string, before: string, after: string): string =>
          `CREATE TEMP TRIGGER seen_${name}_${event} AFTER ${event} ON main.belfry_${name} BEGIN
            INSERT INTO seen (what, before, after) VALUES ('${name}', ${before}, ${after}); END`;
        return [
          on("INSERT", "NULL", row("NEW")),
          on("UPDATE", row("OLD"), row("NEW")),
          on("DELETE", row("OLD"), "NULL"),
        ];
      }),
    ];
    for (const statement of statements) this.#database.exec(statement);
  }
}

/** Whether two rows are equal in all that the port shows; other columns change more often. */
function same(before: object | null, after: object | null): boolean {
  return before !== null && after !== null && JSON.stringify(before) === JSON.stringify(after);
}

/** Makes the storage look like a server with a clock of its own, which SQLite is not. */
function withTime(storage: Storage, time: (() => number) | null): Storage {
  if (!time) return storage;
  return new Proxy(storage, {
    get(target, name) {
      if (name === "capabilities") return { ...target.capabilities, serverClock: true };
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      if (!TIMED.has(String(name))) return value.bind(target);
      return async (request: unknown) => ({ ...(await value.call(target, request)), time: time() });
    },
  });
}
