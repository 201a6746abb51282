/**
 * The worker: claims jobs, runs them side by side, keeps their claims, saves what they write, and drains at shutdown.
 *
 * It owns no schedule of its own beyond `Pace`; everything it may do is in the storage's answers. Where a batch goes to the
 * storage anyway that brings jobs for this worker (an enqueue, a child, the end of one that others waited for), the
 * claim rides along, and no other is sent for them. At shutdown nothing new begins: jobs that wait between two steps are given back at once, running steps
 * may end until the time to drain is over, then their jobs are given back too, with the same attempt.
 */
import { announceEnding, markActive } from "./ending.ts";
import type { Engine } from "./engine.ts";
import { enqueuerOf, type Ride } from "./enqueuer.ts";
import { BelfryError } from "./error.ts";
import { runEvent } from "./events.ts";
import type { Run, RunEnd, RunHost } from "./execution/run.ts";
import { Nap } from "./nap.ts";
import type { ClaimedJob, JobWrite, NewJob, StepRecord } from "./storage.ts";
import { type Claimed, Claimer } from "./worker/claimer.ts";
import { Claims } from "./worker/claims.ts";
import { Pace } from "./worker/pace.ts";
import { prepare } from "./worker/prepare.ts";
import { type Saved, Saver } from "./worker/saver.ts";
import { UnknownTasks } from "./worker/unknown.ts";

/** Options of a {@link Worker}. */
export interface WorkerOptions {
  /** Queues it serves. @default ["default"] and the queues of all registered tasks */
  queues?: string[];
  /** How many jobs it runs at once. */
  concurrency: number;
  claimTtlMs: number;
  /** How long running steps may go on at shutdown. @default 10 s */
  drainMs?: number;
}

/** Options of {@link Worker.runReady}. */
export interface RunReadyOptions {
  /** Monotonic time (of the engine's clock) at which it must end. @default none */
  untilMs?: number;
  /** At most this many jobs. @default no limit */
  maxJobs?: number;
  signal?: AbortSignal;
}

/** What {@link Worker.runReady} did. */
export interface RunReadyReply {
  /** How many runs of jobs it made, to their end or their next wait. */
  ran: number;
  /** Work is left that could run now. */
  more: boolean;
  /** The next instant at which a job could be claimed, epoch ms, as far as is known; null: none. */
  nextAt: number | null;
}

/** What a hint may say of the jobs that came. */
export interface WakeHint {
  queues?: string[];
  tasks?: string[];
}

interface Active {
  run: Run;
  startedMs: number;
}

const DEFAULT_DRAIN_MS = 10_000;
/** How long after an own write a notice of the storage may be its echo. */
const ECHO_MS = 25;
/** How much later such a notice is looked into; a worker that finds jobs looks again as soon without any. */
const ECHO_DELAY_MS = 100;
/** Between looks for jobs of unknown tasks. */
const LOOK_MS = 30_000;

/** Runs jobs of one engine. */
export class Worker {
  readonly #engine: Engine;
  readonly #options: WorkerOptions;
  readonly #active = new Map<string, Active>();
  readonly #perTask = new Map<string, number>();
  readonly #pace: Pace;
  readonly #saver: Saver;
  readonly #claims: Claims;
  readonly #claimer: Claimer;
  readonly #unknown: UnknownTasks;
  readonly #host: RunHost;
  /** The sleep of the loop. */
  readonly #nap: Nap;
  #ran = 0;
  #started = 0;
  /** How many more jobs each loop that is under way may start. */
  readonly #allowances = new Set<() => number>();
  /** Jobs whose news a claim that rode along has answered just now: no other claim need look for what they bring. */
  #answered: ReadonlySet<string> = new Set();
  #draining = false;
  #nextAt: number | null = null;
  /** Monotonic time of the next look for jobs of unknown tasks; Infinity: nothing has come since the last. */
  #lookAtMs = Infinity;
  /** Monotonic time of the last own write that others are told of. */
  #wroteMs = Number.NEGATIVE_INFINITY;
  /** Something ended since the last claim, so its answer is old. */
  #stale = false;
  /**
   * @param engine the engine
   * @param options what it serves, and how many at once
   */
  constructor(engine: Engine, options: WorkerOptions) {
    this.#engine = engine;
    this.#options = options;
    const claimMs = options.claimTtlMs;
    this.#nap = new Nap(engine.clock);
    this.#pace = new Pace(engine.clock, engine.storage.capabilities.shared);
    this.#claims = new Claims(engine, {
      claimMs,
      onLost: (id) => this.#lost(id),
      onRenewed: () => this.#readArrivals(),
    });
    this.#saver = new Saver(engine, {
      claimMs,
      running: () => this.#active.size,
      mayHold: (id) => this.#claims.mayHold(id),
      prolonged: (ids, sentMs) => this.#claims.prolonged(ids, sentMs),
      ride: (writes) => this.#rideWithWrites(writes),
    });
    this.#claimer = new Claimer(engine, {
      claimMs,
      queues: () => this.#queues(),
      running: (task) => this.#perTask.get(task) ?? 0,
      take: (job, sentMs) => this.#take(job, sentMs),
    });
    enqueuerOf(engine).rider = (jobs) => this.#rideWithJobs(jobs);
    this.#unknown = new UnknownTasks(engine);
    this.#host = {
      engine,
      save: (write) => this.#save(write),
      saved: (run, steps) => this.#tellSteps(run, steps),
    };
    engine.events.on("job:enqueued", ({ id, queue, task, availableAt }) => {
      this.#wroteMs = engine.clock.monotonic();
      if (availableAt > engine.clock.now()) {
        this.#pace.at(availableAt);
        this.#nap.wake();
      } else if (!this.#answered.has(id)) this.wake({ queues: [queue], tasks: [task] });
      else this.#planLook();
    });
    engine.events.on("signal:sent", () => this.wake());
    engine.events.on("job:cancelled", ({ id }) => {
      this.#active.get(id)?.run.lose(new BelfryError("JOB_CANCELLED", `Job ${id} was cancelled`));
    });
  }

  /** How many jobs run now. */
  get running(): number {
    return this.#active.size;
  }

  /** Says that jobs may be claimable; hints for other queues or tasks only are ignored. */
  wake(hint: WakeHint = {}): void {
    this.#planLook();
    if (hint.queues && !hint.queues.some((queue) => this.#queues().includes(queue))) return;
    if (hint.tasks && !hint.tasks.some((task) => this.#engine.tasks.has(task))) return;
    this.#pace.hint();
    this.#nap.wake();
  }

  /**
   * The storage says that something changed. That may be the echo of this engine's own writes, which would make every
   * job cost a claim for nothing, so soon after one of those it counts as a hint for a moment later.
   */
  notified(): void {
    const { clock, storage } = this.#engine;
    this.#planLook();
    const echo = storage.capabilities.shared && clock.monotonic() - this.#wroteMs < ECHO_MS;
    if (echo) this.#pace.at(clock.now() + ECHO_DELAY_MS);
    else this.#pace.hint();
    this.#nap.wake();
  }

  /** Runs what is ready, and returns when nothing is or the time is over (then running jobs are drained). */
  async runReady(options: RunReadyOptions = {}): Promise<RunReadyReply> {
    const { untilMs = Infinity, maxJobs = Infinity, signal } = options;
    const { clock } = this.#engine;
    await this.#engine.open();
    this.#draining = false;
    this.#pace.hint();
    const before = this.#ran;
    const first = this.#started;
    let idle = false;
    this.#stale = true;
    const left = (): number => maxJobs - (this.#started - first);
    const over = (): boolean => signal?.aborted === true || clock.monotonic() >= untilMs || left() <= 0;
    const allowance = (): number => (over() ? 0 : left());
    this.#allowances.add(allowance);
    while (!over()) {
      const room = Math.min(this.#room(), left());
      if (this.#claimer.riding) {
        idle = false;
        await this.#nap.take(untilMs - clock.monotonic(), signal);
      } else if (room > 0 && this.#pace.waitMs === 0) {
        const claimed = await this.#claim(room);
        if (claimed === null) {
          this.#allowances.delete(allowance);
          throw new BelfryError("STORAGE_UNAVAILABLE", "Cannot claim jobs: the storage failed");
        }
        idle = claimed === 0;
      } else if (this.#active.size === 0 && this.#stale) {
        this.#pace.hint();
        // A storage that has just failed is left alone for a moment, hint or no hint.
        if (this.#pace.waitMs > 0)
          await this.#nap.take(Math.min(untilMs - clock.monotonic(), this.#pace.waitMs), signal);
      } else if (this.#active.size === 0 && (idle || this.#pace.waitMs > 0)) break;
      else await this.#nap.take(Math.min(untilMs - clock.monotonic(), room > 0 ? this.#pace.waitMs : Infinity), signal);
    }
    this.#allowances.delete(allowance);
    // With the count used up the jobs that run may end; with the time used up they may not.
    while ((this.#active.size > 0 || this.#claimer.riding) && !signal?.aborted && clock.monotonic() < untilMs) {
      await this.#nap.take(untilMs - clock.monotonic(), signal);
    }
    const cut = this.#active.size > 0;
    if (cut) await this.#drain();
    const more = cut || (left() <= 0 ? this.#pace.waitMs === 0 : over() && !idle);
    return { ran: this.#ran - before, more, nextAt: this.#nextAt };
  }

  /** Runs jobs until aborted, then drains: resolves when nothing runs and every claim is settled or given back. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#engine.open();
    this.#draining = false;
    this.#pace.hint();
    this.#planLook();
    const { clock } = this.#engine;
    const allowance = (): number => (signal.aborted ? 0 : Infinity);
    this.#allowances.add(allowance);
    while (!signal.aborted) {
      const room = this.#claimer.riding ? 0 : this.#room();
      const waitMs = room > 0 ? this.#pace.waitMs : Infinity;
      if (waitMs === 0) await this.#claim(room);
      else await this.#nap.take(Math.min(waitMs, this.#lookAtMs - clock.monotonic()), signal);
      if (clock.monotonic() >= this.#lookAtMs) await this.#look();
    }
    this.#allowances.delete(allowance);
    await this.#drain();
  }

  #room(): number {
    return this.#options.concurrency - this.#active.size;
  }

  #queues(): string[] {
    if (this.#options.queues) return this.#options.queues;
    const { tasks } = this.#engine;
    return [...new Set(["default", ...tasks.names().map((name) => tasks.get(name)!.queue)])];
  }

  // ---------------------------------------------------------------- claiming

  /** Claims and starts jobs. @returns how many; null when the storage failed */
  async #claim(room: number): Promise<number | null> {
    this.#pace.asking();
    this.#stale = false;
    const claimed = await this.#claimer.claim(room);
    if (!claimed) {
      this.#pace.failed();
      return null;
    }
    this.#claimed(claimed);
    return claimed.found;
  }

  #claimed({ found, full, nextAt }: Claimed): void {
    this.#nextAt = nextAt;
    this.#pace.answered(found, full, nextAt);
  }

  /** A claim to go with jobs that are being enqueued, where this worker could start some of them. */
  #rideWithJobs(jobs: readonly NewJob[]): Ride | null {
    if (!this.#brings(jobs)) return null;
    return this.#ride(
      jobs.map(({ id }) => id),
      0,
    );
  }

  /** A claim to go with what running jobs write, where that makes room or jobs for this worker. */
  #rideWithWrites(writes: readonly JobWrite[]): Ride | null {
    this.#wroteMs = this.#engine.clock.monotonic();
    let leaving = 0;
    let wanted = this.#pace.waitMs === 0;
    for (const { id, transition, children } of writes) {
      wanted ||= this.#brings(children);
      if (!transition) continue;
      leaving++;
      const job = this.#active.get(id)?.run.job;
      wanted ||= transition.to !== "waiting" && job !== undefined && (job.parentId !== null || job.limitKey !== null);
    }
    if (!wanted) return null;
    return this.#ride(
      writes.map(({ id }) => id),
      leaving,
    );
  }

  #brings(jobs: readonly NewJob[]): boolean {
    const queues = this.#queues();
    const now = this.#engine.clock.now();
    return jobs.some((job) => job.availableAt <= now && queues.includes(job.queue) && this.#engine.tasks.has(job.task));
  }

  /** @param about the jobs whose news it answers @param leaving how many of those that run leave with the batch */
  #ride(about: string[], leaving: number): Ride | null {
    const allowed = Math.max(0, ...[...this.#allowances].map((allowance) => allowance()));
    if (this.#draining || this.#pace.failing) return null;
    const ride = this.#claimer.ride(Math.min(this.#room() + leaving, allowed), (claimed) => {
      if (claimed) this.#claimed(claimed);
      else this.#pace.hint();
      this.#nap.wake();
    });
    if (!ride) return null;
    this.#wroteMs = this.#engine.clock.monotonic();
    this.#answered = new Set(about);
    this.#pace.asking();
    this.#stale = false;
    return ride;
  }

  // ---------------------------------------------------------------- running

  /** Starts a claimed job, unless its claim is running already (a resent claim). */
  #take(job: ClaimedJob, sentMs: number): void {
    const before = this.#active.get(job.id)?.run;
    if (!before) this.#start(job, sentMs);
    // The storage has let go of a run whose reply is still on its way: its end is told first.
    else if (before.job.claimToken !== job.claimToken) void before.ended.then(() => this.#start(job, sentMs));
  }

  #start(job: ClaimedJob, sentMs: number): void {
    const engine = this.#engine;
    const run = prepare(this.#host, job);
    this.#started++;
    this.#claims.add(job.id, job.claimToken!, sentMs);
    markActive(engine, job.id, true);
    this.#active.set(job.id, { run, startedMs: engine.clock.monotonic() });
    this.#perTask.set(job.task, (this.#perTask.get(job.task) ?? 0) + 1);
    if (engine.events.heard("job:started")) {
      const lateMs = Math.max(0, engine.clock.now() - (job.availableAt ?? engine.clock.now()));
      engine.events.emit("job:started", { ...runEvent(run.job), resumed: job.claims > job.attempt, lateMs });
    }
    void run.ended.then((end) => this.#ended(run, end));
    run.start();
    // A claim that rode along may be answered when no loop is left to run its jobs.
    if (this.#draining || this.#allowances.size === 0) run.drain();
  }

  async #save(write: JobWrite): Promise<Saved> {
    const saved = await this.#saver.save(write);
    if (!saved) return null;
    this.#wroteMs = this.#engine.clock.monotonic();
    if (write.children.length > 0 && !this.#answered.has(write.id)) this.wake();
    const run = this.#active.get(write.id)?.run;
    if (write.transition === null && run?.unread(saved.wakes) && run.listens) this.#reread(run);
    return saved;
  }

  #ended(run: Run, end: RunEnd): void {
    const { job } = run;
    const { clock, events } = this.#engine;
    const active = this.#active.get(job.id);
    if (active?.run !== run) return;
    this.#active.delete(job.id);
    markActive(this.#engine, job.id, false);
    this.#claims.delete(job.id);
    this.#perTask.set(job.task, this.#perTask.get(job.task)! - 1);
    this.#ran++;
    this.#stale = true;
    // Its task was left out of claims while it was at its limit.
    if (this.#engine.tasks.get(job.task)?.concurrency !== Infinity) this.#pace.hint();
    const about = { ...runEvent(run.job), durationMs: clock.monotonic() - active.startedMs };
    if (end.how === "lost") {
      events.emit("job:lost", about);
    } else {
      const { transition, failure, state, released } = end;
      if (transition.to === "completed") {
        events.emit("job:completed", about);
        announceEnding(this.#engine, job.id, { state: "completed", result: transition.result, error: null });
      } else if (transition.to === "failed") {
        events.emit("job:failed", { ...about, error: failure! });
        announceEnding(this.#engine, job.id, { state: "failed", result: null, error: transition.error });
      } else if (transition.to === "ready" || transition.to === "waiting") {
        const availableAt = state === "ready" && transition.to === "waiting" ? clock.now() : transition.availableAt;
        if (released) events.emit("job:released", about);
        else if (transition.to === "ready" && !transition.resuming) {
          events.emit("job:retried", { ...about, error: failure!, availableAt: transition.availableAt });
        } else events.emit("job:suspended", { ...about, until: transition.availableAt });
        if (availableAt !== null && !released) this.#pace.at(availableAt);
        if (availableAt !== null) this.#nextAt = Math.min(this.#nextAt ?? Infinity, availableAt);
      }
      // What its end makes ready: its parent, the next of its limit.
      const concerns = state !== "waiting" && (job.parentId !== null || job.limitKey !== null);
      if (concerns && !this.#answered.has(job.id)) this.#pace.hint();
    }
    this.#nap.wake();
  }

  #lost(id: string): void {
    this.#active.get(id)?.run.lose(new BelfryError("CLAIM_LOST", `Job ${id} is no longer this worker's`));
  }

  /** After each renewal: what has reached jobs that run and wait at the same time. */
  #readArrivals(): void {
    for (const { run } of this.#active.values()) if (run.listens) this.#reread(run);
  }

  #reread(run: Run): void {
    this.#engine.storage.getJob({ id: run.job.id }).then(
      (found) => {
        if (found) run.feed(found);
      },
      (error) => this.#engine.report(error, `reading job ${run.job.id}`),
    );
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    for (const { run } of this.#active.values()) run.drain();
    const endMs = this.#engine.clock.monotonic() + (this.#options.drainMs ?? DEFAULT_DRAIN_MS);
    for (;;) {
      const leftMs = endMs - this.#engine.clock.monotonic();
      if ((this.#active.size === 0 && !this.#claimer.riding) || leftMs <= 0) break;
      await this.#nap.take(leftMs);
    }
    const left = [...this.#active.values()];
    const reason = new BelfryError("CLOSED", "The worker shuts down: the job is given back to be taken up by another");
    for (const { run } of left) run.release(reason);
    await Promise.all(left.map(({ run }) => run.ended));
  }

  #planLook(): void {
    this.#lookAtMs = Math.min(this.#lookAtMs, this.#engine.clock.monotonic() + LOOK_MS);
  }

  async #look(): Promise<void> {
    this.#lookAtMs = Infinity;
    let again = this.#engine.storage.capabilities.shared;
    try {
      again = (await this.#unknown.look(this.#queues())) || again;
    } catch (error) {
      this.#engine.report(error, "looking for jobs of unknown tasks");
    }
    if (again) this.#planLook();
  }

  // ---------------------------------------------------------------- telling

  #tellSteps(run: Run, steps: StepRecord[]): void {
    const { events } = this.#engine;
    if (!events.heard("step:completed") && !events.heard("step:failed") && !events.heard("step:retried")) return;
    for (const step of steps) {
      if (step.kind === "value" || step.kind === "patch") continue;
      const durationMs = (step.finishedAt ?? this.#engine.clock.now()) - step.startedAt;
      const about = { ...runEvent(run.job), step: step.name, kind: step.kind, tries: step.attempt, durationMs };
      const error = step.error === null ? null : JSON.parse(step.error);
      if (step.state === "done") events.emit("step:completed", about);
      else if (step.state === "failed") events.emit("step:failed", { ...about, error });
      else if (error)
        events.emit("step:retried", { ...about, error, delayMs: step.wakeAt! - this.#engine.clock.now() });
    }
  }
}
