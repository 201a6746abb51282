/**
 * How does a process learn that another wrote to the same SQLite file? It polls `PRAGMA data_version`, which takes a
 * few microseconds, reads no table and changes only when another connection has committed.
 *
 * The version does not say what was written, and most writes change nothing that a loop acts on: other tables, claims,
 * finished jobs. So after a change one query, served by three indexes, reads what loops act on: who leads, the earliest
 * next occurrence, and whether a job can be claimed. Listeners are called only when that differs, so 500 foreign rows a
 * second call none.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { Wake } from "../../storage/port.ts";
import type { SqliteDatabase, SqliteStatement } from "./client.ts";

/** Poll interval while nothing changes; the timer itself is most of the CPU time of an idle process. */
const IDLE_MS = 50;
/** Poll interval within a second after a change, since more tends to follow where processes hand work to each other. */
const BUSY_MS = 5;
const BUSY_FOR_MS = 1_000;
/** Pause after a change that no loop acts on, since another program is probably busy with tables of its own. */
const FOREIGN_MS = 250;
/** While others write and jobs stay claimable, listeners are called again this often: a worker may have become free. */
const AGAIN_MS = 500;

/** What the poller needs. */
export interface PollerOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  /** What the names of the tables begin with. */
  readonly prefix: string;
  readonly onWake: (wake: Wake) => void;
}

interface Snapshot {
  holder: string | null;
  next_at: number | bigint | null;
  newest: string | null;
  claimable: number | bigint;
}

/** Polls until it is stopped. @returns the function that stops it */
export function pollChanges({ database, clock, prefix, onWake }: PollerOptions): () => Promise<void> {
  const version = database.prepare("PRAGMA data_version") as SqliteStatement;
  const snapshot = database.prepare(
    `SELECT (SELECT holder FROM ${prefix}lease WHERE id = 1) AS holder,
      (SELECT next_at FROM ${prefix}schedules WHERE state = 'active' ORDER BY next_at, name LIMIT 1) AS next_at,
      (SELECT max(id) FROM ${prefix}jobs) AS newest,
      EXISTS (SELECT 1 FROM ${prefix}jobs WHERE state = 'ready' AND due = 1 AND held = 0) AS claimable`,
  ) as SqliteStatement;
  const look = (): Snapshot => snapshot.all()[0] as Snapshot;
  const read = (): unknown => Object.values(version.all()[0] as object)[0];
  let seenVersion = read();
  let seen = look();
  let calledAtMs = clock.monotonic();
  let changedAtMs = -Infinity;
  let lookAtMs = -Infinity;
  let timer: Timer | undefined;
  let stopped = false;

  const poll = (): void => {
    if (clock.monotonic() < lookAtMs) return;
    const now = read();
    if (now === seenVersion) return;
    seenVersion = now;
    const before = seen;
    seen = look();
    lookAtMs = clock.monotonic() + FOREIGN_MS;
    const pollSoon = (): void => {
      changedAtMs = clock.monotonic();
      lookAtMs = -Infinity;
    };
    if (seen.next_at !== before.next_at || (seen.holder === null && before.holder !== null)) {
      pollSoon();
      onWake("schedules");
    }
    // A new job may be for later, but before the time until which a loop sleeps.
    const inserted = seen.newest !== before.newest;
    const became = Number(seen.claimable) > Number(before.claimable);
    const again = Number(seen.claimable) > 0 && clock.monotonic() - calledAtMs >= AGAIN_MS;
    if (!inserted && !became && !again) return;
    if (inserted || became) pollSoon();
    calledAtMs = clock.monotonic();
    onWake("jobs");
  };
  const tick = (): void => {
    try {
      poll();
    } catch {
      // Another connection has locked the whole file (a checkpoint, a backup); the next poll sees the same change.
      seenVersion = undefined;
    }
    const everyMs = clock.monotonic() - changedAtMs < BUSY_FOR_MS ? BUSY_MS : IDLE_MS;
    if (!stopped) timer = clock.setTimer(everyMs, tick);
  };
  timer = clock.setTimer(IDLE_MS, tick);
  return async () => {
    stopped = true;
    timer?.cancel();
  };
}
