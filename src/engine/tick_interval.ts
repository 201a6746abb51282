/**
 * How often does this process tick? Measured between the last ticks, so that registering can warn of a policy that the
 * ticks are too rare for. Only while this process leads, one tick at a time: a running loop ticks when something is due,
 * and where another process leads, its ticks count.
 */

/** How many intervals are remembered. */
const REMEMBERED = 5;
/** One pause between two ticks says nothing. */
const ENOUGH = 2;

/** Measures the time between ticks. */
export class TickInterval {
  #lastMs: number | null = null;
  #intervals: number[] = [];

  /** The shortest of the last intervals, ms; null where it is not known. */
  get ms(): number | null {
    return this.#intervals.length < ENOUGH ? null : Math.min(...this.#intervals);
  }

  /** Notes a tick of the leader. @param monotonicMs when */
  observe(monotonicMs: number): void {
    if (this.#lastMs !== null) this.#intervals = [...this.#intervals, monotonicMs - this.#lastMs].slice(-REMEMBERED);
    this.#lastMs = monotonicMs;
  }

  /** Forgets what was measured: a loop ticks now, or another process leads. */
  forget(): void {
    this.#lastMs = null;
    this.#intervals = [];
  }
}
