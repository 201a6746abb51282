/**
 * Why did it not run at 09:00? Looks up the occurrence in the log, its job, the schedule and its calendar, and says in one
 * sentence how it ended or will end, with the facts beside it for programs.
 */

import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, JobRecord, OccurrenceRecord, ScheduleRecord, SkipReason } from "../storage/port.ts";
import { parseFailure } from "../task/failure.ts";
import { backfillKey } from "./backfill.ts";
import { type ReadSchedule, readDefinition } from "./definition.ts";
import { delayMs } from "./firing.ts";
import { writeLocal } from "./local_time.ts";
import { readSchedule } from "./store.ts";
import { neighbour } from "./upcoming.ts";
import { type Outcome, SKIPPED, verdictOf } from "./verdict.ts";
import { readSpan, type Span, type When } from "./when.ts";

/** The answer of {@link explainOccurrence}. */
export interface Explanation {
  /** The name that was asked about. */
  readonly schedule: string;
  /** The occurrence that was meant; where there is none, the instant that was asked about. */
  readonly at: Instant;
  /** How it ended, or where it is. */
  readonly outcome: Outcome;
  /** Why it was skipped; null where it was not. */
  readonly reason: SkipReason | null;
  /** Its job, where there is one and it is still stored; a backfilled one too. */
  readonly job: JobRecord | null;
  /** Its entry in the log. */
  readonly record: OccurrenceRecord | null;
  /** When its job became, or becomes, available: later than `at` where there is jitter. Null where it has, or gets, no job. */
  readonly availableAt: Instant | null;
  /** When the job of the nearest occurrence before becomes available, excluded ones left out; null where there is none. */
  readonly previousAt: Instant | null;
  /** The same of the nearest occurrence after. */
  readonly nextAt: Instant | null;
  /** All of it in words. */
  readonly text: string;
}

/**
 * Explains how an occurrence ended, or why there is none.
 *
 * @param at the occurrence, or the minute it lies in; text without offset is local time of the schedule's zone
 * @throws BelfryError `OPTION_INVALID` where `at` is no instant
 */
export async function explainOccurrence(engine: Engine, name: string, at: When): Promise<Explanation> {
  const record = await readSchedule(engine, name);
  const read = record === null ? null : readDefinition(record, engine);
  const rules = read instanceof Error ? null : read;
  const timeZone = rules?.definition.timeZone ?? engine.timeZone;
  const moment = readSpan(at, "the instant to explain", { timeZone, temporal: engine.temporal });
  const inquiry = new Inquiry(engine, name, record, rules, timeZone);
  return await inquiry.answer(moment, read instanceof Error ? read : null);
}

class Inquiry {
  readonly #engine: Engine;
  readonly #name: string;
  readonly #record: ScheduleRecord | null;
  readonly #rules: ReadSchedule | null;
  readonly #timeZone: string;

  constructor(
    engine: Engine,
    name: string,
    record: ScheduleRecord | null,
    rules: ReadSchedule | null,
    timeZone: string,
  ) {
    this.#engine = engine;
    this.#name = name;
    this.#record = record;
    this.#rules = rules;
    this.#timeZone = timeZone;
  }

  async answer({ from: asked, exists }: Span, unreadable: Error | null): Promise<Explanation> {
    const logged = await this.#lookUp(asked);
    const at = logged !== null && logged.at === logged.untilAt ? logged.at : this.#nearby(asked);
    const facts = {
      schedule: this.#name,
      at,
      record: logged,
      previousAt: this.#availableAt(this.#rules && neighbour(this.#rules, at, -1)),
      nextAt: this.#availableAt(this.#rules && neighbour(this.#rules, at, 1)),
    };
    if (logged !== null && (logged.at !== logged.untilAt ? this.#inRun(at) : true)) {
      const job = await this.#job(logged, at);
      const reason = logged.reason;
      return {
        ...facts,
        outcome: reason === null ? "fired" : "skipped",
        reason,
        job,
        availableAt: reason === null ? this.#availableAt(at) : null,
        text: this.#describe(logged, at, job),
      };
    }
    const {
      outcome,
      reason = null,
      text,
    } = verdictOf({
      name: this.#name,
      record: this.#record,
      read: this.#rules ?? unreadable,
      at,
      exists,
      now: this.#engine.clock.now(),
      show: (instant) => this.#show(instant),
    });
    const job = outcome === "none" || outcome === "unknown" ? await this.#job(null, at) : null;
    const more = job === null ? "" : ` It was backfilled: ${this.#describeJob(job)}`;
    const availableAt = outcome === "upcoming" || outcome === "pending" ? this.#availableAt(at) : null;
    return { ...facts, record: null, outcome, reason, job, availableAt, text: text + more };
  }

  /** When the job of an occurrence becomes available. */
  #availableAt(at: Instant | null): Instant | null {
    return at === null || this.#rules === null ? null : at + delayMs(this.#name, at, this.#rules.definition);
  }

  /** Finds the occurrence that is meant: a whole minute means the first occurrence in it. */
  #nearby(asked: Instant): Instant {
    const timing = this.#rules?.timing;
    if (timing === undefined || timing.has(asked)) return asked;
    const next = timing.next(asked);
    if (next !== null && asked % 60_000 === 0 && next < asked + 60_000) return next;
    // What is reported as next includes jitter, and is asked about as such.
    const before = timing.previous(asked);
    return before !== null && this.#availableAt(before) === asked ? before : asked;
  }

  /** Whether an instant inside a run of skipped occurrences is one of them, as far as the calendar is known. */
  #inRun(at: Instant): boolean {
    return this.#rules === null || this.#rules.timing.has(at);
  }

  async #lookUp(asked: Instant): Promise<OccurrenceRecord | null> {
    const { storage } = this.#engine;
    const at = this.#nearby(asked);
    const [exact] = await storage.listOccurrences({ schedule: this.#name, from: at, to: at, limit: 1 });
    if (exact !== undefined || asked % 60_000 !== 0) return exact ?? null;
    // The schedule may have had another timing then.
    const range = { from: asked, to: asked + 59_999 };
    const [within] = await storage.listOccurrences({ schedule: this.#name, ...range, limit: 1 });
    return within ?? null;
  }

  async #job(logged: OccurrenceRecord | null, at: Instant): Promise<JobRecord | null> {
    const { storage } = this.#engine;
    if (logged !== null && logged.jobId !== null) return await storage.getJob({ id: logged.jobId });
    const key = backfillKey(this.#name, at);
    const [job] = await storage.listJobs({ schedule: this.#name, key, limit: 1 });
    return job ?? null;
  }

  #describe(logged: OccurrenceRecord, at: Instant, job: JobRecord | null): string {
    const occurrence = `The occurrence of "${this.#name}" at ${this.#show(at)}`;
    const lateMs = logged.recordedAt - logged.untilAt;
    if (logged.reason === null) {
      const late = lateMs > 1_000 ? `, ${formatDuration(Math.round(lateMs / 1000) * 1000)} late` : "";
      const end = job === null ? "Its job is no longer stored." : this.#describeJob(job);
      return `${occurrence} fired${late}. ${end}`;
    }
    const many =
      logged.count > 1
        ? `, with ${logged.count - 1} others from ${this.#show(logged.at)} to ${this.#show(logged.untilAt)}`
        : "";
    const end = job === null ? "" : ` It was backfilled: ${this.#describeJob(job)}`;
    return `${occurrence} was skipped${many}: ${SKIPPED[logged.reason]}. Decided at ${this.#show(logged.recordedAt)}.${end}`;
  }

  #describeJob(job: JobRecord): string {
    const { id, state, attempt } = job;
    const since = (from: Instant | null, to: Instant | null): string =>
      from === null || to === null ? "" : ` after ${formatDuration(Math.max(0, to - from))}`;
    switch (state) {
      case "completed":
        return `Job ${id} completed${since(job.startedAt, job.finishedAt)}.`;
      case "failed":
        return `Job ${id} failed at attempt ${attempt}: ${job.error === null ? "no error is known" : parseFailure(job.error).message}.`;
      case "expired":
        return `Job ${id} expired before a worker claimed it.`;
      case "cancelled":
        return `Job ${id} was cancelled.`;
      case "running":
        return `Job ${id} is running at ${job.worker ?? "a worker"}, attempt ${attempt}.`;
      case "waiting":
        return `Job ${id} waits for a signal or a child.`;
      case "ready":
        return job.held
          ? `Job ${id} is held back by its limit (${job.limitKey}).`
          : `Job ${id} waits in queue "${job.queue}" for a worker that knows task "${job.task}".`;
    }
  }

  #show(at: Instant): string {
    return writeLocal(at, this.#timeZone, this.#engine.temporal);
  }
}
