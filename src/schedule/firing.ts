/**
 * How do planned outcomes become rows? A job for each occurrence that fires, a log entry for each outcome, one `Firing` per
 * schedule.
 */
import { hashed } from "../cron/hash.ts";
import type { Engine } from "../engine/engine.ts";
import type { Firing, Instant, JobLimit, NewJob, OccurrenceRecord, ScheduleRecord } from "../storage/port.ts";
import type { JobOptions } from "../task/options.ts";
import type { ScheduleDefinition } from "./definition.ts";
import { merge, type PlannedOutcome, type Planner } from "./planner.ts";

/** Keeps the hashes of jitter apart from those of `H`. */
const JITTER = 11;

/**
 * Tells how long after its occurrence a job becomes available, ms: at least 0, less than `jitterMs`.
 *
 * A hash of the schedule's name and the occurrence, so every host computes the same delay. Schedules that share an
 * expression are spread over the range, and so are the occurrences of one schedule.
 */
export function delayMs(name: string, at: Instant, { jitterMs }: ScheduleDefinition): number {
  return jitterMs === 0 ? 0 : hashed(`${name}@${at}`, JITTER, jitterMs);
}

/** Writes the options that the worker reads from a job. */
export function jobOptions({ retry, timeoutMs, tags }: ScheduleDefinition): string {
  const options: JobOptions = {};
  if (retry !== null) options.retry = retry;
  if (timeoutMs !== null) options.timeoutMs = timeoutMs;
  if (tags.length > 0) options.tags = [...tags];
  return JSON.stringify(options);
}

/** Tells which limit a schedule's jobs count against; null: none. */
export function jobLimit(name: string, { overlap, rate, task }: ScheduleDefinition): JobLimit | null {
  if (overlap === "queue") return { key: `schedule:${name}`, concurrency: 1, rate: null };
  return rate === null ? null : { key: `task:${task}`, concurrency: null, rate: { ...rate } };
}

/** Makes the job of an occurrence. @param context `options`: as {@link jobOptions} wrote them */
export function occurrenceJob(
  name: string,
  definition: ScheduleDefinition,
  { id, at, options }: { id: string; at: Instant; options: string },
): NewJob {
  const { task, queue, priority, input, expiresInMs } = definition;
  return {
    id,
    task,
    queue,
    priority,
    availableAt: at + delayMs(name, at, definition),
    expiresAt: expiresInMs === null ? null : at + expiresInMs,
    key: null,
    input,
    options,
    schedule: name,
    scheduledAt: at,
    parentId: null,
    limit: jobLimit(name, definition),
  };
}

/** Collects the decisions of a planner for one schedule. */
export class FiringDraft {
  readonly jobs: NewJob[] = [];
  readonly #outcomes: (PlannedOutcome & { jobId: string | null })[] = [];
  readonly #options: string;
  readonly #name: string;
  readonly #definition: ScheduleDefinition;

  constructor(name: string, definition: ScheduleDefinition) {
    this.#name = name;
    this.#definition = definition;
    this.#options = jobOptions(definition);
  }

  /** Approximate bytes that one job of this schedule takes in a batch. */
  get jobBytes(): number {
    return this.#definition.input.length + this.#options.length + 2 * this.#name.length + 400;
  }

  /** Adds a decision, and the job of one that fires. */
  add(outcome: PlannedOutcome, engine: Engine, now: Instant): void {
    if (outcome.reason !== null) {
      merge(this.#outcomes, { ...outcome, jobId: null } as PlannedOutcome);
      return;
    }
    const id = engine.ids.id(now);
    this.jobs.push(occurrenceJob(this.#name, this.#definition, { id, at: outcome.at, options: this.#options }));
    this.#outcomes.push({ ...outcome, jobId: id });
  }

  /** The log entries of all decisions so far. */
  occurrences(now: Instant): OccurrenceRecord[] {
    return this.#outcomes.map(({ at, untilAt, count, reason, jobId = null }) => ({
      schedule: this.#name,
      at,
      untilAt,
      count,
      jobId,
      reason,
      recordedAt: now,
    }));
  }

  /** Makes the firing that moves the schedule on to where its planner stands. */
  firing(record: ScheduleRecord, planner: Planner, now: Instant): Firing {
    return {
      name: record.name,
      revision: record.revision,
      state: planner.state,
      nextAt: planner.at,
      fired: planner.fired,
      // While more is due the decision is not over: a batch that only counted a part of a long outage is no sign.
      skips: this.jobs.length > 0 ? 0 : record.skips + (planner.due ? 0 : 1),
      lastAt: planner.lastAt,
      note: null,
      cancelUnfinished: planner.cancels,
      jobs: this.jobs,
      occurrences: this.occurrences(now),
    };
  }
}
