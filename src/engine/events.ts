/**
 * Events of an engine: typed names and payloads, delivered synchronously to listeners in this process.
 *
 * Events serve metrics, logs and tests; the state itself is in the storage. An event is emitted after its write was
 * confirmed, so it is missing when the process dies in between. The error of a listener is reported and affects no other
 * listener. An event without listeners costs one look-up.
 */

import { BelfryError, nearest } from "../base/error.ts";
import { callback } from "../base/options.ts";
import type { JobRecord, SkipReason, StepKind } from "../storage/port.ts";
import type { Failure } from "../task/failure.ts";

/** The job of an event. */
export interface JobEvent {
  id: string;
  task: string;
  queue: string;
  /** The schedule that fired it; null: it was enqueued otherwise. */
  schedule: string | null;
  /** Its occurrence, epoch ms; null without schedule. */
  scheduledAt: number | null;
}

/** The run of a job by a worker. */
export interface JobRunEvent extends JobEvent {
  attempt: number;
  /** How often it was claimed: the fence of this run. */
  fence: number;
  /** JSON of its `JobOptions`. */
  options: string;
}

/** A step of a job. */
export interface StepEvent extends JobRunEvent {
  step: string;
  kind: StepKind;
  /** Tries of the step that are over. */
  tries: number;
  durationMs: number;
}

/** Names of events and their payloads. */
export interface EventMap {
  "job:enqueued": JobEvent & { availableAt: number };
  /** A worker calls the job's handler. `lateMs`: time since the job became available. */
  "job:started": JobRunEvent & { resumed: boolean; lateMs: number };
  "job:completed": JobRunEvent & { durationMs: number };
  /** The job failed for good. */
  "job:failed": JobRunEvent & { durationMs: number; error: Failure };
  /** An attempt failed; the next may begin at `availableAt`. */
  "job:retried": JobRunEvent & { durationMs: number; error: Failure; availableAt: number };
  "job:cancelled": { id: string };
  /** The job waits, without a claim. `until`: the nearest instant that wakes it, epoch ms; null: none. */
  "job:suspended": JobRunEvent & { durationMs: number; until: number | null };
  /** The worker gave the job back unfinished, because it shuts down. */
  "job:released": JobRunEvent & { durationMs: number };
  /** The worker lost the claim; nothing that the handler still does is saved. */
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

/** Every event; the compiler holds it complete. */
const NAMES: Readonly<Record<EventName, true>> = {
  "job:enqueued": true,
  "job:started": true,
  "job:completed": true,
  "job:failed": true,
  "job:retried": true,
  "job:cancelled": true,
  "job:suspended": true,
  "job:released": true,
  "job:lost": true,
  "step:completed": true,
  "step:failed": true,
  "step:retried": true,
  "signal:sent": true,
  "schedule:fired": true,
  "schedule:skipped": true,
  "schedule:paused": true,
  "schedule:ended": true,
  "schedule:broken": true,
  "lease:acquired": true,
  "lease:lost": true,
  "lease:resigned": true,
};

/** Names of all events. */
const EVENT_NAMES: readonly EventName[] = Object.keys(NAMES) as EventName[];

type Listener = (payload: never) => unknown;

/** Delivers events to their listeners. */
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
   * @throws BelfryError `OPTION_INVALID` where no event has this name, or the listener is no function
   * @returns a function that stops listening
   */
  on<Name extends EventName>(name: Name, listener: (payload: EventMap[Name]) => unknown): () => void {
    if (!Object.hasOwn(NAMES, name)) {
      const guess = nearest(String(name), EVENT_NAMES);
      throw new BelfryError(
        "OPTION_INVALID",
        `Cannot listen to ${JSON.stringify(name)}: no event has this name; ` +
          (guess === undefined ? `there are ${EVENT_NAMES.join(", ")}` : `did you mean ${guess}?`),
      );
    }
    callback(listener, "the listener", `on("${name}")`);
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

  /** Says whether an event has listeners; ask first where a payload is costly to make. */
  heard(name: EventName): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0;
  }

  /** Calls every listener; never throws. */
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

/** Makes the part of a payload that describes the run of a job. */
export function runEvent(job: JobRecord): JobRunEvent {
  const { id, task, queue, schedule, scheduledAt, claims, attempt, options } = job;
  return { id, task, queue, schedule, scheduledAt, attempt, fence: claims, options };
}
