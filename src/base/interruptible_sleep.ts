/**
 * A sleep that ends by time, by a call of `wake()`, or by an abort, whichever comes first.
 *
 * `delay` of the clock ends by time or abort; where something wakes a waiter thousands of times a second, an
 * `AbortController` (and the error that each abort makes) for every wait is most of the cost.
 */
import type { Clock, Timer } from "./clock.ts";

/** One waiter that sleeps again and again. */
export class InterruptibleSleep {
  readonly #clock: Clock;
  #end: (() => void) | undefined;

  /** @param clock the engine's */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the current sleep; does nothing when there is none. */
  wake(): void {
    this.#end?.();
  }

  /**
   * Sleeps.
   *
   * @param ms how long at most; `Infinity`: without limit
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const end = (): void => {
        if (this.#end === end) this.#end = undefined;
        timer?.cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      this.#end = end;
      if (ms !== Number.POSITIVE_INFINITY) timer = this.#clock.setTimer(ms, end);
      signal?.addEventListener("abort", end);
    });
  }
}
