/**
 * Which schedules are stored, which occurrences will one fire next, and how did its occurrences end?
 */

import { anything, type Checks, checkOptions, flag, nameOf, oneOf, text, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, OccurrenceRecord, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { SCHEDULE_STATES } from "../storage/states.ts";
import { need } from "./control.ts";
import { defineSchedule, type ScheduleSpec } from "./define.ts";
import { type ReadSchedule, readDefinition, rulesOf } from "./definition.ts";
import { type ScheduleInfo, scheduleInfo } from "./info.ts";
import { writeLocal } from "./local_time.ts";
import { needSchedule, readSchedule } from "./store.ts";
import { type Standing, upcoming } from "./upcoming.ts";
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

const LIST_CHECKS: Checks<ListSchedulesOptions> = {
  state: oneOf(SCHEDULE_STATES),
  owner: nameOf("owner"),
  task: nameOf("task"),
  tag: text,
  prefix: (value, name, of) => void (value === "" || text(value, name, of)),
  after: text,
  limit: whole(1, 10_000),
};

/** A page of schedules, in order of name. */
export interface SchedulePage {
  /** The schedules of this page. */
  readonly schedules: ScheduleInfo[];
  /** Where the next page begins; null on the last. */
  readonly next: string | null;
}

/** Lists schedules in order of name. */
export async function listSchedules(engine: Engine, options: ListSchedulesOptions = {}): Promise<SchedulePage> {
  checkOptions(options, "schedules.list", LIST_CHECKS);
  const { state, owner, prefix = "", limit = 100 } = options;
  const filtered = options.task !== undefined || options.tag !== undefined || prefix !== "";
  await engine.open();
  const schedules: ScheduleInfo[] = [];
  let { after } = options;
  // `after` leaves its own name out, so the schedule that is named like the prefix is read by itself.
  if (prefix !== "" && (after === undefined || after < prefix)) {
    const record = await readSchedule(engine, prefix);
    if (record !== null && after !== prefix && fits(record, engine, options))
      schedules.push(scheduleInfo(record, engine));
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
      if (fits(record, engine, options)) schedules.push(scheduleInfo(record, engine));
    }
    if (page.length < size) return { schedules, next: null };
    after = page.at(-1)!.name;
  }
}

function fits(record: ScheduleRecord, engine: Engine, { task, tag, state, owner }: ListSchedulesOptions): boolean {
  if ((state !== undefined && record.state !== state) || (owner !== undefined && record.owner !== owner)) return false;
  if (task === undefined && tag === undefined) return true;
  const read = readDefinition(record, engine);
  if (read instanceof Error) return false;
  const { definition } = read;
  return (task === undefined || definition.task === task) && (tag === undefined || definition.tags.includes(tag));
}

/** Reads a schedule. @returns null where none has this name */
export async function getSchedule(engine: Engine, name: string): Promise<ScheduleInfo | null> {
  const record = await readSchedule(engine, name);
  return record === null ? null : scheduleInfo(record, engine);
}

/** An occurrence to come. */
export interface PreviewedOccurrence {
  /** The occurrence, epoch ms. */
  readonly at: Instant;
  /** Its local time, for people: `2026-03-29 09:00:00 +02:00`. */
  readonly local: string;
  /** When its job becomes available: later where there is `jitter`. */
  readonly availableAt: Instant;
  /** It is left out by `exclude` and will not fire; only listed with `withExcluded`. */
  readonly excluded: boolean;
}

/** What to preview. */
export interface PreviewOptions {
  /** How many. @default 10 */
  readonly count?: number;
  /** After which instant; a stored schedule's by default where it stands, a new one's now. */
  readonly from?: When;
  /** Also lists, marked, the occurrences that are left out by `exclude`. @default false */
  readonly withExcluded?: boolean;
}

const PREVIEW_CHECKS: Checks<PreviewOptions> = {
  count: whole(1, 10_000),
  // `readFrom` checks it, in the schedule's zone.
  from: anything,
  withExcluded: flag,
};

/**
 * Lists the next occurrences that a stored schedule (by name), or one that is not registered, will fire; of a paused one
 * those that it would fire if it were resumed.
 *
 * @returns fewer than asked for where it ends
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `OPTION_INVALID`; for one not registered what
 * `defineSchedule` throws
 */
export async function previewSchedule(
  engine: Engine,
  schedule: string | ScheduleSpec,
  options: PreviewOptions = {},
): Promise<PreviewedOccurrence[]> {
  checkOptions(options, "schedules.preview", PREVIEW_CHECKS);
  const { count = 10, withExcluded = false } = options;
  const now = engine.clock.now();
  const { name, read, standing } = await find(engine, schedule, now);
  const { timeZone } = read.definition;
  const context = { timeZone, temporal: engine.temporal };
  const from = options.from === undefined ? null : readFrom(options.from, "from", context);
  const start = from === null ? { standing, now } : { standing: standingAt(from, read, standing), now: -Infinity };
  const list: PreviewedOccurrence[] = [];
  for (const occurrence of upcoming(name, read, { ...start, withExcluded })) {
    list.push({ ...occurrence, local: writeLocal(occurrence.at, timeZone, engine.temporal) });
    if (list.length === count) break;
  }
  return list;
}

/** How many occurrences may be walked to count those that use `maxFires` up before a preview begins. */
const MAX_WALKED = 1_000_000;

/** Where a schedule will stand after an instant. */
function standingAt(from: Instant, read: ReadSchedule, standing: Standing): Standing {
  const nextAt = read.timing.next(from);
  if (read.maxFires === null || standing.nextAt === null) return { ...standing, nextAt };
  let { fired } = standing;
  let walked = 0;
  for (const { at } of upcoming("", read, { standing, now: -Infinity })) {
    if (at > from || ++walked > MAX_WALKED) break;
    fired++;
  }
  return { ...standing, nextAt, fired };
}

async function find(
  engine: Engine,
  schedule: string | ScheduleSpec,
  now: Instant,
): Promise<{ name: string; read: ReadSchedule; standing: Standing }> {
  if (typeof schedule === "string") {
    const record = await needSchedule(engine, schedule);
    return { name: schedule, read: need(engine, record), standing: record };
  }
  const { name, definition } = await defineSchedule(engine, schedule);
  const read = rulesOf(definition, schedule.createdAt ?? now, engine);
  return { name, read, standing: { nextAt: read.timing.next(now), fired: 0, lastAt: null } };
}

/** Which occurrences to list. */
export interface OccurrenceOptions {
  /** Those at or after it; a day means from its beginning. */
  readonly from?: When;
  /** Those at or before it; a day means through its end. */
  readonly to?: When;
  /** At most this many rows. @default 100 */
  readonly limit?: number;
  /** Whether the newest come first. @default true */
  readonly newestFirst?: boolean;
}

const OCCURRENCE_CHECKS: Checks<OccurrenceOptions> = {
  // `readFrom` and `readUntil` check these two, in the schedule's zone.
  from: anything,
  to: anything,
  limit: whole(1, 10_000),
  newestFirst: flag,
};

/**
 * Lists how a schedule's occurrences ended, also of one that was removed.
 *
 * @throws BelfryError `OPTION_INVALID`
 */
export async function listOccurrences(
  engine: Engine,
  name: string,
  options: OccurrenceOptions = {},
): Promise<OccurrenceRecord[]> {
  checkOptions(options, "schedules.occurrences", OCCURRENCE_CHECKS);
  const { from, to, limit = 100, newestFirst = true } = options;
  const record = await readSchedule(engine, name);
  const read = record === null ? null : readDefinition(record, engine);
  const timeZone = read === null || read instanceof Error ? engine.timeZone : read.definition.timeZone;
  const context = { timeZone, temporal: engine.temporal };
  return await engine.storage.listOccurrences({
    schedule: name,
    limit,
    newestFirst,
    ...(from === undefined ? {} : { from: readFrom(from, "from", context) }),
    ...(to === undefined ? {} : { to: readUntil(to, "to", context) }),
  });
}
