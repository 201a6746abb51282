/**
 * When may a run take its next action? When the user's code is quiet: one turn of the event loop after something moved it,
 * in which every promise that can settle by itself does.
 *
 * So the code sees one result after the other, in the same order in every run, and concurrent branches cannot get at each
 * other's results.
 */
import type { Clock } from "../base/clock.ts";

/** Calls back each time the code has become quiet. */
export class Pump {
  readonly #clock: Clock;
  readonly #onQuiet: () => void;
  #quiet = false;
  #planned = false;

  /** @param onQuiet called when the code is quiet */
  constructor(clock: Clock, onQuiet: () => void) {
    this.#clock = clock;
    this.#onQuiet = onQuiet;
  }

  /** Calls back when the code is quiet next; any number of calls before that make one. */
  plan(): void {
    if (this.#planned) return;
    this.#planned = true;
    this.#clock.turn().then(() => {
      this.#planned = false;
      this.#quiet = true;
      this.#onQuiet();
    });
  }

  /** The code was given something or made a call: it is quiet again after a turn. */
  moved(): void {
    this.#quiet = false;
    this.plan();
  }

  /** Calls back in a moment where the code is quiet already; otherwise when it is. */
  soon(): void {
    if (!this.#quiet || this.#planned) {
      this.plan();
      return;
    }
    queueMicrotask(() => {
      if (this.#quiet && !this.#planned) this.#onQuiet();
    });
  }
}
