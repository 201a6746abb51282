/**
 * What happens, for those who listen: typed names and payloads, delivered at once, in this process only.
 *
 * Events are hints for metrics, logs and tests, never the truth, which is in the storage: an event is emitted after its
 * write was confirmed, and the process may die in between. A listener that throws or rejects is reported and harms
 * nobody else. Without listeners an event costs one look-up.
 */

import type { JobRecord, SkipReason, StepKind } from "../storage/port.ts";
import type { Failure } from "../task/failure.ts";

/** Which job an event speaks of. */
export interface JobEvent {
  id: string;
  task: string;
  queue: string;
  /** The schedule that made it; null for others. */
  schedule: string | null;
  /** Its occurrence, epoch ms; null without schedule. */
  scheduledAt: number | null;
}

/** A job at a worker. */
export interface JobRunEvent extends JobEvent {
  attempt: number;
  /** How often it was claimed: the fence of this run. */
  fence: number;
  /** JSON of what it brought with it: see `JobOptions`. */
  options: string;
}

/** Which step of which job. */
export interface StepEvent extends JobRunEvent {
  step: string;
  kind: StepKind;
  /** Tries of the step that are over. */
  tries: number;
  durationMs: number;
}

/** Names of events and what they carry. */
export interface EventMap {
  "job:enqueued": JobEvent & { availableAt: number };
  /** A worker begins or resumes it. `lateMs`: since it became available. */
  "job:started": JobRunEvent & { resumed: boolean; lateMs: number };
  "job:completed": JobRunEvent & { durationMs: number };
  /** Failed for good. */
  "job:failed": JobRunEvent & { durationMs: number; error: Failure };
  /** An attempt failed; the next may begin at `availableAt`. */
  "job:retried": JobRunEvent & { durationMs: number; error: Failure; availableAt: number };
  "job:cancelled": { id: string };
  /** It waits, and holds nothing. `until`: the nearest instant that wakes it; null: none. */
  "job:suspended": JobRunEvent & { durationMs: number; until: number | null };
  /** The worker gave it back unfinished (shutdown). */
  "job:released": JobRunEvent & { durationMs: number };
  /** The worker no longer holds it; nothing of what it still does is saved. */
  "job:lost": JobRunEvent & { durationMs: number };
  "step:completed": StepEvent;
  "step:failed": StepEvent & { error: Failure };
  /** A try of a step failed and will be repeated. */
  "step:retried": StepEvent & { error: Failure; delayMs: number };
  "signal:sent": { id: string; signal: string; key: string };
  "schedule:fired": { schedule: string; at: number; jobId: string; lateMs: number };
  "schedule:skipped": { schedule: string; at: number; untilAt: number; count: number; reason: SkipReason };
  "schedule:paused": { schedule: string; note: string | null };
  "schedule:ended": { schedule: string };
  "schedule:broken": { schedule: string; note: string };
  "lease:acquired": { holder: string; token: number };
  "lease:lost": { holder: string; token: number };
  "lease:resigned": { holder: string; token: number };
}

/** A name of an event. */
export type EventName = keyof EventMap;

type Listener = (payload: never) => unknown;

/** Takes events to their listeners. */
export class EventSink {
  readonly #listeners = new Map<EventName, Set<Listener>>();
  readonly #report: (error: unknown, during: string) => void;

  /** @param report where the error of a listener goes */
  constructor(report: (error: unknown, during: string) => void) {
    this.#report = report;
  }

  /**
   * Listens to an event.
   *
   * @returns a function that stops listening
   */
  on<Name extends EventName>(name: Name, listener: (payload: EventMap[Name]) => unknown): () => void {
    let listeners = this.#listeners.get(name);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(name, listeners);
    }
    // One entry for each call, so that adding a function twice and removing it once leaves one.
    const entry: Listener = (payload) => listener(payload);
    listeners.add(entry);
    return () => void listeners.delete(entry);
  }

  /** Whether anybody listens, for payloads that cost something to make. */
  heard(name: EventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** Tells every listener; never throws. */
  emit<Name extends EventName>(name: Name, payload: EventMap[Name]): void {
    const listeners = this.#listeners.get(name);
    if (!listeners || listeners.size === 0) return;
    for (const listener of [...listeners]) {
      try {
        const answer = listener(payload as never);
        if (answer instanceof Promise) answer.catch((error) => this.#report(error, `a listener of ${name}`));
      } catch (error) {
        this.#report(error, `a listener of ${name}`);
      }
    }
  }
}

/** What events say of a claimed job. */
export function runEvent(job: JobRecord): JobRunEvent {
  const { id, task, queue, schedule, scheduledAt, claims, attempt, options } = job;
  return { id, task, queue, schedule, scheduledAt, attempt, fence: claims, options };
}
