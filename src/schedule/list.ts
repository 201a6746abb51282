/**
 * Looking at schedules: page by page, and what lies ahead of one.
 */

import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, OccurrenceRecord, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { need } from "./control.ts";
import { defineSchedule, type ScheduleSpec } from "./define.ts";
import { type ReadSchedule, rulesOf } from "./definition.ts";
import { delayMs } from "./firing.ts";
import { type ScheduleInfo, scheduleInfo } from "./info.ts";
import { writeLocal } from "./local_time.ts";
import { wholeNumber } from "./options.ts";
import { needSchedule, readSchedule } from "./store.ts";
import { readFrom, readUntil, type When } from "./when.ts";

/** Which schedules to list. */
export interface ListSchedulesOptions {
  /** Only those in this state. */
  readonly state?: ScheduleState;
  /** Only those that this owner declared with `sync`. */
  readonly owner?: string;
  /** Only those of this task. */
  readonly task?: string;
  /** Only those with this tag. */
  readonly tag?: string;
  /** Only names that begin so. */
  readonly prefix?: string;
  /** Only names after this one: the `next` of the page before. */
  readonly after?: string;
  /** At most this many. @default 100 */
  readonly limit?: number;
}

/** A page of schedules, in order of name. */
export interface SchedulePage {
  /** The schedules of this page. */
  readonly schedules: ScheduleInfo[];
  /** Where the next page begins; null on the last. */
  readonly next: string | null;
}

/** Lists schedules in order of name. */
export async function listSchedules(engine: Engine, options: ListSchedulesOptions = {}): Promise<SchedulePage> {
  const limit = wholeNumber(options.limit ?? 100, "limit", 1, 10_000);
  const { state, owner, prefix = "" } = options;
  const filtered = options.task !== undefined || options.tag !== undefined || prefix !== "";
  await engine.open();
  const schedules: ScheduleInfo[] = [];
  let { after } = options;
  // The name before the first that could begin with the prefix is not known; an `after` at the prefix itself leaves it out.
  if (prefix !== "" && (after === undefined || after < prefix)) {
    const record = await readSchedule(engine, prefix);
    if (record !== null && after !== prefix && fits(record, engine, options))
      schedules.push(scheduleInfo(record, engine.temporal));
    after = prefix;
  }
  for (;;) {
    const size = filtered ? Math.max(limit, 200) : limit + 1;
    const page: ScheduleRecord[] = await engine.storage.listSchedules({
      limit: size,
      ...(state === undefined ? {} : { state }),
      ...(owner === undefined ? {} : { owner }),
      ...(after === undefined ? {} : { after }),
    });
    for (const record of page) {
      if (schedules.length === limit) return { schedules, next: schedules.at(-1)!.name };
      if (!record.name.startsWith(prefix)) return { schedules, next: null };
      if (fits(record, engine, options)) schedules.push(scheduleInfo(record, engine.temporal));
    }
    if (page.length < size) return { schedules, next: null };
    after = page.at(-1)!.name;
  }
}

function fits(record: ScheduleRecord, engine: Engine, { task, tag, state, owner }: ListSchedulesOptions): boolean {
  if ((state !== undefined && record.state !== state) || (owner !== undefined && record.owner !== owner)) return false;
  if (task === undefined && tag === undefined) return true;
  const { definition } = scheduleInfo(record, engine.temporal);
  if (definition === null) return false;
  return (task === undefined || definition.task === task) && (tag === undefined || definition.tags.includes(tag));
}

/** Finds a schedule; null where there is none. */
export async function getSchedule(engine: Engine, name: string): Promise<ScheduleInfo | null> {
  const record = await readSchedule(engine, name);
  return record === null ? null : scheduleInfo(record, engine.temporal);
}

/** An occurrence to come. */
export interface PreviewedOccurrence {
  /** The occurrence, epoch ms. */
  readonly at: Instant;
  /** Its local time, for people: `2026-03-29 09:00:00 +02:00`. */
  readonly local: string;
  /** When its job becomes available: later where there is `jitter`. */
  readonly availableAt: Instant;
  /** It is left out by `exclude`. */
  readonly excluded: boolean;
}

/** What to preview. */
export interface PreviewOptions {
  /** How many. @default 10 */
  readonly count?: number;
  /** After which instant; a stored schedule's by default where it stands, a new one's now. */
  readonly from?: When;
}

/**
 * Lists the next occurrences of a stored schedule (by name), or of one that is not registered.
 *
 * @returns fewer than asked for where it ends
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`; for one not registered what `defineSchedule` throws
 */
export async function previewSchedule(
  engine: Engine,
  schedule: string | ScheduleSpec,
  options: PreviewOptions = {},
): Promise<PreviewedOccurrence[]> {
  const count = wholeNumber(options.count ?? 10, "count", 1, 10_000);
  const now = engine.clock.now();
  const { name, read, standsAt } = await find(engine, schedule, now);
  const { timeZone } = read.definition;
  const from =
    options.from === undefined ? null : readFrom(options.from, "from", { timeZone, temporal: engine.temporal });
  const list: PreviewedOccurrence[] = [];
  for (
    let at = from === null ? standsAt : read.timing.next(from);
    at !== null && list.length < count;
    at = read.timing.next(at)
  ) {
    list.push({
      at,
      local: writeLocal(at, timeZone, engine.temporal),
      availableAt: at + delayMs(name, at, read.definition),
      excluded: read.excluded?.at(at) != null,
    });
  }
  return list;
}

async function find(
  engine: Engine,
  schedule: string | ScheduleSpec,
  now: Instant,
): Promise<{ name: string; read: ReadSchedule; standsAt: Instant | null }> {
  if (typeof schedule === "string") {
    const record = await needSchedule(engine, schedule);
    return { name: schedule, read: need(engine, record), standsAt: record.nextAt };
  }
  const { name, definition } = await defineSchedule(engine, schedule);
  const read = rulesOf(definition, schedule.createdAt ?? now, engine.temporal);
  return { name, read, standsAt: read.timing.next(now) };
}

/** Which outcomes to list. */
export interface OccurrenceOptions {
  /** Those at or after it; a day means from its beginning. */
  readonly from?: When;
  /** Those at or before it; a day means through its end. */
  readonly to?: When;
  /** At most this many rows. @default 100 */
  readonly limit?: number;
  /** In which order. @default true */
  readonly newestFirst?: boolean;
}

/**
 * Lists what became of a schedule's occurrences, also of one that was removed.
 *
 * @throws BelfryError `OPTION_INVALID`
 */
export async function listOccurrences(
  engine: Engine,
  name: string,
  options: OccurrenceOptions = {},
): Promise<OccurrenceRecord[]> {
  const { from, to, newestFirst = true } = options;
  const limit = wholeNumber(options.limit ?? 100, "limit", 1, 10_000);
  if (typeof name !== "string" || name === "")
    throw new BelfryError("NAME_INVALID", "Cannot list occurrences: no schedule is named");
  const record = await readSchedule(engine, name);
  const timeZone = (record && scheduleInfo(record, engine.temporal).definition?.timeZone) ?? engine.timeZone;
  const context = { timeZone, temporal: engine.temporal };
  return await engine.storage.listOccurrences({
    schedule: name,
    limit,
    newestFirst,
    ...(from === undefined ? {} : { from: readFrom(from, "from", context) }),
    ...(to === undefined ? {} : { to: readUntil(to, "to", context) }),
  });
}
