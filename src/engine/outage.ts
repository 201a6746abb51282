/**
 * What is told of a storage that does not answer? That it began, at most once a minute that it lasts, and that it is over.
 *
 * Loops try again for as long as it takes, several of them, so each failed try by itself would bury the log.
 */
import type { Clock } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { Logger } from "../base/log.ts";

const REMIND_MS = 60_000;

/** Errors that say that the storage did not answer or could not be used for the moment. */
const NO_ANSWER = new Set(["STORAGE_UNAVAILABLE", "STORAGE_BUSY"]);

/** The state of one engine's storage, as its calls find it. */
export class Outage {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #name: string;
  readonly #report: (error: unknown, during: string) => void;
  #sinceMs: number | undefined;
  #remindAtMs = 0;
  #unreported = 0;

  /**
   * @param name the storage's, for messages
   * @param report where errors go that nobody awaits
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

  /** For how long no call has been answered, ms; null while the storage answers. */
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
    // A single failed call that its caller repeated is no news.
    if (this.#remindAtMs === 0) return;
    const unreported = this.#unreported;
    this.#remindAtMs = 0;
    this.#unreported = 0;
    this.#logger.warn(`The storage ${this.#name} answers again after ${formatDuration(forMs)}`, { forMs, unreported });
  }

  /** Reports an error; of those that say that the storage does not answer the first, and one each minute that it lasts. */
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
