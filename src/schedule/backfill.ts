/**
 * How are occurrences of the past run: those before a schedule existed, and those that were skipped?
 *
 * Occurrences that fired are left alone, and those that the schedule has not decided yet are left to it. Each job has a key
 * made of schedule and occurrence, so a backfill that was interrupted, or is repeated, makes no job twice. The log of
 * outcomes is not changed; the backfilled job is found by its key.
 */
import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions, oneOf, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import { insertJobs } from "../job/make.ts";
import type { Instant, NewJob } from "../storage/port.ts";
import { type Rate, readRate } from "../task/rate.ts";
import { need } from "./control.ts";
import { jobLimit, jobOptions, occurrenceJob } from "./firing.ts";
import { needSchedule } from "./store.ts";
import { readFrom, readUntil, type When } from "./when.ts";

/** What to backfill, and how fast. */
export interface BackfillOptions {
  /** Where the range begins; a day means from its beginning. */
  readonly from: When;
  /** Where it ends, included; a day means through its end. What the schedule has still to decide is left out. */
  readonly to: When;
  /** Whether the jobs may run beside others of the schedule or wait for them. @default "allow" where the schedule says so, else "queue" */
  readonly overlap?: "allow" | "queue";
  /** At most `count` jobs become available in each `per`. @default all at once */
  readonly rate?: Rate;
  /** More occurrences than this are refused. @default 10,000 */
  readonly max?: number;
}

/** What a backfill did. */
export interface Backfilled {
  /** Jobs that were made. */
  enqueued: number;
  /** Occurrences that had fired, or were backfilled before. */
  existing: number;
  /** Occurrences that the schedule excludes. */
  excluded: number;
}

const BACKFILL_CHECKS: Checks<BackfillOptions> = {
  // `readFrom` and `readUntil` check these two, in the schedule's zone.
  from: anything,
  to: anything,
  overlap: oneOf(["allow", "queue"]),
  // `readRate` checks it.
  rate: anything,
  max: whole(1, 1_000_000),
};

const CHUNK = 500;

/** The key of a backfilled job. */
export function backfillKey(name: string, at: Instant): string {
  return `backfill:${name}:${at}`;
}

/**
 * Makes jobs of a schedule's past occurrences that did not fire, oldest first.
 *
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`; `OPTION_INVALID` where the range has more than `max` occurrences
 */
export async function backfillSchedule(engine: Engine, name: string, options: BackfillOptions): Promise<Backfilled> {
  checkOptions(options, "schedules.backfill", BACKFILL_CHECKS);
  const record = await needSchedule(engine, name);
  const read = need(engine, record);
  const { timing, excluded, definition } = read;
  const { timeZone } = definition;
  const now = engine.clock.now();
  const context = { timeZone, temporal: engine.temporal };
  const from = readFrom(options.from, "from", context);
  const wanted = readUntil(options.to, "to", context);
  if (wanted < from)
    throw new BelfryError("OPTION_INVALID", `Cannot backfill "${name}": "to" is before "from"; swap them`);
  const to = Math.min(wanted, now, (record.nextAt ?? Infinity) - 1);
  const { max = 10_000, overlap = definition.overlap === "allow" ? "allow" : "queue" } = options;
  const rate = options.rate === undefined ? null : readRate(options.rate, "schedules.backfill");
  const apartMs = rate === null ? 0 : rate.perMs / rate.count;
  // @every has no occurrences before its anchor; calendar expressions have them at any time.
  const first = timing.next(from - 1);
  const done: Backfilled = { enqueued: 0, existing: 0, excluded: 0 };
  if (first === null || first > to) return done;
  const { count } = timing.count(first, to, max + 1);
  if (count > max) {
    throw new BelfryError(
      "OPTION_INVALID",
      `Cannot backfill more than ${max} occurrences of "${name}" at once; ask for a shorter range, or raise max`,
    );
  }
  const limit = jobLimit(name, { ...definition, overlap });
  const text = jobOptions(definition);
  let next: Instant | null = first;
  let made = 0;
  while (next !== null && next <= to) {
    const chunk: Instant[] = [];
    for (; next !== null && next <= to && chunk.length < CHUNK; next = timing.next(next)) {
      if (excluded?.at(next)) done.excluded++;
      else chunk.push(next);
    }
    const fired = await firedAmong(engine, name, chunk);
    done.existing += fired.size;
    const jobs = chunk
      .filter((at) => !fired.has(at))
      .map((at): NewJob => {
        const availableAt = now + Math.floor(apartMs * made++);
        const job = occurrenceJob(name, definition, { id: engine.ids.id(now), at, options: text });
        return { ...job, availableAt, expiresAt: null, key: backfillKey(name, at), limit };
      });
    if (jobs.length === 0) continue;
    const inserted = await insertJobs(engine, jobs);
    const created = inserted.filter((job) => job.created).length;
    done.enqueued += created;
    done.existing += inserted.length - created;
  }
  return done;
}

async function firedAmong(engine: Engine, schedule: string, chunk: readonly Instant[]): Promise<Set<Instant>> {
  if (chunk.length === 0) return new Set();
  const range = { from: chunk[0]!, to: chunk.at(-1)! };
  const rows = await engine.storage.listOccurrences({ schedule, ...range, limit: 2 * CHUNK + 2 });
  return new Set(rows.filter((row) => row.jobId !== null).map((row) => row.at));
}
