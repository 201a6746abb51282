/**
 * Who is told when something was written? Listeners of this storage object, and through the driver those elsewhere.
 *
 * What this object writes itself wakes its listeners at once; what others write reaches it through the driver's one
 * connection or poller, which is started with the first listener and stopped with the last. Only a hint: a wake may be
 * lost or come for nothing.
 */
import type { Wake } from "../storage/port.ts";
import type { Driver } from "./driver.ts";

/** The listeners of one storage object. */
export class Wakes {
  readonly #driver: Driver;
  readonly #listeners = new Set<(wake: Wake) => void>();
  #stop: Promise<() => Promise<void>> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  /** Calls back from now on. @returns a function that stops it */
  async listen(onWake: (wake: Wake) => void): Promise<() => Promise<void>> {
    // Wrapped, so that one function may listen twice.
    const listener = (wake: Wake): void => onWake(wake);
    this.#listeners.add(listener);
    if (this.#driver.listen) {
      this.#stop ??= this.#driver.listen((wake) => this.wrote(wake));
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

  /** Tells listeners that something was written. */
  wrote(wake: Wake): void {
    for (const listener of [...this.#listeners]) listener(wake);
  }

  /** Stops listening elsewhere. */
  async close(): Promise<void> {
    this.#listeners.clear();
    const stop = this.#stop;
    this.#stop = undefined;
    if (stop) await (await stop.catch(() => undefined))?.();
  }
}
