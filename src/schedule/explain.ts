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
import { decisionOf, endsBefore } from "./upcoming.ts";
import { readSpan, type Span, type When } from "./when.ts";

/** All outcomes that {@link explainOccurrence} tells. */
export const OUTCOMES = ["fired", "skipped", "pending", "upcoming", "none", "unknown"] as const;

/**
 * How an occurrence ended, or where it is.
 *
 * - `fired`: it became a job (see its state); `skipped`: it did not, for a reason, or will not because it is excluded;
 *   `pending`: it is due and nothing has decided it yet; `upcoming`: it lies ahead and will fire.
 * - `none`: the schedule has no occurrence then; `unknown`: no such schedule, or its log no longer has it.
 */
export type Outcome = (typeof OUTCOMES)[number];

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
  /** The same in words. */
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
  const read = record === null ? null : readDefinition(record, engine.temporal);
  const rules = read instanceof Error ? null : read;
  const timeZone = rules?.definition.timeZone ?? engine.timeZone;
  const moment = readSpan(at, "the instant to explain", { timeZone, temporal: engine.temporal });
  const inquiry = new Inquiry(engine, name, record, rules, timeZone);
  return await inquiry.answer(moment, read instanceof Error ? read : null);
}

const SKIPPED: Record<SkipReason, string> = {
  overlap: "an earlier job of this schedule was unfinished",
  paused: 'the schedule was paused, and resumed with missed: "skip"',
  expired: "it was too late: more than expiresIn after it",
  "catch-up": "it was missed, and the catchUp policy drops it",
  ended: "the schedule had fired maxFires times",
  excluded: "it is excluded",
};

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
      previousAt: this.#availableAt(this.#neighbour(at, -1)),
      nextAt: this.#availableAt(this.#neighbour(at, 1)),
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
    const { outcome, reason = null, text } = this.#withoutRecord(at, exists, unreadable);
    const job = outcome === "none" || outcome === "unknown" ? await this.#job(null, at) : null;
    const more = job === null ? "" : ` It was backfilled: ${this.#describeJob(job)}`;
    const availableAt = outcome === "upcoming" || outcome === "pending" ? this.#availableAt(at) : null;
    return { ...facts, record: null, outcome, reason, job, availableAt, text: text + more };
  }

  /** The nearest occurrence before (-1) or after (1) that is not excluded. */
  #neighbour(at: Instant, direction: -1 | 1): Instant | null {
    if (this.#rules === null) return null;
    const { timing, excluded } = this.#rules;
    const step = (from: Instant): Instant | null => (direction === 1 ? timing.next(from) : timing.previous(from));
    for (let found = step(at); ; ) {
      const range = found === null ? null : (excluded?.at(found) ?? null);
      if (range === null) return found;
      found = step(direction === 1 ? range.to : range.from);
    }
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

  #withoutRecord(
    at: Instant,
    exists: boolean,
    unreadable: Error | null,
  ): { outcome: Outcome; reason?: SkipReason; text: string } {
    const name = `"${this.#name}"`;
    const record = this.#record;
    const rules = this.#rules;
    const now = this.#engine.clock.now();
    if (record === null) {
      return {
        outcome: "unknown",
        text: `No schedule is named ${name}: it was never registered, or was removed, and the log has nothing at ${this.#show(at)}.`,
      };
    }
    if (rules === null) {
      return {
        outcome: "unknown",
        text: `${name} is broken: ${unreadable?.message ?? record.note}. It fires nothing until it is registered anew.`,
      };
    }
    const { definition, timing } = rules;
    if (!exists) {
      return {
        outcome: "none",
        text: `That local time does not exist in ${this.#timeZone}: clocks went forward over it, to ${this.#show(at)}. ${this.#around(at)}`,
      };
    }
    if (definition.startAt !== null && at < definition.startAt) {
      return {
        outcome: "none",
        text: `${this.#show(at)} is before startAt of ${name}, ${this.#show(definition.startAt)}. ${this.#around(at)}`,
      };
    }
    if (definition.endAt !== null && at > definition.endAt) {
      return {
        outcome: "none",
        text: `${this.#show(at)} is after endAt of ${name}, ${this.#show(definition.endAt)}. ${this.#around(at)}`,
      };
    }
    if (!timing.has(at)) {
      return {
        outcome: "none",
        text: `${this.#show(at)} is no occurrence of ${name} ("${definition.expression}", ${this.#timeZone}). ${this.#around(at)}`,
      };
    }
    if (record.state === "ended") {
      return {
        outcome: "none",
        text: `${name} has ended: it fired ${record.fired} times, last at ${record.lastAt === null ? "no time" : this.#show(record.lastAt)}.`,
      };
    }
    if (at < record.createdAt && (record.nextAt === null || at < record.nextAt)) {
      return {
        outcome: "none",
        text: `${name} was registered only at ${this.#show(record.createdAt)}. Backfill runs what came before.`,
      };
    }
    if (record.nextAt !== null && at < record.nextAt) {
      return {
        outcome: "unknown",
        text: `${this.#show(at)} is decided, but the log no longer (or never) had it: it is older than what is kept, or the schedule's timing was another then.`,
      };
    }
    if (rules.excluded?.at(at)) {
      const will = at > now ? "will not run" : "does not run, and is recorded as skipped when something ticks";
      return {
        outcome: "skipped",
        reason: "excluded",
        text: `The occurrence of ${name} at ${this.#show(at)} is excluded: it ${will}. ${this.#around(at)}`,
      };
    }
    if (at > now) return this.#upcoming(at, record, rules, now);
    if (record.state === "paused") {
      return {
        outcome: "pending",
        text: `${name} is paused${this.#because(record)}, so the occurrence at ${this.#show(at)} has not fired; resume it with missed: "fire" to make up for it.`,
      };
    }
    const decision = decisionOf(rules, at, record, now);
    const then =
      decision === null
        ? rules.overlap === "skip"
          ? "The next tick fires it unless a job of the schedule is unfinished"
          : "The next tick fires it"
        : decision === undefined
          ? "The next ticks decide it by its policies"
          : `The next tick skips it: ${SKIPPED[decision]}`;
    return {
      outcome: "pending",
      text: `The occurrence of ${name} at ${this.#show(at)} is due and nothing has fired it for ${formatDuration(now - at)}: no process ticks, or the ticker is behind. ${then}.`,
    };
  }

  #upcoming(
    at: Instant,
    record: ScheduleRecord,
    rules: ReadSchedule,
    now: Instant,
  ): { outcome: Outcome; reason?: SkipReason; text: string } {
    if (endsBefore(rules, at, record, now)) {
      const ends = `will have fired maxFires (${rules.maxFires}) times before ${this.#show(at)}, so it will have ended`;
      return { outcome: "none", text: `"${this.#name}" ${ends}. It has fired ${record.fired} times so far.` };
    }
    const paused = record.state === "paused" ? `, but "${this.#name}" is paused${this.#because(record)}` : "";
    const availableAt = this.#availableAt(at)!;
    const jitter = availableAt > at ? ` Jitter makes its job available at ${this.#show(availableAt)}.` : "";
    return { outcome: "upcoming", text: `${this.#show(at)} lies ahead${paused}.${jitter}` };
  }

  #because({ note }: ScheduleRecord): string {
    return note === null ? "" : ` (${note})`;
  }

  #around(at: Instant): string {
    const [before, after] = [this.#neighbour(at, -1), this.#neighbour(at, 1)];
    const show = (instant: Instant | null, none: string): string => (instant === null ? none : this.#show(instant));
    return `The occurrence before is ${show(before, "none")}, the one after ${show(after, "none")}.`;
  }

  #show(at: Instant): string {
    return writeLocal(at, this.#timeZone, this.#engine.temporal);
  }
}
