/**
 * How jobs end, and who in this process waits to hear of it.
 *
 * One table of waiters for each engine, by job id: a result that is made here arrives without asking the storage.
 */

import type { JobState } from "../storage/port.ts";

/** How a job ended, as it is stored. */
export interface Ending {
  state: JobState;
  result: string | null;
  error: string | null;
}

/** How many ends are kept for who asks a moment later, and how large a result may be for that. */
const MAX_RECENT = 500;
const MAX_RECENT_LENGTH = 4_000;

/** Waiters of one engine, by job. */
export class Endings {
  readonly #waiting = new Map<string, Set<(ending: Ending) => void>>();
  /** Ends that nobody waited for yet, the newest few: who enqueued a job may ask for its result a moment later. */
  readonly #recent = new Map<string, Ending>();

  /** Jobs that run in this process now: nobody needs to ask the storage how they end. */
  readonly active = new Set<string>();

  /** The end of a job that ended in this process a moment ago, where it is still known. */
  recent(id: string): Ending | undefined {
    return this.#recent.get(id);
  }

  /**
   * Asks to be called when a job ends in this process.
   *
   * @returns a function that takes the question back
   */
  await(id: string, waiter: (ending: Ending) => void): () => void {
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

  /** Calls those who wait for the end of a job. */
  announce(id: string, ending: Ending): void {
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
