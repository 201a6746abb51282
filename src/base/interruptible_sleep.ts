/**
 * A sleep that ends by time, by a call of `wake()`, or by an abort, whichever comes first.
 *
 * `delay` of the clock ends by time or abort. Where something wakes a sleeper thousands of times a second, an
 * `AbortController` for every sleep, and the error that each abort makes, would be most of the cost.
 */
import type { Clock, Timer } from "./clock.ts";

/** A place to sleep, for any number of sleepers. */
export class InterruptibleSleep {
  readonly #clock: Clock;
  readonly #sleepers = new Set<() => void>();

  /** @param clock the engine's clock */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends every sleep that has begun; does nothing when there is none. */
  wake(): void {
    for (const end of this.#sleepers) end();
  }

  /**
   * Sleeps.
   *
   * @param ms how long at most; 0 and less: not at all; `Infinity`: until woken or aborted
   * @param signal ends the sleep when aborted
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const end = (): void => {
        this.#sleepers.delete(end);
        timer?.cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      this.#sleepers.add(end);
      if (ms !== Number.POSITIVE_INFINITY) timer = this.#clock.setTimer(ms, end);
      signal?.addEventListener("abort", end);
    });
  }
}
