/**
 * A handle to one job of a remote app: reads it, waits for its end, cancels it, retries it, signals it.
 */
import { type Clock, delay } from "../../src/base/clock.ts";
import { formatDuration, parseDuration } from "../../src/base/duration.ts";
import { BelfryError } from "../../src/base/error.ts";
import { abortSignal, type Checks, checkOptions } from "../../src/base/options.ts";
import type { CancelOptions, SignalOptions } from "../../src/job/control.ts";
import { endingError, isOver } from "../../src/job/ending.ts";
import { RESULT_CHECKS, type ResultOptions } from "../../src/job/handle.ts";
import type * as wire from "../hono/wire/mod.ts";
import { part, type Send } from "./request.ts";
import type { Shape } from "./shape.ts";

const FIRST_POLL_MS = 100;
const LAST_POLL_MS = 2_000;

/** A job with its history. */
export const JOB: Shape<wire.JobDetail> = { id: "text", state: "text", steps: "list" };
/** Ids that a request reached. */
export const IDS: Shape<wire.IdsAnswer> = { ids: "list" };

/** Options of `ClientJob.get`. */
export interface ClientGetOptions {
  /** Gives up the call. */
  signal?: AbortSignal | undefined;
}

const GET_CHECKS: Checks<ClientGetOptions> = { signal: abortSignal };

/** A handle to one job. Methods throw `RequestError` when they are refused or get no usable answer. */
export class ClientJob<Output = unknown> {
  /** The job's id. */
  readonly id: string;
  /** False when the idempotency key gave an earlier job back. */
  readonly created: boolean;
  readonly #send: Send;
  readonly #clock: Clock;

  /**
   * @param app how to call the app, and the time that waiting goes by
   * @param id the job's id
   * @param created whether this call made it
   */
  constructor(app: { send: Send; clock: Clock }, id: string, created = false) {
    this.#send = app.send;
    this.#clock = app.clock;
    this.id = id;
    this.created = created;
  }

  /** Reads the job with its history. @throws RequestError `JOB_UNKNOWN` */
  async get(options: ClientGetOptions = {}): Promise<wire.JobDetail> {
    checkOptions(options, "get", GET_CHECKS);
    return this.#send("GET", this.#path(), { gives: JOB, signal: options.signal });
  }

  /** Reads the job's state. @throws RequestError `JOB_UNKNOWN` */
  async status(): Promise<wire.JobState> {
    return (await this.get()).state;
  }

  /**
   * Waits for the job's end, reading it now and then.
   *
   * @returns what the handler returned
   * @throws BelfryError `JOB_FAILED`, `JOB_CANCELLED`, `JOB_EXPIRED` (`cause` is the job's error), `RESULT_TIMEOUT`;
   * RequestError `JOB_UNKNOWN`; the signal's reason when it was aborted
   */
  async result(options: ResultOptions = {}): Promise<Output> {
    checkOptions(options, "result", RESULT_CHECKS);
    const { timeout, signal } = options;
    const timeoutMs = timeout === undefined ? Infinity : parseDuration(timeout, "timeout of result");
    const startMs = this.#clock.monotonic();
    for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 2, LAST_POLL_MS)) {
      signal?.throwIfAborted();
      const job = await this.get({ signal });
      if (job.state === "completed") return job.output as Output;
      if (isOver(job.state)) throw endingError(job.id, job.state, job.error && JSON.stringify(job.error));
      const leftMs = timeoutMs - (this.#clock.monotonic() - startMs);
      if (leftMs <= 0) {
        throw new BelfryError(
          "RESULT_TIMEOUT",
          `Job ${this.id} gave no result within ${formatDuration(timeoutMs)}: it is ${job.state}, and goes on`,
        );
      }
      await delay(this.#clock, Math.min(pollMs, leftMs), signal);
    }
  }

  /**
   * Cancels the job and all that it invoked.
   *
   * @returns the ids cancelled, descendants included; empty when the job was over already
   * @throws RequestError `JOB_UNKNOWN`
   */
  async cancel(options: CancelOptions = {}): Promise<string[]> {
    return (await this.#send("POST", this.#path("/cancel"), { json: options, gives: IDS })).ids;
  }

  /**
   * Puts the job back after it failed, expired or was cancelled; it goes on from its saved steps.
   *
   * @returns the ids put back: the job, and the children that it failed for
   * @throws RequestError `JOB_UNKNOWN`, `JOB_STATE`
   */
  async retry(): Promise<string[]> {
    return (await this.#send("POST", this.#path("/retry"), { json: {}, gives: IDS })).ids;
  }

  /**
   * Sends a value to the job, which waits for it with `ctx.waitFor(name)` or will wait for it later.
   *
   * @param value anything that JSON holds
   * @returns `duplicate` when a signal with the same `key` was sent before
   * @throws RequestError `JOB_UNKNOWN`, `JOB_STATE`, `NAME_INVALID`
   */
  async signal(name: string, value?: unknown, options: SignalOptions = {}): Promise<"accepted" | "duplicate"> {
    const json = { ...options, value };
    const path = this.#path(`/signals/${part(name)}`);
    return (await this.#send<wire.SignalOutcome>("POST", path, { json, gives: { outcome: "text" } })).outcome;
  }

  #path(rest = ""): string {
    return `/jobs/${part(this.id)}${rest}`;
  }
}
