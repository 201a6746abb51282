/**
 * A job in the hands of who enqueued it: its id, its end, and how to call it off.
 *
 * A result that is made in this process arrives at once: the worker tells a table of waiters, one for each engine. What
 * another process settles is found by polling, quick at first and slower the longer it lasts.
 */

import { decodePayload } from "../base/codec.ts";
import { type Duration, formatDuration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { InterruptibleSleep } from "../base/interruptible_sleep.ts";
import type { Ending } from "../engine/endings.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobState } from "../storage/port.ts";
import { cancelJob } from "./control.ts";
import { endingError, isOver } from "./ending.ts";

/** How to wait for a result. */
export interface ResultOptions {
  /** How long at most. @default for ever */
  timeout?: Duration;
  /** Gives up waiting; the job goes on. */
  signal?: AbortSignal;
}

const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 2_000;
/** Where nobody else can settle the job, polling only catches what events cannot tell (expiry). */
const UNSHARED_POLL_MS = 1_000;

/** A job, to wait for or to call off. */
export class JobHandle<Output = unknown> {
  /** The job's id. */
  readonly id: string;
  /** False when the idempotency key gave an earlier job back. */
  readonly created: boolean;
  readonly #engine: Engine;

  /**
   * @param engine where the job is stored
   * @param id the job's id
   * @param created whether this call made it
   */
  constructor(engine: Engine, id: string, created = false) {
    this.#engine = engine;
    this.id = id;
    this.created = created;
  }

  /**
   * The job's state now.
   *
   * @throws BelfryError `JOB_UNKNOWN`
   */
  async status(): Promise<JobState> {
    return (await this.#read()).state;
  }

  /**
   * Waits for the end.
   *
   * @returns what the handler returned
   * @throws BelfryError `JOB_FAILED`, `JOB_CANCELLED`, `JOB_EXPIRED` (`cause` is the job's error), `RESULT_TIMEOUT`,
   * `JOB_UNKNOWN`; the signal's reason when it was aborted
   */
  async result(options: ResultOptions = {}): Promise<Output> {
    const timeoutMs = options.timeout === undefined ? Infinity : parseDuration(options.timeout, "timeout of result");
    options.signal?.throwIfAborted();
    const ending = await this.#ending(timeoutMs, options.signal);
    if (ending.state === "completed") {
      return (await decodePayload(this.#engine.codec, ending.result ?? "", `output of job ${this.id}`)) as Output;
    }
    throw endingError(this.id, ending.state, ending.error);
  }

  /**
   * Cancels it and all that it invoked.
   *
   * @returns false when it was over already
   * @throws BelfryError `JOB_UNKNOWN`
   */
  async cancel(reason?: string): Promise<boolean> {
    return (await cancelJob(this.#engine, this.id, reason)).includes(this.id);
  }

  async #read(): Promise<Ending> {
    await this.#engine.open();
    const job = await this.#engine.storage.getJob({ id: this.id });
    if (!job)
      throw new BelfryError("JOB_UNKNOWN", `Cannot read job ${JSON.stringify(this.id)}: no job of that id is stored`);
    return job;
  }

  async #ending(timeoutMs: number, signal: AbortSignal | undefined): Promise<Ending> {
    const { clock, storage } = this.#engine;
    const recent = this.#engine.endings.recent(this.id);
    // What ended badly may have been put back, by any engine: the storage knows.
    if (recent?.state === "completed") return recent;
    const pause = new InterruptibleSleep(clock);
    let ending: Ending | undefined;
    const forget = this.#engine.endings.await(this.id, (known) => {
      ending = known;
      pause.wake();
    });
    try {
      const startMs = clock.monotonic();
      // A job that this call made cannot be over before its worker says so.
      let pollMs = this.created && !recent ? FIRST_POLL_MS : 0;
      for (;;) {
        const leftMs = timeoutMs - (clock.monotonic() - startMs);
        await pause.sleep(Math.min(pollMs, leftMs), signal);
        if (ending) return ending;
        signal?.throwIfAborted();
        const late = clock.monotonic() - startMs >= timeoutMs;
        // What runs here is told here; but for the last word.
        if (late || !this.#engine.endings.active.has(this.id)) {
          const found = await this.#read();
          if (ending) return ending;
          if (isOver(found.state)) return found;
          if (late) {
            throw new BelfryError(
              "RESULT_TIMEOUT",
              `Job ${this.id} gave no result within ${formatDuration(timeoutMs)}: it is ${found.state}, and goes on`,
            );
          }
        }
        pollMs = storage.capabilities.shared
          ? Math.min(Math.max(pollMs * 2, FIRST_POLL_MS), LAST_POLL_MS)
          : UNSHARED_POLL_MS;
      }
    } finally {
      forget();
    }
  }
}
