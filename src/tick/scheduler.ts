/**
 * What does one tick do? It asks for the lease and for what is due, plans it and fires it.
 *
 * A tick is one or more passes of two round trips: `beginTick` (elect, renew, read what is due, learn when to wake) and
 * `fire` (move on, record, insert jobs, under the lease's token). With nothing due it is the first alone. A one-shot
 * tick releases the lease in its last batch, since on the edge no process would renew it; `run` (the loop in `loop.ts`)
 * keeps it. Passes of one scheduler run one after the other, so a tick by hand beside a running loop is one more pass.
 *
 * Safety does not depend on this file: a pass that lost its lease or its race fires nothing, and what is due stays due.
 */
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import type { BeginTickReply, Instant } from "../storage/port.ts";
import { announce } from "./announce.ts";
import { Lease } from "./lease.ts";
import { runLoop } from "./loop.ts";
import { DEFAULT_RETENTION, maintain, type Retention } from "./maintenance.ts";
import { type PassPlan, planPass } from "./pass.ts";
import { earliest, type SchedulerOptions, type TickOptions, type TickReport } from "./report.ts";

const MAX_JOBS = 10_000;
/** 50 ns each: what a pass may spend on counting skipped occurrences. */
const MAX_STEPS = 500_000;
/** From this difference to the storage's clock on a warning is logged. */
const SKEW_WARNING_MS = 5_000;
/** One in so many one-shot ticks that did something also removes old history. */
const ONE_SHOT_MAINTENANCE = 32;
/** For how many jobs that ran one round of maintenance is made, which removes up to twice as many. */
const JOBS_PER_ROUND = 250;

/** Elects, fires, and keeps doing so. */
export class Scheduler {
  readonly lease: Lease;
  readonly #engine: Engine;
  readonly #retention: Retention;
  readonly #onFired: () => void;
  /** The current pass; the next one waits for it. */
  #turn: Promise<unknown> = Promise.resolve();
  #looping = 0;
  #wakes = new Set<() => void>();
  #warnedSkewMs = 0;

  /** @param options `leaseTtlMs`: how long a term lasts that is not renewed */
  constructor(engine: Engine, options: SchedulerOptions) {
    this.#engine = engine;
    this.lease = new Lease(engine.holder, options.leaseTtlMs);
    this.#retention = { ...DEFAULT_RETENTION, ...options.retention };
    this.#onFired = options.onFired ?? (() => {});
  }

  /** Whether this scheduler may assume that it leads. */
  get leads(): boolean {
    return this.lease.mayLead(this.#engine.clock.monotonic());
  }

  /** Makes a running loop tick at once, because schedules have changed. */
  wake(): void {
    for (const wake of this.#wakes) wake();
  }

  /**
   * Fires what is due, within bounds.
   *
   * @throws what the storage throws; the request may or may not have been applied, and the next tick goes on from there
   */
  tick(options: TickOptions = {}): Promise<TickReport> {
    const tick = this.#turn.then(() => this.#tick(options));
    this.#turn = tick.catch(() => {});
    return tick;
  }

  /**
   * Ticks whenever something is due, until aborted; keeps the lease and gives it up at the end.
   *
   * Errors of the storage go to `onError`, and the loop goes on.
   */
  async run(signal: AbortSignal): Promise<void> {
    this.#looping++;
    try {
      await runLoop(this.#engine, this, {
        signal,
        onWake: (wake) => {
          this.#wakes.add(wake);
          return () => void this.#wakes.delete(wake);
        },
      });
    } finally {
      this.#looping--;
      if (this.#looping === 0) await this.resign();
    }
  }

  /** Releases the lease, if this process holds it. Never throws: a lease that is not released runs out. */
  async resign(): Promise<void> {
    await this.#turn;
    const { token, holder } = this.lease;
    if (token === null) return;
    this.lease.resigned();
    try {
      await this.#engine.storage.resign({ holder, token, now: this.#engine.clock.now() });
      this.#engine.events.emit("lease:resigned", { holder, token });
    } catch (error) {
      this.#engine.report(error, "resigning the lease");
    }
  }

  /** Removes old history and tries broken schedules again. @returns whether more is left to do at once */
  maintain(): Promise<boolean> {
    return maintain(this.#engine, this.#retention);
  }

  async #tick(options: TickOptions): Promise<TickReport> {
    const { clock, ids, storage } = this.#engine;
    await this.#engine.open();
    const startedMs = clock.monotonic();
    const oneShot = options.oneShot === true && this.#looping === 0;
    let left = options.maxJobs ?? MAX_JOBS;
    const total: TickReport = {
      leader: false,
      fired: 0,
      skipped: 0,
      more: false,
      nextAt: null,
      jobsAt: null,
      skewMs: 0,
    };
    const finished = (): boolean =>
      left <= 0 || options.signal?.aborted === true || clock.monotonic() >= (options.untilMs ?? Infinity);
    try {
      do {
        const maxJobs = Math.min(left, storage.capabilities.maxBatchRows);
        const report = await this.#pass(
          maxJobs,
          (more, fired) => oneShot && (!more || left - fired <= 0 || finished()),
        );
        left -= report.fired;
        total.fired += report.fired;
        total.skipped += report.skipped;
        const { leader, more, nextAt, jobsAt } = report;
        Object.assign(total, { leader, more, nextAt, jobsAt });
      } while (total.leader && total.more && !finished());
    } finally {
      if (oneShot && this.lease.token !== null) await this.#resignNow();
    }
    if (this.#looping === 0 && total.leader) this.#engine.ticks.observe(startedMs);
    else this.#engine.ticks.forget();
    total.skewMs = clock.skewMs;
    this.#watchSkew(total.skewMs);
    const worked = total.fired > 0 || (total.jobsAt !== null && total.jobsAt <= clock.now());
    if (oneShot && worked && ids.random() * ONE_SHOT_MAINTENANCE >= ONE_SHOT_MAINTENANCE - 1) await this.maintain();
    return total;
  }

  /**
   * Removes old history in proportion to what was made, where nothing but one-shot ticks does: for each job that a tick ran
   * two may go, so history that has had its time never grows. A tick that ran few jobs does it by chance.
   *
   * @param ran how many runs of jobs ended in the tick
   */
  async tidyUp(ran: number): Promise<void> {
    if (this.#looping > 0) return;
    const rounds = ran / JOBS_PER_ROUND;
    const whole = Math.floor(rounds) + (this.#engine.ids.random() < rounds % 1 ? 1 : 0);
    for (let round = 0; round < whole; round++) if (!(await this.maintain())) return;
  }

  /** Does one pass. `resigns` tells from what is left after the plan whether its batch is the last of the tick. */
  async #pass(
    maxJobs: number,
    resigns: (more: boolean, fired: number) => boolean,
  ): Promise<Omit<TickReport, "skewMs">> {
    const { clock, storage } = this.#engine;
    const { maxBatchRows, maxBatchBytes } = storage.capabilities;
    const asked = clock.now();
    const reply = await this.#begin(asked, resigns(false, 0));
    const { leads: leader, jobsAt } = reply;
    // The reply may have shown that this clock was ahead: then less is due than was asked for.
    const now = Math.min(asked, clock.now());
    const unread = reply.nextAt !== null && reply.nextAt <= now;
    if (!leader || reply.due.length === 0) {
      return { leader, fired: 0, skipped: 0, more: leader && unread, nextAt: reply.nextAt, jobsAt };
    }
    const budget = { maxJobs: Math.min(maxJobs, maxBatchRows), maxBytes: maxBatchBytes, maxSteps: MAX_STEPS };
    const plan = planPass(this.#engine, reply.due, now, budget);
    const more = plan.more || unread;
    const { fired, skipped, moved } = await this.#fire(plan, now, resigns(more, countJobs(plan)));
    return {
      leader: moved !== null,
      fired,
      skipped,
      // A schedule that another process moved meanwhile is read again.
      more: more || moved === null || moved < plan.firings.length,
      nextAt: earliest(reply.nextAt, plan.nextAt),
      jobsAt: fired > 0 ? earliest(jobsAt, now) : jobsAt,
    };
  }

  async #begin(now: Instant, resignIfIdle: boolean): Promise<BeginTickReply> {
    const { clock, logger, storage } = this.#engine;
    const reply = await this.#ask(now, resignIfIdle);
    const { seen } = this.lease;
    if (reply.leads || seen === null || !this.lease.looksAbandoned(now, clock.monotonic())) return reply;
    const { holder, token, expiresAt } = seen;
    logger.warn(`The lease of ${holder} looks abandoned: releasing it`, { holder, token, expiresAt });
    await storage.resign({ holder, token, now });
    return await this.#ask(now, resignIfIdle);
  }

  async #ask(now: Instant, resignIfIdle: boolean): Promise<BeginTickReply> {
    const { clock, events, storage } = this.#engine;
    const { lease } = this;
    const had = lease.token;
    const sentMs = clock.monotonic();
    const { holder, ttlMs, token } = lease;
    const maxDue = storage.capabilities.maxBatchRows;
    const reply = await timed(this.#engine, () =>
      storage.beginTick({ holder, token, now, ttlMs, maxDue, resignIfIdle }),
    );
    const change = lease.learn(reply, sentMs, clock.monotonic());
    if (change === "began") events.emit("lease:acquired", { holder, token: lease.token! });
    else if (change === "ended" && !reply.leads) events.emit("lease:lost", { holder, token: had! });
    return reply;
  }

  /** @returns how many schedules moved; null where the lease was lost and nothing happened */
  async #fire(
    plan: PassPlan,
    now: Instant,
    resign: boolean,
  ): Promise<{ fired: number; skipped: number; moved: number | null }> {
    const { ids, storage } = this.#engine;
    const { holder, token } = this.lease;
    if (plan.firings.length === 0) return { fired: 0, skipped: 0, moved: 0 };
    if (token === null) return { fired: 0, skipped: 0, moved: null };
    const request = { op: ids.token(), now, lease: { holder, token }, firings: plan.firings, resign };
    const reply = await timed(this.#engine, () => storage.fire(request));
    if (!reply.leads) {
      this.lease.forget();
      this.#engine.events.emit("lease:lost", { holder, token });
      return { fired: 0, skipped: 0, moved: null };
    }
    if (resign) this.lease.resigned();
    if (reply.jobs.length > 0) this.#onFired();
    const skipped = announce(this.#engine, plan, reply, now);
    return { fired: reply.jobs.length, skipped, moved: reply.fired.length };
  }

  async #resignNow(): Promise<void> {
    const { holder, token } = this.lease;
    this.lease.resigned();
    try {
      await this.#engine.storage.resign({ holder, token: token!, now: this.#engine.clock.now() });
    } catch (error) {
      this.#engine.report(error, "resigning the lease");
    }
  }

  #watchSkew(skewMs: number): void {
    if (Math.abs(skewMs) < SKEW_WARNING_MS || Math.abs(skewMs - this.#warnedSkewMs) < SKEW_WARNING_MS) return;
    this.#warnedSkewMs = skewMs;
    const side = skewMs > 0 ? "behind" : "ahead of";
    this.#engine.logger.warn(
      `This host's clock is ${Math.abs(skewMs)} ms ${side} the storage's, whose time counts; set it right`,
      { skewMs },
    );
  }
}

function countJobs(plan: PassPlan): number {
  return plan.firings.reduce((sum, { jobs }) => sum + jobs.length, 0);
}
