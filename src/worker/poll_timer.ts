/**
 * When does a worker poll for jobs next?
 *
 * At once after a hint that jobs may be ready; at the instant at which the storage said that the next job can be claimed;
 * and otherwise at an interval: 100 ms after a claim that found jobs, doubling up to one second while claims find none.
 * A storage that no other process shares needs no polling: every job that it gets is announced in this process. After a
 * failure of the storage it waits for 200 ms, doubling up to ten seconds, whatever the hints.
 *
 * Pure: it reads no clock; every call gets the time.
 */

import type { Moment } from "../base/clock.ts";

/** What a claim found. */
export interface ClaimResult {
  /** How many jobs it claimed. */
  readonly found: number;
  /** There may be more: it claimed as many as it asked for. */
  readonly full: boolean;
  /** The instant at which the next job can be claimed, epoch ms; null: none is known. */
  readonly nextAt: number | null;
}

const FIRST_POLL_MS = 100;
const LONGEST_POLL_MS = 1_000;
/** After a failure of the storage. */
const FIRST_PENALTY_MS = 200;
const LONGEST_PENALTY_MS = 10_000;

/** Decides when one worker polls next. */
export class PollTimer {
  /** Whether other processes may add jobs. */
  readonly #polls: boolean;
  #pollMs = FIRST_POLL_MS;
  #penaltyMs = 0;
  /** Monotonic time of the next poll. */
  #dueMs = 0;
  #hinted = true;

  /** @param polls whether jobs may be added without notice, by other processes */
  constructor(polls: boolean) {
    this.#polls = polls;
  }

  /**
   * Returns how long to wait until the next poll, in ms; 0: poll now.
   *
   * @param urgent counts as a hint. @default false
   */
  waitMs(now: Moment, urgent = false): number {
    if ((this.#hinted || urgent) && this.#penaltyMs === 0) return 0;
    return Math.max(0, this.#dueMs - now.monotonic);
  }

  /** Whether the last claim failed. */
  get failing(): boolean {
    return this.#penaltyMs > 0;
  }

  /** Jobs may be ready. */
  hint(): void {
    this.#hinted = true;
  }

  /** A job can be claimed at this instant, epoch ms. */
  at(instant: number, now: Moment): void {
    this.#dueMs = Math.min(this.#dueMs, now.monotonic + Math.max(0, instant - now.wall));
  }

  /** A claim is sent: hints that follow concern the next one. */
  sent(): void {
    this.#hinted = false;
  }

  /** A claim was answered. */
  answered({ found, full, nextAt }: ClaimResult, now: Moment): void {
    this.#penaltyMs = 0;
    this.#pollMs = found > 0 ? FIRST_POLL_MS : Math.min(this.#pollMs * 2, LONGEST_POLL_MS);
    if (full) this.#hinted = true;
    this.#dueMs = this.#polls ? now.monotonic + this.#pollMs : Infinity;
    if (nextAt !== null) this.at(nextAt, now);
  }

  /** A claim failed. */
  failed(now: Moment): void {
    this.#penaltyMs = Math.min(Math.max(FIRST_PENALTY_MS, this.#penaltyMs * 2), LONGEST_PENALTY_MS);
    this.#dueMs = now.monotonic + this.#penaltyMs;
    this.#hinted = true;
  }
}
