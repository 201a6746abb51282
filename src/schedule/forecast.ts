/**
 * What would a schedule do? Runs the planner that fires in production on virtual time: over nights on which clocks change,
 * outages, and jobs that take long. Nothing is stored and no clock is read.
 *
 * Virtual time jumps from decision to decision: to the next occurrence, to the end of the outage that it falls into, or to
 * the next trigger where ticks come at intervals. Jobs start when they become available (one after the other under overlap
 * `queue`) and run as long as `durations` says.
 */
import { CorrectedClock, systemClock } from "../base/clock.ts";
import { plainCodec } from "../base/codec.ts";
import { type Duration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions, duration, listOf, optionsOf, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, ScheduleState, SkipReason } from "../storage/port.ts";
import { TaskRegistry } from "../task/registry.ts";
import { defineSchedule, type ScheduleSpec, SPEC_CHECKS } from "./define.ts";
import { type ReadSchedule, rulesOf } from "./definition.ts";
import { delayMs } from "./firing.ts";
import { writeLocal } from "./local_time.ts";
import { Planner } from "./planner.ts";
import { nextFire } from "./upcoming.ts";
import { readFrom, readUntil, type When, type WhenContext } from "./when.ts";

/** A stretch of time in which nothing ticks. */
export interface Downtime {
  /** Its first instant. */
  readonly from: When;
  /** The instant after it; a day means through its end. */
  readonly to: When;
}

/** What happens during a forecast. */
export interface ForecastOptions {
  /** When the schedule is registered. */
  readonly from: When;
  /** When the forecast ends, included; a day means through its end. */
  readonly to: When;
  /** When nothing ticks. */
  readonly downtime?: readonly Downtime[];
  /** How long each job runs, or each by its occurrence. @default 0 */
  readonly durations?: Duration | ((occurrence: Date) => Duration);
  /** Ticks come at multiples of this since 1970, as from an edge trigger (`"1m"`). @default whenever something is due */
  readonly tickEvery?: Duration;
  /** Stops after this many occurrences. @default 10,000 */
  readonly max?: number;
}

/** How an occurrence, or a run of skipped ones, would end. */
export interface ForecastOccurrence {
  /** The occurrence, of a run the first; epoch ms. */
  readonly at: Instant;
  /** Local time of `at`. */
  readonly local: string;
  /** The last of a run. */
  readonly untilAt: Instant;
  /** How many occurrences this stands for. */
  readonly count: number;
  /** Why it was skipped; null: it fired. */
  readonly reason: SkipReason | null;
  /** When it was decided. */
  readonly decidedAt: Instant;
  /** When its job starts and ends; null where it does not run. */
  readonly startAt: Instant | null;
  /** When its job ends. */
  readonly endAt: Instant | null;
  /** How its job ended early: the next one cancelled it, or it expired in its queue; null where it did not. */
  readonly fate: "cancelled" | "expired" | null;
}

/** The answer of {@link forecastSchedule}. */
export interface Forecast {
  /** How the occurrences end, in order. */
  readonly occurrences: ForecastOccurrence[];
  /** How many fire. */
  readonly fired: number;
  /** How many are skipped. */
  readonly skipped: number;
  /** State at the end. */
  readonly state: ScheduleState;
  /** When the first job after the end becomes available; null where nothing more fires. */
  readonly nextAt: Instant | null;
  /** Where the schedule stands at the end: the first occurrence without outcome; null where there is none. */
  readonly nextBoundaryAt: Instant | null;
  /** What may surprise, in sentences. */
  readonly warnings: string[];
  /** It stopped at `max` occurrences. */
  readonly more: boolean;
}

/** The parts of an engine that a forecast uses: tasks, the default zone, Temporal and the codec. */
export type ForecastContext = Partial<Pick<Engine, "tasks" | "timeZone" | "temporal" | "recurrence" | "codec">>;

const DOWNTIME_CHECKS: Checks<Downtime> = { from: anything, to: anything };
const EACH_DURATION = duration();
const FORECAST_CHECKS: Checks<ForecastOptions> = {
  // `readFrom` and `readUntil` check instants, in the schedule's zone.
  from: anything,
  to: anything,
  downtime: listOf(optionsOf(DOWNTIME_CHECKS)),
  durations: (value, name, of) => {
    if (typeof value !== "function") EACH_DURATION(value, name, of);
  },
  tickEvery: duration({ minMs: 1 }),
  max: whole(1, 1_000_000),
};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const MAX_STEPS = 500_000;

/**
 * Forecasts what a schedule would do.
 *
 * @param context the engine whose default zone and tasks are used; UTC and no tasks by default
 * @throws what `defineSchedule` throws
 *
 * @example
 * ```ts ignore
 * const { occurrences } = await forecastSchedule(
 *   { name: "nightly", expression: "30 2 * * *", task: "work", options: { timeZone: "Europe/Berlin" } },
 *   { from: "2026-03-27", to: "2026-03-31" },
 * );
 * ```
 */
export async function forecastSchedule(
  spec: ScheduleSpec,
  options: ForecastOptions,
  context: ForecastContext = {},
): Promise<Forecast> {
  checkOptions(spec, "a schedule", SPEC_CHECKS);
  checkOptions(options, "schedules.forecast", FORECAST_CHECKS);
  const { temporal, timeZone: zone = "UTC" } = context;
  const timeZone = spec.options?.timeZone ?? zone;
  const whens = { timeZone, temporal };
  const [from, to] = [readFrom(options.from, "from", whens), readUntil(options.to, "to", whens)];
  if (to < from) throw new BelfryError("OPTION_INVALID", 'Cannot forecast: "to" is before "from"; swap them');
  const { tickEvery } = options;
  const everyMs = tickEvery === undefined ? null : parseDuration(tickEvery, "tickEvery", { minMs: 1 });
  const definer = {
    tasks: new TaskRegistry(),
    codec: plainCodec,
    temporal,
    timeZone: zone,
    clock: new CorrectedClock({ ...systemClock, now: () => from }),
    ...context,
    ticks: { ms: everyMs },
  } as Engine;
  const defined = await defineSchedule(definer, { ...spec, createdAt: from });
  const { name, definition } = defined;
  const downtime = (options.downtime ?? []).map((gap, i) => ({
    from: readFrom(gap.from, `downtime[${i}].from`, whens),
    to: backAt(gap.to, `downtime[${i}].to`, whens),
  }));
  const run = new Run(
    name,
    rulesOf(definition, from, { temporal, recurrence: context.recurrence }),
    options.durations ?? 0,
    temporal,
  );
  const { max = 10_000 } = options;
  let state = { nextAt: run.rules.timing.next(from), fired: 0, lastAt: null as Instant | null };
  while (state.nextAt !== null && state.nextAt <= to && run.occurrences.length < max) {
    const now = tickAt(state.nextAt, downtime, everyMs ?? 1);
    if (now > to) break;
    const planner = new Planner(run.rules, { ...state, busy: run.busyAt(now) }, now);
    while (planner.due && run.occurrences.length < max) {
      const outcome = planner.decide(MAX_STEPS);
      run.add(outcome, now);
    }
    state = { nextAt: planner.at, fired: planner.fired, lastAt: planner.lastAt };
  }
  const skipped = run.occurrences.reduce((sum, { reason, count }) => (reason === null ? sum : sum + count), 0);
  return {
    occurrences: run.occurrences,
    fired: state.fired,
    skipped,
    state: state.nextAt === null ? "ended" : "active",
    nextAt: nextFire(name, run.rules, state, to)?.availableAt ?? null,
    nextBoundaryAt: state.nextAt,
    warnings: defined.warnings(null),
    more: run.occurrences.length >= max,
  };
}

/** The first instant after an outage: its end, or the instant after the day that was given as its end. */
function backAt(to: When, option: string, context: WhenContext): Instant {
  const until = readUntil(to, option, context);
  return until === readFrom(to, option, context) ? until : until + 1;
}

/** The first moment at which something ticks, at or after an instant. */
function tickAt(at: Instant, downtime: readonly { from: Instant; to: Instant }[], everyMs: number): Instant {
  let now = at;
  for (let moved = true; moved; ) {
    moved = false;
    now = Math.ceil(now / everyMs) * everyMs;
    for (const gap of downtime) {
      if (now >= gap.from && now < gap.to) {
        now = gap.to;
        moved = true;
      }
    }
  }
  return now;
}

class Run {
  readonly occurrences: Mutable<ForecastOccurrence>[] = [];
  readonly rules: ReadSchedule;
  readonly #name: string;
  readonly #durations: NonNullable<ForecastOptions["durations"]>;
  readonly #temporal: Engine["temporal"];
  /** Jobs that may still run, oldest first. */
  #running: Mutable<ForecastOccurrence>[] = [];

  constructor(
    name: string,
    rules: ReadSchedule,
    durations: NonNullable<ForecastOptions["durations"]>,
    temporal: Engine["temporal"],
  ) {
    this.#name = name;
    this.rules = rules;
    this.#durations = durations;
    this.#temporal = temporal;
  }

  /** Whether a job is unfinished. */
  busyAt(now: Instant): boolean {
    this.#running = this.#running.filter(({ endAt }) => endAt !== null && endAt > now);
    return this.#running.length > 0;
  }

  add(planned: { at: Instant; untilAt: Instant; count: number; reason: SkipReason | null }, decidedAt: Instant): void {
    const { definition } = this.rules;
    const local = writeLocal(planned.at, definition.timeZone, this.#temporal);
    const outcome: Mutable<ForecastOccurrence> = {
      ...planned,
      local,
      decidedAt,
      startAt: null,
      endAt: null,
      fate: null,
    };
    this.occurrences.push(outcome);
    if (planned.reason !== null) return;
    if (definition.overlap === "cancel" && this.busyAt(decidedAt)) {
      for (const job of this.#running)
        Object.assign(job, { endAt: Math.max(decidedAt, job.startAt!), fate: "cancelled" });
    }
    const availableAt = Math.max(decidedAt, planned.at + delayMs(this.#name, planned.at, definition));
    const behind = definition.overlap === "queue" ? Math.max(0, ...this.#running.map(({ endAt }) => endAt!)) : 0;
    const startAt = Math.max(availableAt, behind);
    if (definition.expiresInMs !== null && startAt >= planned.at + definition.expiresInMs) {
      outcome.fate = "expired";
      return;
    }
    const durations = this.#durations;
    const duration = typeof durations === "function" ? durations(new Date(planned.at)) : durations;
    outcome.startAt = startAt;
    outcome.endAt = startAt + parseDuration(duration, "durations");
    this.busyAt(decidedAt);
    this.#running.push(outcome);
  }
}
