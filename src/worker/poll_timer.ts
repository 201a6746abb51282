/**
 * When a worker asks for jobs again.
 *
 * It asks at once after a hint (somebody says that jobs came, a slot became free while more were there), at the instant
 * the storage named, and otherwise now and then: every 100 ms after it found work, more and more rarely, up to once a
 * second, while it finds none. A storage that no other process shares tells all there is to tell, so nobody asks it for
 * nothing.
 */
import type { Clock } from "../base/clock.ts";

const FIRST_POLL_MS = 100;
const LAST_POLL_MS = 1_000;
/** After the storage failed. */
const FIRST_PENALTY_MS = 200;
const LAST_PENALTY_MS = 10_000;

/** The pace of one worker's claims. */
export class PollTimer {
  readonly #clock: Clock;
  #pollMs = FIRST_POLL_MS;
  #penaltyMs = 0;
  /** Monotonic time at which to ask next. */
  #dueMs = 0;
  #hinted = true;

  /** Jobs may come unheard, from other processes. */
  readonly #polls: boolean;

  /**
   * @param clock the engine's
   * @param polls whether jobs may come unheard
   */
  constructor(clock: Clock, polls: boolean) {
    this.#clock = clock;
    this.#polls = polls;
  }

  /** How long until the next claim, in ms; 0: now. */
  get waitMs(): number {
    if (this.#hinted && this.#penaltyMs === 0) return 0;
    return Math.max(0, this.#dueMs - this.#clock.monotonic());
  }

  /** Whether the storage failed when it was last asked. */
  get failing(): boolean {
    return this.#penaltyMs > 0;
  }

  /** Somebody says that there may be jobs. */
  hint(): void {
    this.#hinted = true;
  }

  /** A claim is sent: hints from here on concern the next. */
  asking(): void {
    this.#hinted = false;
  }

  /**
   * A claim was answered.
   *
   * @param found how many jobs came
   * @param full as many came as were asked for, so there may be more
   * @param nextAt the instant the storage named, epoch ms
   */
  answered(found: number, full: boolean, nextAt: number | null): void {
    this.#penaltyMs = 0;
    this.#pollMs = found > 0 ? FIRST_POLL_MS : Math.min(this.#pollMs * 2, LAST_POLL_MS);
    if (full) this.#hinted = true;
    this.#dueMs = this.#polls ? this.#clock.monotonic() + this.#pollMs : Infinity;
    if (nextAt !== null) this.at(nextAt);
  }

  /** A job can be claimed at this instant, epoch ms. */
  at(instant: number): void {
    const inMs = Math.max(0, instant - this.#clock.now());
    this.#dueMs = Math.min(this.#dueMs, this.#clock.monotonic() + inMs);
  }

  /** The storage failed. */
  failed(): void {
    this.#penaltyMs = Math.min(Math.max(FIRST_PENALTY_MS, this.#penaltyMs * 2), LAST_PENALTY_MS);
    this.#dueMs = this.#clock.monotonic() + this.#penaltyMs;
    this.#hinted = true;
  }
}
