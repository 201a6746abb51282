/**
 * A handle to one stored job: reads it, waits for its end, cancels it, retries it, signals it.
 *
 * A result that is made in this process arrives at once: the worker announces each ending to the waiters of its engine
 * (`engine/endings.ts`). What another process settles is found by polling, quick at first and slower the longer it lasts.
 */

import { decodePayload } from "../base/codec.ts";
import { type Duration, formatDuration, parseDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import { InterruptibleSleep } from "../base/interruptible_sleep.ts";
import { abortSignal, type Checks, checkOptions, duration, text } from "../base/options.ts";
import type { Ending } from "../engine/endings.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobState } from "../storage/port.ts";
import { type CancelOptions, cancelJob, type SignalOptions, signalJob, unknownJob } from "./control.ts";
import { endingError, isOver } from "./ending.ts";
import { retryJob } from "./retry.ts";
import { getJob, type Job } from "./view.ts";

/** Options of `job(id).result`. */
export interface ResultOptions {
  /** How long at most. @default for ever */
  timeout?: Duration;
  /** Gives up waiting; the job goes on. */
  signal?: AbortSignal;
}

/** Checks of {@link ResultOptions}. */
export const RESULT_CHECKS: Checks<ResultOptions> = { timeout: duration(), signal: abortSignal };

const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 2_000;
/** Poll interval of storages that no other process shares: it only finds endings without an announcement (expiry). */
const UNSHARED_POLL_MS = 1_000;

/** A handle to one stored job. */
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
   * @throws BelfryError `OPTION_INVALID` where the id is no text
   */
  constructor(engine: Engine, id: string, created = false) {
    text(id, "the id", "job");
    this.#engine = engine;
    this.id = id;
    this.created = created;
  }

  /**
   * Reads the job with its history.
   *
   * @throws BelfryError `JOB_UNKNOWN`
   */
  async get(): Promise<Job> {
    const job = await getJob(this.#engine, this.id);
    if (!job) throw unknownJob("read", this.id);
    return job;
  }

  /**
   * Reads the job's state.
   *
   * @throws BelfryError `JOB_UNKNOWN`
   */
  async status(): Promise<JobState> {
    return (await this.#read()).state;
  }

  /**
   * Waits for the job's end.
   *
   * @returns what the handler returned
   * @throws BelfryError `JOB_FAILED`, `JOB_CANCELLED`, `JOB_EXPIRED` (`cause` is the job's error), `RESULT_TIMEOUT`,
   * `JOB_UNKNOWN`; the signal's reason when it was aborted
   */
  async result(options: ResultOptions = {}): Promise<Output> {
    checkOptions(options, "result", RESULT_CHECKS);
    const timeoutMs = options.timeout === undefined ? Infinity : parseDuration(options.timeout, "timeout of result");
    options.signal?.throwIfAborted();
    const ending = await this.#ending(timeoutMs, options.signal);
    if (ending.state === "completed") {
      return (await decodePayload(this.#engine.codec, ending.result ?? "", `output of job ${this.id}`)) as Output;
    }
    throw endingError(this.id, ending.state, ending.error);
  }

  /**
   * Cancels the job and all that it invoked.
   *
   * @returns the ids cancelled, descendants included; empty when the job was over already
   * @throws BelfryError `JOB_UNKNOWN`, `OPTION_INVALID`
   */
  cancel(options?: CancelOptions): Promise<string[]> {
    return cancelJob(this.#engine, this.id, options);
  }

  /**
   * Puts the job back after it failed, expired or was cancelled; it goes on from its saved steps.
   *
   * @returns the ids put back: the job, and the children that it failed for
   * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE`
   */
  retry(): Promise<string[]> {
    return retryJob(this.#engine, this.id);
  }

  /**
   * Sends a value to the job, which waits for it with `ctx.waitFor(name)` or will wait for it later.
   *
   * @param value anything that JSON holds
   * @returns `duplicate` when a signal with the same `key` was sent before
   * @throws BelfryError `JOB_UNKNOWN`, `JOB_STATE`, `PAYLOAD_UNSERIALIZABLE`, `NAME_INVALID`, `OPTION_INVALID`
   */
  signal(name: string, value?: unknown, options?: SignalOptions): Promise<"accepted" | "duplicate"> {
    return signalJob(this.#engine, this.id, name, value, options);
  }

  async #read(): Promise<Ending> {
    await this.#engine.open();
    const job = await this.#engine.storage.getJob({ id: this.id });
    if (!job) throw unknownJob("read", this.id);
    return job;
  }

  async #ending(timeoutMs: number, signal: AbortSignal | undefined): Promise<Ending> {
    const { clock, storage } = this.#engine;
    const recent = this.#engine.endings.recent(this.id);
    // What ended badly may have been put back, by any engine: the storage knows.
    if (recent?.state === "completed") return recent;
    const pause = new InterruptibleSleep(clock);
    let ending: Ending | undefined;
    const forget = this.#engine.endings.listen(this.id, (known) => {
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
        if (late || !this.#engine.endings.runsHere(this.id)) {
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
