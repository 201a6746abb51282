/**
 * How does a process learn that another wrote to the same SQLite file? It asks for `PRAGMA data_version`, which takes a few
 * microseconds, touches no table and changes only when another connection has committed.
 *
 * What was written is not told, and most of it concerns nobody here: other tables, claims, finished jobs. So after a
 * change one query, served by three indexes, looks at what a loop could act on: who leads, the earliest next occurrence,
 * whether a job can be claimed. Only a difference wakes, so five hundred foreign rows a second wake nobody.
 */
import type { Clock, Timer } from "../../clock.ts";
import type { Wake } from "../../storage.ts";
import type { SqliteDatabase, SqliteStatement } from "./client.ts";

/** How often the version is asked for: a wake-up comes after half of it on average. */
const EVERY_MS = 25;
/** Jobs that lie there claimable are told of again this often while others write: the one who could claim may be free by now. */
const AGAIN_MS = 500;

/** What the poller needs. */
export interface PollerOptions {
  readonly database: SqliteDatabase;
  readonly clock: Clock;
  /** What the names of the tables begin with. */
  readonly prefix: string;
  readonly onWake: (wake: Wake) => void;
}

interface Glance {
  holder: string | null;
  next_at: number | bigint | null;
  newest: string | null;
  claimable: number | bigint;
}

/** Polls until it is stopped. @returns the function that stops it */
export function pollChanges({ database, clock, prefix, onWake }: PollerOptions): () => Promise<void> {
  const version = database.prepare("PRAGMA data_version") as SqliteStatement;
  const glance = database.prepare(
    `SELECT (SELECT holder FROM ${prefix}lease WHERE id = 1) AS holder,
      (SELECT next_at FROM ${prefix}schedules WHERE state = 'active' ORDER BY next_at, name LIMIT 1) AS next_at,
      (SELECT max(id) FROM ${prefix}jobs) AS newest,
      EXISTS (SELECT 1 FROM ${prefix}jobs WHERE state = 'ready' AND due = 1 AND held = 0) AS claimable`,
  ) as SqliteStatement;
  const look = (): Glance => glance.all()[0] as Glance;
  const read = (): unknown => Object.values(version.all()[0] as object)[0];
  let seenVersion = read();
  let seen = look();
  let toldAtMs = clock.monotonic();
  let timer: Timer | undefined;
  let stopped = false;

  const poll = (): void => {
    const now = read();
    if (now === seenVersion) return;
    seenVersion = now;
    const before = seen;
    seen = look();
    if (seen.next_at !== before.next_at || (seen.holder === null && before.holder !== null)) onWake("schedules");
    // A new job may be one for later: whoever sleeps past that must know of it, too.
    const came = seen.newest !== before.newest;
    const became = Number(seen.claimable) > Number(before.claimable);
    const again = Number(seen.claimable) > 0 && clock.monotonic() - toldAtMs >= AGAIN_MS;
    if (!came && !became && !again) return;
    toldAtMs = clock.monotonic();
    onWake("jobs");
  };
  const tick = (): void => {
    try {
      poll();
    } catch {
      // Another has the file locked whole (a checkpoint, a backup): the next look sees the same change.
      seenVersion = undefined;
    }
    if (!stopped) timer = clock.setTimer(EVERY_MS, tick);
  };
  timer = clock.setTimer(EVERY_MS, tick);
  return async () => {
    stopped = true;
    timer?.cancel();
  };
}
