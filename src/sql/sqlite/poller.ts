/**
 * How does a process learn that another wrote to the same SQLite file? It asks for `PRAGMA data_version`, which takes a few
 * microseconds, touches no table and changes only when another connection has committed.
 *
 * What was written is not told, and most of it concerns nobody here: other tables, claims, finished jobs. So after a
 * change one query, served by three indexes, looks at what a loop could act on: who leads, the earliest next occurrence,
 * whether a job can be claimed. Only a difference wakes, so five hundred foreign rows a second wake nobody.
 */
import type { Clock, Timer } from "../../base/clock.ts";
import type { Wake } from "../../storage/port.ts";
import type { SqliteDatabase, SqliteStatement } from "./client.ts";

/** How often the version is asked for when nothing comes; the timer itself is most of what an idle process uses. */
const IDLE_MS = 50;
/** And how often within a second after something came: where processes hand work to each other, more follows. */
const BUSY_MS = 5;
const BUSY_FOR_MS = 1_000;
/** After a change that concerned nobody the next look waits so long: others are busy with tables of their own. */
const FOREIGN_MS = 250;
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
  let cameAtMs = -Infinity;
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
    const concerns = (): void => {
      cameAtMs = clock.monotonic();
      lookAtMs = -Infinity;
    };
    if (seen.next_at !== before.next_at || (seen.holder === null && before.holder !== null)) {
      concerns();
      onWake("schedules");
    }
    // A new job may be one for later: whoever sleeps past that must know of it, too.
    const came = seen.newest !== before.newest;
    const became = Number(seen.claimable) > Number(before.claimable);
    const again = Number(seen.claimable) > 0 && clock.monotonic() - toldAtMs >= AGAIN_MS;
    if (!came && !became && !again) return;
    if (came || became) concerns();
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
    const everyMs = clock.monotonic() - cameAtMs < BUSY_FOR_MS ? BUSY_MS : IDLE_MS;
    if (!stopped) timer = clock.setTimer(everyMs, tick);
  };
  timer = clock.setTimer(IDLE_MS, tick);
  return async () => {
    stopped = true;
    timer?.cancel();
  };
}
