/**
 * Which active schedules only skip? The storage counts for each how many times in a row it was due and nothing fired. From
 * three on the last outcome's reason is looked up, and what is behind it tells whether that is as it should be:
 *
 * - `expired`, `catch-up`: each occurrence is found too late, so the policy and the ticks contradict each other.
 * - `excluded`: a problem where nothing, or nothing within a year, is left to fire; a break of two weeks is none.
 * - `overlap`: a problem where the job in front waits without end or no worker takes it; one that runs long is none.
 */
import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, JobRecord, OccurrenceRecord, ScheduleRecord } from "../storage/port.ts";
import { ONLY_SKIPS_FROM } from "../storage/states.ts";
import { type ReadSchedule, readDefinition } from "./definition.ts";
import { writeLocal } from "./local_time.ts";
import { nextFire } from "./upcoming.ts";

/** A schedule that only skips. */
export interface OnlySkips {
  readonly schedule: string;
  /** Why, and what to do. */
  readonly message: string;
}

/** How many schedules are examined: each takes a round trip or two. */
const MAX_EXAMINED = 50;
/** Exclusions that leave nothing to fire for longer than this are no break. */
const LONG_BREAK_MS: number = 366 * 86_400_000;
/** A job that could be claimed for longer than this has no worker. */
const UNCLAIMED_MS = 90_000;

/** Finds the active schedules that only skip, and why; at most fifty of those that skipped are examined. */
export async function findOnlySkips(engine: Engine, now: Instant): Promise<OnlySkips[]> {
  const { storage } = engine;
  const limit = Math.min(MAX_EXAMINED, storage.capabilities.maxBatchRows);
  const records = await storage.listSchedules({ state: "active", minSkips: ONLY_SKIPS_FROM, limit });
  const found: OnlySkips[] = [];
  for (const record of records) {
    const read = readDefinition(record, engine);
    const [last] = await storage.listOccurrences({ schedule: record.name, newestFirst: true, limit: 1 });
    if (read instanceof Error || last === undefined) continue;
    const why = await explain(engine, record, read, last, now);
    if (why === null) continue;
    const times = `nothing fired the last ${record.skips} times it was due`;
    found.push({ schedule: record.name, message: `Schedule "${record.name}" only skips: ${times}. ${why}` });
  }
  return found;
}

async function explain(
  engine: Engine,
  record: ScheduleRecord,
  read: ReadSchedule,
  last: OccurrenceRecord,
  now: Instant,
): Promise<string | null> {
  const late = formatDuration(Math.round(Math.max(0, last.recordedAt - last.untilAt) / 1000) * 1000);
  const { expiresInMs } = read;
  switch (last.reason) {
    case "expired":
      return (
        `Each was found too late: the last one ${late} after its time, and expiresIn is ${formatDuration(expiresInMs ?? 0)}. ` +
        "Make expiresIn longer than the time between two ticks, or tick more often"
      );
    case "catch-up":
      return (
        `Each was found too late for its catchUp policy: the last one ${late} after its time. ` +
        'Take catchUp "latest", or a "within" longer than the time between two ticks, or tick more often'
      );
    case "excluded":
      return nothingLeft(engine, record, read, now);
    case "overlap":
      return await blockedBy(engine, record, now);
    default:
      return null;
  }
}

/** Says that exclusions leave nothing, or nothing within a year, to fire; null where something comes. */
export function nothingLeft(
  engine: Pick<Engine, "temporal">,
  record: Pick<ScheduleRecord, "name" | "nextAt" | "fired" | "lastAt">,
  read: ReadSchedule,
  now: Instant,
): string | null {
  if (read.excluded === null || record.nextAt === null) return null;
  const next = nextFire(record.name, read, record, now);
  const remedy = "shorten exclude, or remove the schedule";
  if (next === null) return `Every occurrence that is left is excluded; ${remedy}`;
  if (read.excluded.at(record.nextAt) === null || next.at - Math.max(now, record.nextAt) <= LONG_BREAK_MS) return null;
  const until = writeLocal(next.at, read.definition.timeZone, engine.temporal);
  return `All occurrences before ${until} are excluded; ${remedy}`;
}

/** Says what an unfinished job waits for that may never come; null where it runs or will go on by itself. */
async function blockedBy(engine: Engine, { name }: ScheduleRecord, now: Instant): Promise<string | null> {
  const unfinished = { states: [...UNFINISHED], limit: 1 };
  let [job] = await engine.storage.listJobs({ schedule: name, ...unfinished });
  let stands = job === undefined ? null : standstill(job, now);
  for (let depth = 0; stands === WAITS && depth < MAX_DEPTH; depth++) {
    const [child] = await engine.storage.listJobs({ parentId: job!.id, ...unfinished });
    if (child === undefined) break;
    job = child;
    stands = standstill(child, now);
  }
  if (stands === null) return null;
  return (
    `overlap "skip" waits for job ${job!.id}, which ${stands}. Cancel that job, give its wait a timeout, start a worker ` +
    "for it, or take another overlap policy"
  );
}

const UNFINISHED = ["ready", "running", "waiting"] as const;
/** How far children are followed. */
const MAX_DEPTH = 5;
const WAITS = "waits for a signal without a timeout";

function standstill({ state, availableAt, held, queue, task }: JobRecord, now: Instant): string | null {
  if (state === "waiting" && availableAt === null) return WAITS;
  if (state !== "ready" || held || availableAt === null || availableAt > now - UNCLAIMED_MS) return null;
  return `no worker takes from queue "${queue}" (task "${task}")`;
}
