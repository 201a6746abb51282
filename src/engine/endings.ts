/**
 * How jobs end, and who in this process waits to hear of it.
 *
 * One table of waiters for each engine, by job id: a result that is made here arrives without asking the storage.
 */

import { BelfryError } from "../base/error.ts";
import type { JobState } from "../storage/port.ts";
import { type Failure, fromFailure, parseFailure } from "../task/failure.ts";
import type { Engine } from "./engine.ts";

/** How a job ended, as it is stored. */
export interface Ending {
  state: JobState;
  result: string | null;
  error: string | null;
}

/** How many ends are kept for who asks a moment later, and how large a result may be for that. */
const MAX_RECENT = 500;
const MAX_RECENT_LENGTH = 4_000;

/** Who waits for which job, in one engine. */
class Waiters {
  readonly #waiting = new Map<string, Set<(ending: Ending) => void>>();
  /** Ends that nobody waited for yet, the newest few: who enqueued a job may ask for its result a moment later. */
  readonly #recent = new Map<string, Ending>();

  /** Jobs that run in this process now: nobody needs to ask the storage how they end. */
  readonly active = new Set<string>();

  /** The end of a job that ended here a moment ago. */
  recent(id: string): Ending | undefined {
    return this.#recent.get(id);
  }

  add(id: string, waiter: (ending: Ending) => void): () => void {
    let waiters = this.#waiting.get(id);
    if (!waiters) {
      waiters = new Set();
      this.#waiting.set(id, waiters);
    }
    waiters.add(waiter);
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0 && this.#waiting.get(id) === waiters) this.#waiting.delete(id);
    };
  }

  tell(id: string, ending: Ending): void {
    const waiters = this.#waiting.get(id);
    if (!waiters) {
      if ((ending.result?.length ?? 0) > MAX_RECENT_LENGTH) return;
      this.#recent.set(id, ending);
      if (this.#recent.size > MAX_RECENT)
        for (const oldest of this.#recent.keys()) return void this.#recent.delete(oldest);
      return;
    }
    this.#waiting.delete(id);
    for (const waiter of waiters) waiter(ending);
  }
}

const engines = new WeakMap<Engine, Waiters>();

function waitersOf(engine: Engine): Waiters {
  let waiters = engines.get(engine);
  if (!waiters) {
    waiters = new Waiters();
    engines.set(engine, waiters);
  }
  return waiters;
}

/**
 * Asks to be told when a job ends in this process.
 *
 * @returns a function that takes the question back
 */
export function onEnding(engine: Engine, id: string, waiter: (ending: Ending) => void): () => void {
  return waitersOf(engine).add(id, waiter);
}

/** The end of a job that ended in this process a moment ago, where it is still known. */
export function recentEnding(engine: Engine, id: string): Ending | undefined {
  return waitersOf(engine).recent(id);
}

/** Notes whether a job runs in this process. */
export function markActive(engine: Engine, id: string, active: boolean): void {
  const waiters = waitersOf(engine);
  if (active) waiters.active.add(id);
  else waiters.active.delete(id);
}

/** Whether a job runs in this process, so that its end will be told here. */
export function isActive(engine: Engine, id: string): boolean {
  return waitersOf(engine).active.has(id);
}

/** Tells those who wait in this process that a job is over. */
export function announceEnding(engine: Engine, id: string, ending: Ending): void {
  waitersOf(engine).tell(id, ending);
}

/** Whether a job of this state is over. */
export function isOver(state: JobState): state is "completed" | "failed" | "cancelled" | "expired" {
  return state === "completed" || state === "failed" || state === "cancelled" || state === "expired";
}

/** The error that stands for a job's bad end, with the job's own as its cause. */
export function endingError(id: string, state: JobState, error: string | null): BelfryError {
  const failure: Failure | null = error === null ? null : parseFailure(error);
  const code = state === "cancelled" ? "JOB_CANCELLED" : state === "expired" ? "JOB_EXPIRED" : "JOB_FAILED";
  const options = failure ? { cause: fromFailure(failure) } : undefined;
  return new BelfryError(code, `Job ${id} ${state}${failure ? `: ${failure.message}` : ""}`, options);
}
