/**
 * Is anything wrong that nobody would notice? Names what has silently stopped: a missing or lagging ticker, schedules that
 * broke or paused themselves, active ones with nothing ahead or that only skip, clocks that are off. One or two round
 * trips while all is well; `deep` reads every schedule, page by page.
 */
import { type Duration, formatDuration, parseDuration } from "../base/duration.ts";
import { type Checks, checkOptions, duration, flag } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import { readStats } from "../engine/stats.ts";
import type { Instant, LeaseRecord, ScheduleRecord, ScheduleState } from "../storage/port.ts";
import { readDefinition } from "./definition.ts";
import { findOnlySkips, nothingLeft } from "./only_skips.ts";

/** All kinds of problems that {@link checkHealth} finds. */
export const HEALTH_CODES = [
  "no-ticker",
  "lagging",
  "broken",
  "failing",
  "stopped",
  "ahead",
  "only-skips",
  "clock",
] as const;

/**
 * What may be wrong.
 *
 * - `no-ticker`: a schedule is due, and no process holds the lease; `lagging`: it is due for longer than it should be,
 *   although a process leads.
 * - `broken`: a schedule cannot be read or planned; `failing`: it paused itself because its jobs failed; `stopped`: it is
 *   active and has no next occurrence; `ahead`: a clock that ran ahead has decided occurrences that lie ahead, so it is
 *   silent until they have passed; `only-skips`: nothing of it fired the last three or more times it was due, or all that
 *   is left is excluded.
 * - `clock`: this host's clock is off.
 */
export type HealthCode = (typeof HEALTH_CODES)[number];

/** One thing that is wrong. */
export interface HealthProblem {
  /** What kind of problem: API, unlike the message. */
  readonly code: HealthCode;
  /** Which schedule; null where it is about all. */
  readonly schedule: string | null;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** The answer of {@link checkHealth}. */
export interface HealthReport {
  /** Nothing is wrong. */
  readonly ok: boolean;
  /** What is wrong, the general before single schedules. */
  readonly problems: HealthProblem[];
  /** Who leads; null where nobody does (between one-shot ticks that is usual). */
  readonly lease: LeaseRecord | null;
  /** When a tick has something to decide next: the earliest `nextBoundaryAt`; in the past when the ticker lags. */
  readonly nextAt: Instant | null;
  /** For how long it has been due, ms; 0 when nothing is. */
  readonly lagMs: number;
  /** How many schedules there are, by state. */
  readonly schedules: Record<ScheduleState, number>;
  /**
   * How many active schedules were due three or more times in a row without a job. Those for whom that is wrong are among
   * the problems; a long break or a job that takes long is not.
   */
  readonly onlySkips: number;
  /** The storage's clock minus this host's, ms; 0 without a server. */
  readonly skewMs: number;
}

/** Options of {@link checkHealth}. */
export interface HealthOptions {
  /** How long an occurrence may be due before that is a problem: some platforms trigger once a minute. @default "90s" */
  readonly maxLag?: Duration;
  /** Reads every schedule, to name those that would break or have nothing ahead. @default false */
  readonly deep?: boolean;
}

const MAX_LAG_MS = 90_000;
/** More clock skew than this is a problem. */
const MAX_SKEW_MS = 5_000;
/** Occurrences that were decided further ahead than this were decided by a wrong clock. */
const MAX_AHEAD_MS = 60_000;
/** At most this many problems of single schedules are named. */
const MAX_NAMED = 100;

const HEALTH_CHECKS: Checks<HealthOptions> = { maxLag: duration(), deep: flag };

/**
 * Looks for what is wrong.
 *
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 */
export async function checkHealth(engine: Engine, options: HealthOptions = {}): Promise<HealthReport> {
  checkOptions(options, "health", HEALTH_CHECKS);
  const { maxLag = MAX_LAG_MS, deep = false } = options;
  const maxLagMs = parseDuration(maxLag, "maxLag");
  const stats = await readStats(engine);
  const now = engine.clock.now();
  const { lease, nextAt, schedules, onlySkips } = stats;
  const lagMs = nextAt === null ? 0 : Math.max(0, now - nextAt);
  const problems: HealthProblem[] = [];
  if (lagMs > maxLagMs) problems.push(lagging(lagMs, lease, now));
  if (Math.abs(engine.clock.skewMs) > MAX_SKEW_MS) {
    const off = `${formatDuration(Math.abs(engine.clock.skewMs))} ${engine.clock.skewMs > 0 ? "behind" : "ahead of"}`;
    problems.push({
      code: "clock",
      schedule: null,
      message: `This host's clock is ${off} the storage's, whose time counts; set it right`,
    });
  }
  if (schedules.broken > 0) await look(engine, "broken", problems, broken);
  if (schedules.paused > 0) await look(engine, "paused", problems, failing);
  if (onlySkips > 0) {
    for (const found of await findOnlySkips(engine, now)) problems.push({ code: "only-skips", ...found });
  }
  const named = new Set(problems.map(({ schedule }) => schedule));
  // By contract an active schedule has a next occurrence: where none has one, somebody wrote past it.
  if (deep || (schedules.active > 0 && nextAt === null))
    await look(engine, "active", problems, (record) => (named.has(record.name) ? null : silent(record, engine, now)));
  const { skewMs } = engine.clock;
  return { ok: problems.length === 0, problems, lease, nextAt, lagMs, schedules, onlySkips, skewMs };
}

function lagging(lagMs: number, lease: LeaseRecord | null, now: Instant): HealthProblem {
  const due = `A schedule has been due for ${formatDuration(Math.round(lagMs / 1000) * 1000)}`;
  if (lease === null || lease.expiresAt <= now) {
    const message = `${due} and no process ticks: start one with belfry.run(), or let a platform trigger call belfry.tick()`;
    return { code: "no-ticker", schedule: null, message };
  }
  return {
    code: "lagging",
    schedule: null,
    message: `${due} although ${lease.holder} leads: its ticks fail or are too few; see its errors`,
  };
}

function broken({ name, note }: ScheduleRecord): HealthProblem {
  return {
    code: "broken",
    schedule: name,
    message: `Schedule "${name}" is broken and fires nothing: ${note}; register it anew`,
  };
}

function failing({ name, note, failures, pauseAfterFailures }: ScheduleRecord): HealthProblem | null {
  if (pauseAfterFailures === null || failures < pauseAfterFailures) return null;
  return {
    code: "failing",
    schedule: name,
    message: `Schedule "${name}" paused itself (${note}); mend its task and resume it`,
  };
}

function silent(record: ScheduleRecord, engine: Engine, now: Instant): HealthProblem | null {
  const { name: schedule, nextAt, lastAt } = record;
  if (nextAt === null) {
    return {
      code: "stopped",
      schedule,
      message: `Schedule "${schedule}" is active but has no next occurrence; register it anew`,
    };
  }
  if (lastAt !== null && lastAt > now + MAX_AHEAD_MS) {
    const ahead = formatDuration(Math.round((lastAt - now) / 1000) * 1000);
    return {
      code: "ahead",
      schedule,
      message:
        `Schedule "${schedule}" has decided its occurrences up to ${ahead} from now, while a clock ran ahead; ` +
        "it fires nothing until then: trigger it by hand, or change its timing to plan it anew",
    };
  }
  const read = readDefinition(record, engine);
  if (read instanceof Error) {
    return { code: "broken", schedule, message: `Schedule "${schedule}" would break here: ${read.message}` };
  }
  const left = nothingLeft(engine, record, read, now);
  return left === null
    ? null
    : { code: "only-skips", schedule, message: `Schedule "${schedule}" is active and will not fire. ${left}` };
}

async function look(
  engine: Engine,
  state: ScheduleState,
  problems: HealthProblem[],
  judge: (record: ScheduleRecord) => HealthProblem | null,
): Promise<void> {
  const limit = Math.min(1_000, engine.storage.capabilities.maxBatchRows);
  let named = 0;
  for (let after: string | undefined; ; ) {
    const page: ScheduleRecord[] = await engine.storage.listSchedules({
      state,
      limit,
      ...(after === undefined ? {} : { after }),
    });
    for (const record of page) {
      const problem = judge(record);
      if (problem === null) continue;
      problems.push(problem);
      if (++named === MAX_NAMED) return;
    }
    if (page.length < limit) return;
    after = page.at(-1)!.name;
  }
}
