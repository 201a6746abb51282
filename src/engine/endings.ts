/**
 * How do jobs of this process end? A table of listeners by job id, so that a result made in this process reaches a waiting
 * caller without a read of the storage.
 *
 * Only endings of this process are announced here; what other processes settle must be read from the storage.
 */

import type { JobState } from "../storage/port.ts";

/** How a job ended, as it is stored. */
export interface Ending {
  state: JobState;
  /** Encoded output of a completed job; null: it did not complete. */
  result: string | null;
  /** JSON of the error of a job that did not complete; null: none. */
  error: string | null;
}

/** How many endings are kept for callers that ask a moment later, and the longest result that is kept. */
const MAX_RECENT = 500;
const MAX_RECENT_LENGTH = 4_000;

/** The endings of one engine's jobs. */
export class Endings {
  readonly #listeners = new Map<string, Set<(ending: Ending) => void>>();
  /** The newest endings that had no listener: the caller that enqueued the job may ask for its result a moment later. */
  readonly #recent = new Map<string, Ending>();
  readonly #running = new Set<string>();

  /** Notes that a worker of this process runs a job: its ending will be announced here. */
  started(id: string): void {
    this.#running.add(id);
  }

  /** Notes that the run is over, with the job or with its next wait. */
  stopped(id: string): void {
    this.#running.delete(id);
  }

  /** Says whether the job runs in this process now, so that its ending need not be read from the storage. */
  runsHere(id: string): boolean {
    return this.#running.has(id);
  }

  /** Returns the ending of a job that ended in this process a moment ago; undefined: not known, or not known any more. */
  recent(id: string): Ending | undefined {
    return this.#recent.get(id);
  }

  /**
   * Calls back when the job ends in this process, once.
   *
   * @returns a function that stops listening
   */
  listen(id: string, listener: (ending: Ending) => void): () => void {
    let listeners = this.#listeners.get(id);
    if (!listeners) {
      listeners = new Set();
      this.#listeners.set(id, listeners);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  /** Announces that a job has ended, after that was stored. */
  announce(id: string, ending: Ending): void {
    const listeners = this.#listeners.get(id);
    if (!listeners) {
      this.#keep(id, ending);
      return;
    }
    this.#listeners.delete(id);
    for (const listener of listeners) listener(ending);
  }

  #keep(id: string, ending: Ending): void {
    if ((ending.result?.length ?? 0) > MAX_RECENT_LENGTH) return;
    this.#recent.set(id, ending);
    if (this.#recent.size <= MAX_RECENT) return;
    for (const oldest of this.#recent.keys()) {
      this.#recent.delete(oldest);
      return;
    }
  }
}
