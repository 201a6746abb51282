/**
 * Keeps track of outages of the storage, and limits what is reported about them.
 *
 * Several loops retry for as long as an outage lasts, so a report of each failed try would flood the log. Reported are the
 * first error of an outage, one error a minute while it lasts, and that the storage answers again.
 */
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { Logger } from "../base/log.ts";

/** Between two reports of one outage. */
const REMIND_MS = 60_000;

/** Codes of errors that mean that the storage did not answer, or cannot be used at the moment. */
const NO_ANSWER = new Set(["STORAGE_UNAVAILABLE", "STORAGE_BUSY"]);

/** Whether the storage of one engine answers. */
export class Outage {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #name: string;
  readonly #report: (error: unknown, during: string) => void;
  #sinceMs: number | undefined;
  #remindAtMs = 0;
  #unreported = 0;

  /**
   * @param parts `name`: the storage's, for messages; `report`: takes errors that no caller can receive
   */
  constructor(parts: {
    clock: Clock;
    logger: Logger;
    name: string;
    report: (error: unknown, during: string) => void;
  }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
    this.#name = parts.name;
    this.#report = parts.report;
  }

  /** Returns for how long no call has been answered, ms; null: the storage answers. */
  get lastsMs(): number | null {
    return this.#sinceMs === undefined ? null : this.#clock.monotonic() - this.#sinceMs;
  }

  /** Notes that a send of a call was given up, and reports it: the call itself may still be answered at its next send. */
  expired(call: string, timeoutMs: number): void {
    this.#sinceMs ??= this.#clock.monotonic() - timeoutMs;
    this.report(
      new BelfryError(
        "STORAGE_UNAVAILABLE",
        `The storage ${this.#name} did not answer within ${formatDuration(timeoutMs)} (${call}): it is asked again over ` +
          "another connection",
      ),
      "waiting for the storage",
    );
  }

  /** Notes that a call failed. */
  failed(error: unknown): void {
    if (error instanceof BelfryError && NO_ANSWER.has(error.code)) this.#sinceMs ??= this.#clock.monotonic();
  }

  /** Notes that a call was answered. */
  answered(): void {
    if (this.#sinceMs === undefined) return;
    const forMs = Math.round(this.#clock.monotonic() - this.#sinceMs);
    this.#sinceMs = undefined;
    // A failed call that was retried before anything was reported needs no report of its end.
    if (this.#remindAtMs === 0) return;
    const unreported = this.#unreported;
    this.#remindAtMs = 0;
    this.#unreported = 0;
    this.#logger.warn(`The storage ${this.#name} answers again after ${formatDuration(forMs)}`, { forMs, unreported });
  }

  /** Reports an error, unless it belongs to an outage that was reported within the last minute. */
  report(error: unknown, during: string): void {
    if (error instanceof BelfryError && NO_ANSWER.has(error.code)) {
      const nowMs = this.#clock.monotonic();
      if (nowMs < this.#remindAtMs) {
        this.#unreported++;
        return;
      }
      this.#remindAtMs = nowMs + REMIND_MS;
    }
    this.#report(error, during);
  }
}
