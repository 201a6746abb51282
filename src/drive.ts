/**
 * What moves an engine: passes for platforms' triggers (`tick`), loops for processes that stay up (`run`), and the end of
 * both (`close`).
 *
 * A pass is the scheduler's tick and then the worker's, each bounded by the same budget. `tick({ for })` repeats passes
 * at the instants the last one named, and looks in every few seconds for what came from elsewhere.
 */
import { delay } from "./base/clock.ts";
import { type Duration, parseDuration } from "./base/duration.ts";
import { BelfryError } from "./base/error.ts";
import { startListening } from "./engine/listening.ts";
import type { Parts } from "./options.ts";
import { earliest, type TickReport } from "./tick/report.ts";
import { Scheduler } from "./tick/scheduler.ts";
import { Worker } from "./worker/worker.ts";

/** Options of `Belfry.run`. */
export interface RunOptions {
  /** Stops: the lease is given up, running jobs are drained. @default `close()` stops */
  signal?: AbortSignal;
  /** Run jobs. @default true */
  work?: boolean;
  /** Fire schedules. @default true */
  schedule?: boolean;
}

/** Options of `Belfry.tick`. */
export interface TickOptions {
  /** Run what is ready, too. @default true */
  work?: boolean;
  /** No job is begun after this long; running ones are awaited, within `drain`. @default "25s" */
  budget?: Duration;
  /** Keep going for this long, for schedules finer than the trigger that calls: `tick({ for: "55s" })`. */
  for?: Duration;
  /** At most this many jobs are fired. @default 10,000 */
  maxJobs?: number;
  /** Ends the tick early. */
  signal?: AbortSignal;
}

/** What a tick did: the scheduler's report and the worker's. */
export interface TickResult extends TickReport {
  /** How many jobs it ran, to their end or to their next wait. */
  ran: number;
}

const DEFAULT_BUDGET = "25s";
/** Between the passes of one long tick: the most, since other programs register and enqueue too. */
const MAX_WAIT_MS = 5_000;
/** And the least after a pass that did nothing: what it names may be claimable by others only. */
const MIN_IDLE_WAIT_MS = 1_000;

/** How long a stop may take beyond the time to drain: the last batches, and the lease that is given up. */
const STOP_MS = 1_000;
const LATE = Symbol("late");

/** Drives the scheduler and the worker of one engine. */
export class Drive {
  readonly scheduler: Scheduler;
  readonly worker: Worker;
  readonly #parts: Parts;
  readonly #closing: AbortController;
  #running: Promise<unknown> | undefined;
  /** Ticks under way, for close to wait for. */
  readonly #ticks = new Set<Promise<unknown>>();

  /** @param closing aborted by {@link close} */
  constructor(parts: Parts, closing: AbortController) {
    this.#parts = parts;
    this.#closing = closing;
    this.worker = new Worker(parts.engine, parts.worker);
    this.scheduler = new Scheduler(parts.engine, { ...parts.scheduler, onFired: () => this.worker.wake() });
  }

  /** See `Belfry.tick`. */
  async tick(options: TickOptions): Promise<TickResult> {
    const { clock } = this.#parts.engine;
    const keepsGoing = options.for !== undefined;
    const lengthMs = parseDuration(options.for ?? options.budget ?? DEFAULT_BUDGET, keepsGoing ? "for" : "budget");
    const untilMs = clock.monotonic() + lengthMs;
    const signal = this.#stopsWith(options.signal);
    const work = this.#tick(options, untilMs, signal);
    const tick = this.#endsInTime(work, signal, "tick", untilMs).finally(() => this.#ticks.delete(tick));
    this.#ticks.add(tick);
    return tick;
  }

  /** See `Belfry.run`. */
  async run(options: RunOptions): Promise<void> {
    if (this.#running) throw new BelfryError("OPTION_INVALID", "Cannot run: this Belfry is running already");
    const { work = true, schedule = true } = options;
    const signal = this.#stopsWith(options.signal);
    const parts = async (): Promise<void> => {
      await this.#parts.engine.open();
      if (signal.aborted) return;
      await Promise.all([schedule && this.scheduler.run(signal), work && this.#work(signal)]);
    };
    const { engine } = this.#parts;
    this.#running = this.#endsInTime(parts(), signal, "run");
    try {
      await this.#running;
    } catch (error) {
      // Told to stop, it stops; what the storage has to do with that is for the log.
      if (!signal.aborted) throw error;
      engine.report(error, "stopping");
    } finally {
      this.#running = undefined;
    }
  }

  /**
   * Waits for work that was told to stop, but not for a storage that does not answer: what is abandoned so ends by itself
   * when its last call runs out. Its lease and claims run out, too.
   *
   * @param bySignal also stops waiting once this has aborted and the time to drain is over
   * @param untilMs and after this monotonic time and the time to drain
   */
  async #endsInTime<T>(work: Promise<T>, bySignal: AbortSignal, what: string, untilMs = Infinity): Promise<T> {
    const { clock, storage } = this.#parts.engine;
    const over = new AbortController();
    const late = async (): Promise<typeof LATE> => {
      await delay(clock, untilMs - clock.monotonic(), AbortSignal.any([bySignal, over.signal]));
      await delay(clock, (this.#parts.worker.drainMs ?? 0) + STOP_MS, over.signal);
      return LATE;
    };
    try {
      const end = await Promise.race([work, late()]);
      if (end !== LATE) return end;
    } finally {
      over.abort();
    }
    work.catch((error: unknown) => this.#parts.engine.report(error, `ending an abandoned ${what}`));
    throw new BelfryError(
      "STORAGE_UNAVAILABLE",
      `Cannot end ${what} in order: the storage ${storage.name} does not answer. Its lease and claims run out by ` +
        "themselves, and others take over; check that the database can be reached",
    );
  }

  /** Stops what runs, waits for it, and releases the storage. */
  async close(): Promise<void> {
    this.#closing.abort(new BelfryError("CLOSED", "This Belfry was closed"));
    await Promise.allSettled([this.#running, ...this.#ticks]);
    const { log, storage, report } = this.#parts.engine;
    log.flush();
    await storage.close().catch((error: unknown) => report(error, "closing the storage"));
  }

  #stopsWith(signal: AbortSignal | undefined): AbortSignal {
    return signal ? AbortSignal.any([signal, this.#closing.signal]) : this.#closing.signal;
  }

  async #tick(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    const { clock } = this.#parts.engine;
    const keepsGoing = options.for !== undefined;
    let pass = await this.#pass(options, untilMs, signal);
    const total = { ...pass };
    while (keepsGoing && !signal.aborted) {
      const leftMs = untilMs - clock.monotonic();
      const next = earliest(pass.nextAt, options.work === false ? null : pass.jobsAt);
      const dueMs = pass.more ? 0 : next === null ? Infinity : Math.max(0, next - clock.now());
      const idle = pass.fired === 0 && pass.ran === 0 && !pass.more;
      const waitMs = idle && dueMs === 0 ? MIN_IDLE_WAIT_MS : Math.min(MAX_WAIT_MS, dueMs);
      // What is due after the end is for the next trigger.
      if (waitMs >= leftMs || !(await delay(clock, waitMs, signal))) break;
      pass = await this.#pass(options, untilMs, signal);
      const { leader, more, nextAt, jobsAt, skewMs } = pass;
      Object.assign(total, { leader, more, nextAt, jobsAt, skewMs });
      total.fired += pass.fired;
      total.skipped += pass.skipped;
      total.ran += pass.ran;
    }
    return total;
  }

  async #pass(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    const { clock } = this.#parts.engine;
    const report = await this.scheduler.tick({ oneShot: true, untilMs, maxJobs: options.maxJobs, signal });
    const ready = report.fired > 0 || (report.jobsAt !== null && report.jobsAt <= clock.now());
    if (options.work === false || !ready) return { ...report, ran: 0 };
    const { ran, more, nextAt } = await this.worker.runReady({ untilMs, signal });
    return { ...report, ran, more: report.more || more, jobsAt: nextAt };
  }

  /** The worker's loop, woken by what the storage pushes. */
  async #work(signal: AbortSignal): Promise<void> {
    const unlisten = startListening(
      this.#parts.engine,
      (wake) => wake !== "schedules" && this.worker.notified(),
      "listening for jobs",
    );
    try {
      await this.worker.run(signal);
    } finally {
      unlisten();
    }
  }
}
