/**
 * What moves an engine: passes for platforms' triggers (`tick`), loops for processes that stay up (`run`), and the end of
 * both (`close`).
 *
 * A pass is the scheduler's tick and then the worker's, both bounded by one budget. `tick({ for })` repeats the scheduler's
 * at the instants that the last one named, and every few seconds for what came from elsewhere, while the worker works.
 */
import { type Clock, delay } from "./base/clock.ts";
import { type Duration, parseDuration } from "./base/duration.ts";
import { BelfryError } from "./base/error.ts";
import { InterruptibleSleep } from "./base/interruptible_sleep.ts";
import { abortSignal, type Checks, checkOptions, duration, flag, whole } from "./base/options.ts";
import { startListening } from "./engine/listening.ts";
import type { Parts } from "./options.ts";
import { earliest, type TickReport } from "./tick/report.ts";
import { Scheduler } from "./tick/scheduler.ts";
import { type RunReadyReply, Worker } from "./worker/worker.ts";

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
  /** For how long jobs are begun; running ones are then awaited, within `drain`. Not together with `for`. @default "25s" */
  budget?: Duration;
  /**
   * Go on for this long, for schedules finer than the trigger that calls, `tick({ for: "55s" })`: what becomes due is fired
   * at its instant, also while jobs run. At the end no job is begun, and running ones are awaited, within `drain`.
   */
  for?: Duration;
  /** At most this many jobs are fired at a time; 1 or more. @default 10,000 */
  maxJobs?: number;
  /** Ends the tick early. */
  signal?: AbortSignal;
}

/** What a tick did: the scheduler's report and the worker's. */
export interface TickResult extends TickReport {
  /** How many jobs it ran, to their end or to their next wait. */
  ran: number;
}

const RUN_CHECKS: Checks<RunOptions> = { signal: abortSignal, work: flag, schedule: flag };

/** Checks of {@link TickOptions}. */
export const TICK_CHECKS: Checks<TickOptions> = {
  work: flag,
  budget: duration(),
  for: duration(),
  maxJobs: whole(1, Number.MAX_SAFE_INTEGER),
  signal: abortSignal,
};

const DEFAULT_BUDGET = "25s";
/** Between the passes of one long tick: the most, since other programs register and enqueue too. */
const MAX_WAIT_MS = 5_000;
/** And the least after a pass that did nothing: what it names may be claimable by others only. */
const MIN_IDLE_WAIT_MS = 1_000;

/** How long a stop may take beyond the time to drain: the last batches, and the lease that is given up. */
const STOP_MS = 1_000;
const LATE = Symbol("late");
/** How often a worker without a scheduler removes old history, and how soon it goes on while there is more. */
const HISTORY_MS = 60_000;
const MORE_HISTORY_MS = 500;

/** How far the work of a long tick may go, and who sleeps until it ends. */
interface WorkBounds {
  /** Monotonic time at which it must end. */
  untilMs: number;
  signal: AbortSignal;
  sleep: InterruptibleSleep;
}

/** The worker's part of a long tick, under way. */
interface Work {
  reply: Promise<RunReadyReply>;
  ended: boolean;
}

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
    checkOptions(options, "tick", TICK_CHECKS);
    const { clock } = this.#parts.engine;
    if (options.for !== undefined && options.budget !== undefined) {
      throw new BelfryError(
        "OPTION_INVALID",
        "Cannot use for and budget of tick together: for says how long it goes on, budget bounds a single pass; " +
          "leave one out",
      );
    }
    const untilMs = clock.monotonic() + parseDuration(options.for ?? options.budget ?? DEFAULT_BUDGET, "budget");
    const signal = this.#stopsWith(options.signal);
    const long = options.for !== undefined;
    const work = long ? this.#passes(options, untilMs, signal) : this.#pass(options, untilMs, signal);
    const tick = this.#endsInTime(work, signal, "tick", untilMs).finally(() => this.#ticks.delete(tick));
    this.#ticks.add(tick);
    return tick;
  }

  /** See `Belfry.run`. */
  async run(options: RunOptions): Promise<void> {
    checkOptions(options, "run", RUN_CHECKS);
    if (this.#running) throw new BelfryError("OPTION_INVALID", "Cannot run: this Belfry is running already");
    const { work = true, schedule = true } = options;
    const signal = this.#stopsWith(options.signal);
    const parts = async (): Promise<void> => {
      await this.#parts.engine.open();
      if (signal.aborted) return;
      await Promise.all([
        schedule ? this.scheduler.run(signal) : this.#removeHistory(signal),
        work && this.#work(signal),
      ]);
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
      const stopped = AbortSignal.any([bySignal, over.signal]);
      await delayUntil(clock, untilMs, stopped);
      await delayUntil(clock, clock.monotonic() + (this.#parts.worker.drainMs ?? 0) + STOP_MS, over.signal);
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

  /** One pass: what is due is fired, then what is ready runs. */
  async #pass(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    const pass = await this.#fire(options, untilMs, signal);
    if (!this.#hasWork(options, pass)) return pass;
    const { ran, more, nextAt } = await this.worker.runReady({ untilMs, signal });
    await this.scheduler.tidyUp(ran);
    return { ...pass, ran, more: pass.more || more, jobsAt: nextAt };
  }

  /** Passes until a monotonic time. What becomes due while jobs run is fired at its instant. */
  async #passes(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    const { clock } = this.#parts.engine;
    const sleep = new InterruptibleSleep(clock);
    const total = await this.#fire(options, untilMs, signal);
    let pass = { ...total };
    let work = this.#startWork(options, pass, { untilMs, signal, sleep });
    while (!signal.aborted) {
      const leftMs = untilMs - clock.monotonic();
      const waitMs = this.#waitMs(options, pass, work !== null);
      // What is due after the end is for the next trigger.
      if (waitMs >= leftMs && !work) break;
      await sleep.sleep(Math.min(waitMs, leftMs), signal);
      if (work?.ended) {
        const { ran, more, nextAt } = await work.reply;
        work = null;
        total.ran += ran;
        pass = { ...pass, fired: 0, ran, more: pass.more || more, jobsAt: nextAt };
        Object.assign(total, { more: pass.more, jobsAt: nextAt });
        continue;
      }
      if (waitMs >= leftMs || signal.aborted) break;
      pass = await this.#fire(options, untilMs, signal);
      const { leader, more, nextAt, jobsAt, skewMs, fired, skipped } = pass;
      Object.assign(total, { leader, more, nextAt, jobsAt, skewMs });
      total.fired += fired;
      total.skipped += skipped;
      work ??= this.#startWork(options, pass, { untilMs, signal, sleep });
    }
    if (work) {
      const { ran, more, nextAt } = await work.reply;
      total.ran += ran;
      Object.assign(total, { more: total.more || more, jobsAt: nextAt });
    }
    await this.scheduler.tidyUp(total.ran);
    return total;
  }

  async #fire(options: TickOptions, untilMs: number, signal: AbortSignal): Promise<TickResult> {
    return { ...(await this.scheduler.tick({ oneShot: true, untilMs, maxJobs: options.maxJobs, signal })), ran: 0 };
  }

  #hasWork(options: TickOptions, { fired, jobsAt }: TickResult): boolean {
    const { clock } = this.#parts.engine;
    return options.work !== false && (fired > 0 || (jobsAt !== null && jobsAt <= clock.now()));
  }

  #startWork(options: TickOptions, pass: TickResult, bounds: WorkBounds): Work | null {
    if (!this.#hasWork(options, pass)) return null;
    const { untilMs, signal, sleep } = bounds;
    const reply = this.worker.runReady({ untilMs, signal });
    const work: Work = { reply, ended: false };
    const end = (): void => {
      work.ended = true;
      sleep.wake();
    };
    reply.then(end, end);
    return work;
  }

  /** How long a long tick may wait for what the last pass named. */
  #waitMs(options: TickOptions, { fired, ran, more, nextAt, jobsAt }: TickResult, working: boolean): number {
    const { clock } = this.#parts.engine;
    // While the worker works, it takes ready jobs by itself.
    const next = earliest(nextAt, options.work === false || working ? null : jobsAt);
    const dueMs = more && !working ? 0 : next === null ? Infinity : Math.max(0, next - clock.now());
    const idle = fired === 0 && ran === 0 && !more;
    return idle && dueMs === 0 ? MIN_IDLE_WAIT_MS : Math.min(MAX_WAIT_MS, dueMs);
  }

  /** What a loop does about old history that fires nothing: a fleet of workers may have no other process that stays up. */
  async #removeHistory(signal: AbortSignal): Promise<void> {
    const { clock, ids, report } = this.#parts.engine;
    let waitMs = HISTORY_MS * (0.5 + ids.random());
    while (await delay(clock, waitMs, signal)) {
      const more = await this.scheduler.maintain().catch((error: unknown) => report(error, "removing old history"));
      waitMs = more === true ? MORE_HISTORY_MS : HISTORY_MS * (0.5 + ids.random());
    }
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

/** Waits for a monotonic time, whatever timers do: one may go off early. */
async function delayUntil(clock: Clock, untilMs: number, signal: AbortSignal): Promise<void> {
  while (clock.monotonic() < untilMs && (await delay(clock, untilMs - clock.monotonic(), signal)));
}
