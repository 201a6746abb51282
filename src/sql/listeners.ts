/**
 * How do listeners learn of changes? Those of this storage object are called at once for what it writes itself; for
 * what others write the driver has a connection or a poller, which starts with the first listener and stops with the
 * last.
 *
 * A call is only a hint: one may be lost, or come although nothing changed that matters.
 */
import type { Wake } from "../storage/port.ts";
import type { Driver } from "./driver.ts";

/** The listeners of one storage object. */
export class Listeners {
  readonly #driver: Driver;
  readonly #listeners = new Set<(wake: Wake) => void>();
  #stop: Promise<() => Promise<void>> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** Adds a listener. @returns a function that removes it */
  async listen(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    // Wrapped, so that one function may listen twice.
    const listener = (wake: Wake): void => onWake(wake);
    this.#listeners.add(listener);
    if (this.#driver.listen) {
      this.#stop ??= this.#driver.listen((wake) => this.notify(wake));
      try {
        await this.#stop;
      } catch (error) {
        this.#stop = undefined;
        this.#listeners.delete(listener);
        throw error;
      }
    }
    return async () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) await this.close();
    };
  }

  /** Calls the listeners. */
  notify(wake: Wake): void {
    for (const listener of [...this.#listeners]) listener(wake);
  }

  /** Removes all listeners, and stops listening to others. */
  async close(): Promise<void> {
    this.#listeners.clear();
    const stop = this.#stop;
    this.#stop = undefined;
    if (stop) await (await stop.catch(() => undefined))?.();
  }
}
