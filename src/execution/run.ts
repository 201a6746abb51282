/**
 * What is one run of a job? One execution of its handler: from the claim to the job's end, its next wait, or the loss of the
 * claim.
 *
 * `handler_driver.ts` moves the user's code until it ends or waits; here is what the worker does to a run, what is saved,
 * and how the run ends.
 *
 * Saving is lazy: a result is delivered at once and saved together with what the code does next; but nothing durable
 * begins before what came before it is saved.
 */
import type { Timer } from "../base/clock.ts";
import { encodeNow } from "../base/codec.ts";
import { formatDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { JobNotes } from "../job/notes.ts";
import type { ClaimedJob, JobState, JobTransition, JobWrite, StepRecord } from "../storage/port.ts";
import { type Failure, toFailure } from "../task/failure.ts";
import type { RetryFunction, RetryPolicy } from "../task/retry.ts";
import { attemptsUsed, notesAfterError } from "./attempts.ts";
import type { Calls } from "./calls.ts";
import { afterFailedAttempt } from "./failed_attempt.ts";
import { type DriverHost, type EndAction, HandlerDriver } from "./handler_driver.ts";
import { type Refused, type Saved, WriteBuffer } from "./write_buffer.ts";

/** How long the other steps of a failed handler may go on, so that what they do is saved and not done again. */
const LINGER_MS = 5_000;

/** What a run needs of its worker. */
export interface RunHost {
  readonly engine: Engine;
  /** Saves; null when the claim is lost. */
  save(write: JobWrite): Promise<Saved | Refused>;
  /** Called with steps that were saved. */
  saved(run: Run, steps: StepRecord[]): void;
}

/** How a run ended. */
export type RunEnd =
  | { how: "settled"; transition: JobTransition; failure: Failure | null; state: JobState; released: boolean }
  | { how: "lost" };

/** What a run is made of. */
export interface RunRequest {
  job: ClaimedJob;
  /** Calls the user's handler. */
  handler: () => unknown;
  policy: RetryPolicy | RetryFunction;
  timeoutMs: number | null;
}

/** How the handler ended. */
type HandlerEnd = { threw: false; value: unknown } | { threw: true; error: unknown };

/** One run of one job. */
export class Run {
  readonly job: ClaimedJob;
  readonly engine: Engine;
  /** Resolves when the run is over. */
  readonly ended: Promise<RunEnd>;
  readonly #request: RunRequest;
  readonly #buffer: WriteBuffer;
  readonly #driver: HandlerDriver;
  readonly #end: (end: RunEnd) => void;

  /** The job's count of arrivals when they were last read. */
  #arrivals: number;
  #over = false;
  /** The handler is over and its output is being encoded. */
  #completing = false;
  #draining = false;
  #handlerEnd: HandlerEnd | undefined;

  #controller: AbortController | undefined;
  #aborted: { reason: unknown } | undefined;
  /** Goes off when the steps of a failed handler have had their time. */
  #linger: Timer | undefined;
  /** The end of a run whose write the storage refused. */
  #refusal: Promise<null> | undefined;
  /** Goes off at the job's timeout. */
  #limit: Timer | undefined;

  /**
   * @param host the worker
   * @param request the claimed job and how to run it
   */
  constructor(host: RunHost, request: RunRequest) {
    const { job } = request;
    const { engine } = host;
    this.#request = request;
    this.engine = engine;
    this.job = job;
    this.#arrivals = job.arrivals;
    this.#buffer = new WriteBuffer({ id: job.id, token: job.claimToken! }, async (write) => {
      const saved = await host.save(write);
      if (saved && "refused" in saved) return this.#failRefused(host, saved.refused);
      if (saved) host.saved(this, write.steps);
      return saved;
    });
    this.#driver = new HandlerDriver(engine, job, { buffer: this.#buffer, host: this.#driverHost() });
    let end: (end: RunEnd) => void = () => {};
    this.ended = new Promise((resolve) => {
      end = resolve;
    });
    this.#end = end;
  }

  /** What the handler calls for. */
  get calls(): Calls {
    return this.#driver.calls;
  }

  /** Whether the code is at a place that an earlier run has passed. */
  get replaying(): boolean {
    return this.#driver.history.next !== undefined || this.#driver.history.firstUncalled !== undefined;
  }

  /** Whether it waits for a signal or a child while it runs. */
  get listens(): boolean {
    return !this.#over && this.#driver.inFlight.listens;
  }

  /** Whether a count of arrivals says that some have not been read by this run. */
  unread(arrivals: number): boolean {
    return arrivals > this.#arrivals;
  }

  /** The run's abort signal, made when something first reads it. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#aborted && !this.#controller.signal.aborted) this.#controller.abort(this.#aborted.reason);
    return this.#controller.signal;
  }

  // ---------------------------------------------------------------- what the worker does to a run

  /** Calls the handler. */
  start(): void {
    const { timeoutMs, handler } = this.#request;
    if (timeoutMs !== null) {
      this.#limit = this.engine.clock.setTimer(timeoutMs, () => {
        const text = `Job ${this.job.id} took longer than its timeout of ${formatDuration(timeoutMs)}`;
        const error = new BelfryError("JOB_TIMEOUT", text);
        this.#abort(error);
        this.#fail(error);
      });
    }
    const end = (handlerEnd: HandlerEnd): void => {
      this.#handlerEnd = handlerEnd;
      this.#driver.plan();
    };
    try {
      Promise.resolve(handler()).then(
        (value) => end({ threw: false, value }),
        (error: unknown) => end({ threw: true, error }),
      );
    } catch (error) {
      end({ threw: true, error });
    }
    this.#driver.plan();
  }

  /** Ends the run without saving anything: another worker has the claim, or the job was cancelled. */
  lose(reason: unknown): void {
    if (this.#over) return;
    this.#close();
    this.#abort(reason);
    this.#end({ how: "lost" });
  }

  /** Begins nothing more: gives the job back when the steps that run are over. */
  drain(): void {
    this.#draining = true;
    this.#driver.plan();
  }

  /** Gives the job back now, whatever runs. */
  release(reason: unknown): void {
    if (this.#over) return;
    this.#abort(reason);
    this.#giveBack();
  }

  /** Takes in what has reached the job since it was claimed. */
  refresh(found: ClaimedJob): void {
    if (this.#over || found.claims !== this.job.claims) return;
    this.#driver.inFlight.arrived(found);
    this.#arrivals = found.arrivals;
    this.#driver.plan();
  }

  /** Keeps notes for the next write, in place of the job's present ones. */
  note(notes: JobNotes): void {
    this.job.notes = JSON.stringify(notes);
    this.#buffer.notes = this.job.notes;
    this.#driver.plan();
  }

  /** Keeps progress for the next write. */
  progress(value: unknown): void {
    const keep = (encoded: string): void => {
      this.#buffer.progress = encoded;
      this.#driver.plan();
    };
    const what = `progress of job ${this.job.id}`;
    const encoded = encodeNow(this.engine.codec, value, what);
    if (typeof encoded === "string") keep(encoded);
    else encoded.then(keep, (error) => this.engine.report(error, what));
  }

  // ---------------------------------------------------------------- saving and ending

  #driverHost(): DriverHost {
    const run = this;
    return {
      get closed() {
        return run.#over || run.#completing;
      },
      get over() {
        return run.#over;
      },
      get draining() {
        return run.#draining;
      },
      get handler() {
        return run.#handlerEnd === undefined ? "running" : run.#handlerEnd.threw ? "threw" : "returned";
      },
      get signal() {
        return run.signal;
      },
      goesOn: (saved) => run.#goesOn(saved),
      flush: () => run.#flush(),
      end: (action) => run.#endBy(action),
      fail: (error) => run.#fail(error),
    };
  }

  #endBy(action: EndAction): void {
    switch (action.do) {
      case "complete":
        void this.#complete();
        break;
      case "fail":
        this.#fail(this.#handlerError());
        break;
      case "fail later":
        this.#linger ??= this.engine.clock.setTimer(LINGER_MS, () => this.#fail(this.#handlerError()));
        break;
      case "give back":
        this.#giveBack();
        break;
      case "suspend":
        void this.#settle(
          action.listens
            ? { to: "waiting", availableAt: action.until, arrivals: this.#arrivals }
            : { to: "ready", availableAt: action.until, resuming: true, error: null },
          null,
        );
    }
  }

  /** Saves what is worth a write of its own. */
  #flush(): void {
    if (this.#buffer.worthSending) void this.#buffer.send(null).then((saved) => this.#goesOn(saved));
  }

  /** Takes the answer to a write. @returns whether the claim is still owned and the run goes on */
  #goesOn(saved: Saved): boolean {
    if (!saved) this.lose(this.#lostError());
    return !this.#over;
  }

  #lostError(): BelfryError {
    return new BelfryError(
      "CLAIM_LOST",
      `Cannot save job ${this.job.id}: its claim ran out and another worker has it, or it was cancelled; stop its work`,
    );
  }

  #handlerError(): unknown {
    return this.#handlerEnd?.threw ? this.#handlerEnd.error : undefined;
  }

  async #complete(): Promise<void> {
    this.#completing = true;
    const value = this.#handlerEnd?.threw === false ? this.#handlerEnd.value : undefined;
    try {
      const encoded = encodeNow(this.engine.codec, value, `output of task ${JSON.stringify(this.job.task)}`);
      const result = typeof encoded === "string" ? encoded : await encoded;
      await this.#settle({ to: "completed", result }, null);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Ends the attempt with an error. */
  #fail(error: unknown): void {
    if (this.#over) return;
    const { transition, failure } = afterFailedAttempt({
      error,
      used: attemptsUsed(this.job),
      policy: this.#request.policy,
      random: () => this.engine.ids.random(),
      now: this.engine.clock.now(),
      keptFailure: this.#driver.followed.keptFailureOf(error),
    });
    const records = this.#driver.history.results().map((result) => result.record);
    const notes = transition.to === "ready" ? notesAfterError(this.job, records) : undefined;
    if (notes) this.note(notes);
    // Failures that were not saved yet never are; of the others the storage must know.
    const forget = this.#driver.followed.forgettable().filter((name) => !this.#buffer.drop(name));
    void this.#settle(transition, failure, { forget });
  }

  /**
   * Fails the job for good, with the storage's words: what it has to save will never be saved. Nothing of the refused write
   * goes with it. @returns null, as for a run that may save nothing more
   */
  #failRefused(host: RunHost, error: BelfryError): Promise<null> {
    this.#refusal ??= (async () => {
      this.#close();
      this.#abort(error);
      const failure = toFailure(error);
      const transition: JobTransition = { to: "failed", error: JSON.stringify(failure) };
      const { id, claimToken } = this.job;
      const saved = await host.save({ id, token: claimToken!, steps: [], forget: [], children: [], transition });
      const settled = saved && !("refused" in saved);
      this.#end(
        settled ? { how: "settled", transition, failure, state: saved.state, released: false } : { how: "lost" },
      );
      return null;
    })();
    return this.#refusal;
  }

  #giveBack(): void {
    // Failures that the code did not go on from are left to the next worker, which runs those steps again.
    this.#buffer.dropFailures();
    const availableAt = this.engine.clock.now();
    void this.#settle({ to: "ready", availableAt, resuming: true, error: null }, null, { released: true });
  }

  /** Writes how the job goes on, and ends the run. */
  async #settle(
    transition: JobTransition,
    failure: Failure | null,
    { forget = [], released = false }: { forget?: string[]; released?: boolean } = {},
  ): Promise<void> {
    if (this.#over) return;
    this.#close();
    if (this.#driver.inFlight.runningSteps > 0) this.#abort(new BelfryError("CLOSED", `Job ${this.job.id} is over`));
    const saved = await this.#buffer.send(transition, forget);
    if (!saved) this.#abort(this.#lostError());
    this.#end(saved ? { how: "settled", transition, failure, state: saved.state, released } : { how: "lost" });
  }

  #close(): void {
    this.#over = true;
    this.#driver.stop();
    for (const timer of [this.#linger, this.#limit]) timer?.cancel();
  }

  #abort(reason: unknown): void {
    this.#aborted ??= { reason };
    this.#controller?.abort(reason);
  }
}
