/**
 * How are schedules read and written without losing another process's change? Read, decide, put from the revision that was
 * read, and start again where another process was faster.
 */

import { BelfryError, nearest } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import type { PutSchedulesReply, PutSchedulesRequest, ScheduleRecord } from "../storage/port.ts";

/** Lost races in a row before giving up; in each another process changed the schedule meanwhile. */
const MAX_TRIES = 100;

/** Reads a schedule's row; null where there is none. */
export async function readSchedule(engine: Engine, name: string): Promise<ScheduleRecord | null> {
  checkName(name, "schedule");
  await engine.open();
  const [record] = await engine.storage.listSchedules({ names: [name], limit: 1 });
  return record ?? null;
}

/**
 * Reads a schedule that must be there.
 *
 * @throws BelfryError `SCHEDULE_UNKNOWN`, with the nearest name
 */
export async function needSchedule(engine: Engine, name: string): Promise<ScheduleRecord> {
  const record = await readSchedule(engine, name);
  if (record !== null) return record;
  const others = await engine.storage.listSchedules({ limit: 1_000 });
  const guess = nearest(
    name,
    others.map((other) => other.name),
  );
  throw new BelfryError(
    "SCHEDULE_UNKNOWN",
    `No schedule is named ${JSON.stringify(name)}${guess ? `; did you mean ${JSON.stringify(guess)}?` : ""}`,
  );
}

/** Writes schedules. */
export function putSchedules(
  engine: Engine,
  request: Pick<PutSchedulesRequest, "puts"> & Partial<PutSchedulesRequest>,
): Promise<PutSchedulesReply> {
  const { ids, clock, storage } = engine;
  const full = { op: ids.token(), now: clock.now(), removes: [], owner: null, ...request };
  return timed(engine, () => storage.putSchedules(full));
}

/**
 * Repeats a read-and-put until it wins its race.
 *
 * @param attempt returns undefined where it lost
 * @throws BelfryError `STORAGE_BUSY` where it lost a hundred times in a row
 */
export async function untilWon<T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const won = await attempt();
    if (won !== undefined) return won;
  }
  throw new BelfryError(
    "STORAGE_BUSY",
    `Cannot write ${what}: others changed it ${MAX_TRIES} times in a row; try again`,
  );
}

/** Tells whether a job of the schedule is unfinished. */
export async function isBusy(engine: Engine, name: string): Promise<boolean> {
  const jobs = await engine.storage.listJobs({ schedule: name, states: ["ready", "running", "waiting"], limit: 1 });
  return jobs.length > 0;
}
