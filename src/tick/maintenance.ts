/**
 * What does the leader do beside firing? It removes old history in bounded chunks, and tries broken schedules again, since
 * a version or time zone data that can read them may lead by now.
 */
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import { readDefinition } from "../schedule/definition.ts";
import type { SchedulePut, ScheduleRecord } from "../storage/port.ts";

/** How long history is kept, each in ms. */
export interface Retention {
  /** Completed, cancelled and expired jobs. */
  readonly finishedMs: number;
  /** Failed jobs (the dead letters). */
  readonly failedMs: number;
  /** Outcomes of occurrences. */
  readonly occurrencesMs: number;
}

const DAY_MS = 86_400_000;

/** Finished jobs 7 days, failed ones 30, outcomes 30. */
export const DEFAULT_RETENTION: Retention = {
  finishedMs: 7 * DAY_MS,
  failedMs: 30 * DAY_MS,
  occurrencesMs: 30 * DAY_MS,
};

/** How many rows one chunk removes: about 10 ms of a SQLite file's write lock. */
const CHUNK = 500;
/** How many broken schedules are tried at once. */
const BROKEN_PAGE = 200;

/** Does one bounded round. @returns whether more is left to remove */
export async function maintain(engine: Engine, retention: Retention): Promise<boolean> {
  await engine.open();
  await heal(engine);
  const now = engine.clock.now();
  const removed = await engine.storage.purge({
    now,
    finishedBefore: now - retention.finishedMs,
    failedBefore: now - retention.failedMs,
    occurrencesBefore: now - retention.occurrencesMs,
    limit: CHUNK,
  });
  return removed.jobs >= CHUNK || removed.occurrences >= CHUNK;
}

/** Makes those broken schedules active again that this process can read. @returns their names */
async function heal(engine: Engine): Promise<string[]> {
  const healed: string[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await engine.storage.listSchedules({
      state: "broken",
      limit: BROKEN_PAGE,
      ...(after === undefined ? {} : { after }),
    });
    const now = engine.clock.now();
    const puts = page.map((record) => repaired(record, engine, now)).filter((put) => put !== null);
    if (puts.length > 0) {
      const request = { op: engine.ids.token(), now, puts, removes: [], owner: null };
      const reply = await timed(engine, () => engine.storage.putSchedules(request));
      for (const name of reply.written)
        engine.logger.info(`Schedule "${name}" can be planned again`, { schedule: name });
      healed.push(...reply.written);
    }
    if (page.length < BROKEN_PAGE) return healed;
    after = page.at(-1)!.name;
  }
}

/** The put that makes a broken schedule active at the place where it stood, so that it catches up what it missed. */
function repaired(record: ScheduleRecord, engine: Engine, now: number): SchedulePut | null {
  const read = readDefinition(record, engine);
  if (read instanceof Error) return null;
  const nextAt = record.nextAt ?? read.timing.next(now);
  const state = nextAt === null ? "ended" : "active";
  return {
    revision: record.revision,
    record: { ...record, state, nextAt, note: null, updatedAt: now },
    jobs: [],
    occurrences: [],
  };
}
