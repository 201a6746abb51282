/**
 * The worker: claims jobs, runs them side by side, keeps their claims, saves what they write, and drains at shutdown.
 *
 * It owns no schedule of its own beyond `PollTimer`; everything it may do is in the storage's answers. Where a batch goes to the
 * storage anyway that brings jobs for this worker (an enqueue, a child, the end of one that others waited for), the
 * claim is piggybacked on it, and no other is sent for them. At shutdown nothing new begins: jobs that wait between two steps are given back at once, running steps
 * may end until the time to drain is over, then their jobs are given back too, with the same attempt.
 */

import { BelfryError } from "../base/error.ts";
import { InterruptibleSleep } from "../base/interruptible_sleep.ts";
import type { Engine } from "../engine/engine.ts";
import type { Run, RunEnd, RunHost } from "../execution/run.ts";
import type { ClaimedJob, JobWrite } from "../storage/port.ts";
import { emitEnded, emitStarted, emitSteps } from "./emit.ts";
import { type Claimed, Fetcher } from "./fetcher.ts";
import { Heartbeat } from "./heartbeat.ts";
import { JobWriter, type Saved } from "./job_writer.ts";
import { PiggybackClaims } from "./piggyback.ts";
import { PollTimer } from "./poll_timer.ts";
import { prepare } from "./prepare.ts";
import { UnknownTasks } from "./unknown_tasks.ts";

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

type Settled = Extract<RunEnd, { how: "settled" }>;

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
  readonly #pollTimer: PollTimer;
  readonly #writer: JobWriter;
  readonly #claims: Heartbeat;
  readonly #fetcher: Fetcher;
  readonly #piggyback: PiggybackClaims;
  readonly #unknown: UnknownTasks;
  readonly #host: RunHost;
  /** The sleep of the loop. */
  readonly #sleep: InterruptibleSleep;
  #ran = 0;
  #started = 0;
  /** Calls of `runReady` under way. */
  #passes = 0;
  /** Jobs with whose last write a claim was piggybacked: no other need look for what that brought. */
  readonly #answered = new Set<string>();
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
    this.#sleep = new InterruptibleSleep(engine.clock);
    this.#pollTimer = new PollTimer(engine.clock, engine.storage.capabilities.shared);
    this.#claims = new Heartbeat(engine, {
      claimMs,
      onLost: (id) => this.#lost(id),
      onRenewed: () => this.#readArrivals(),
    });
    this.#writer = new JobWriter(engine, {
      claimMs,
      running: () => this.#active.size,
      mayOwn: (id) => this.#claims.mayOwn(id),
      prolonged: (ids, sentMs) => this.#claims.prolonged(ids, sentMs),
      piggyback: (writes) => {
        this.#wroteMs = engine.clock.monotonic();
        return this.#piggyback.withWrites(writes);
      },
    });
    this.#fetcher = new Fetcher(engine, {
      claimMs,
      queues: () => this.#queues(),
      running: (task) => this.#perTask.get(task) ?? 0,
      take: (job, sentMs) => this.#take(job, sentMs),
    });
    this.#piggyback = new PiggybackClaims(engine, {
      fetcher: this.#fetcher,
      pollTimer: this.#pollTimer,
      queues: () => this.#queues(),
      room: () => (this.#draining ? 0 : this.#room()),
      last: (leaving) => this.#passes > 0 && leaving >= this.#active.size,
      job: (id) => this.#active.get(id)?.run.job,
      sent: () => {
        this.#wroteMs = engine.clock.monotonic();
        this.#pollTimer.asking();
        this.#stale = false;
      },
      answered: (claimed) => {
        if (claimed) this.#claimed(claimed);
        else this.#pollTimer.hint();
        this.#sleep.wake();
      },
    });
    engine.enqueuer.piggyback = (jobs) => this.#piggyback.withJobs(jobs);
    this.#unknown = new UnknownTasks(engine);
    this.#host = {
      engine,
      save: (write) => this.#save(write),
      saved: (run, steps) => emitSteps(engine, run, steps),
    };
    engine.events.on("job:enqueued", ({ id, queue, task, availableAt }) => {
      this.#wroteMs = engine.clock.monotonic();
      if (availableAt > engine.clock.now()) {
        this.#pollTimer.at(availableAt);
        this.#sleep.wake();
      } else if (!this.#piggyback.claims(id)) this.wake({ queues: [queue], tasks: [task] });
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
    this.#pollTimer.hint();
    this.#sleep.wake();
  }

  /**
   * The storage says that something changed. That may be the echo of this engine's own writes, which would make every
   * job cost a claim for nothing, so soon after one of those it counts as a hint for a moment later.
   */
  notified(): void {
    const { clock, storage } = this.#engine;
    this.#planLook();
    const echo = storage.capabilities.shared && clock.monotonic() - this.#wroteMs < ECHO_MS;
    if (echo) this.#pollTimer.at(clock.now() + ECHO_DELAY_MS);
    else this.#pollTimer.hint();
    this.#sleep.wake();
  }

  /** Runs what is ready, and returns when nothing is or the time is over (then running jobs are drained). */
  async runReady(options: RunReadyOptions = {}): Promise<RunReadyReply> {
    this.#passes++;
    try {
      return await this.#pass(options);
    } finally {
      this.#passes--;
    }
  }

  async #pass(options: RunReadyOptions): Promise<RunReadyReply> {
    const { untilMs = Infinity, maxJobs = Infinity, signal } = options;
    const { clock } = this.#engine;
    await this.#engine.open();
    this.#draining = false;
    this.#pollTimer.hint();
    const before = this.#ran;
    const first = this.#started;
    let idle = false;
    this.#stale = true;
    const left = (): number => maxJobs - (this.#started - first);
    const over = (): boolean => signal?.aborted === true || clock.monotonic() >= untilMs || left() <= 0;
    const leave = this.#piggyback.serve(() => (over() ? 0 : left()));
    while (!over()) {
      const room = Math.min(this.#room(), left());
      if (this.#fetcher.piggybacking) {
        idle = false;
        await this.#sleep.sleep(untilMs - clock.monotonic(), signal);
      } else if (room > 0 && this.#pollTimer.waitMs === 0) {
        const claimed = await this.#claim(room);
        if (claimed === null) {
          leave();
          throw new BelfryError("STORAGE_UNAVAILABLE", "Cannot claim jobs: the storage failed");
        }
        idle = claimed === 0;
      } else if (this.#active.size === 0 && this.#stale) {
        this.#pollTimer.hint();
        // A storage that has just failed is left alone for a moment, hint or no hint.
        if (this.#pollTimer.waitMs > 0)
          await this.#sleep.sleep(Math.min(untilMs - clock.monotonic(), this.#pollTimer.waitMs), signal);
      } else if (this.#active.size === 0 && (idle || this.#pollTimer.waitMs > 0)) break;
      else
        await this.#sleep.sleep(
          Math.min(untilMs - clock.monotonic(), room > 0 ? this.#pollTimer.waitMs : Infinity),
          signal,
        );
    }
    leave();
    // With the count used up the jobs that run may end; with the time used up they may not.
    while ((this.#active.size > 0 || this.#fetcher.piggybacking) && !signal?.aborted && clock.monotonic() < untilMs) {
      await this.#sleep.sleep(untilMs - clock.monotonic(), signal);
    }
    const cut = this.#active.size > 0;
    if (cut) await this.#drain();
    const more = cut || (left() <= 0 ? this.#pollTimer.waitMs === 0 : over() && !idle);
    return { ran: this.#ran - before, more, nextAt: this.#nextAt };
  }

  /** Runs jobs until aborted, then drains: resolves when nothing runs and every claim is settled or given back. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#engine.open();
    this.#draining = false;
    this.#pollTimer.hint();
    this.#planLook();
    const { clock } = this.#engine;
    const leave = this.#piggyback.serve(() => (signal.aborted ? 0 : Infinity));
    while (!signal.aborted) {
      const room = this.#fetcher.piggybacking ? 0 : this.#room();
      const waitMs = room > 0 ? this.#pollTimer.waitMs : Infinity;
      if (waitMs === 0) await this.#claim(room);
      else await this.#sleep.sleep(Math.min(waitMs, this.#lookAtMs - clock.monotonic()), signal);
      if (clock.monotonic() >= this.#lookAtMs) await this.#look();
    }
    leave();
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
    this.#pollTimer.asking();
    this.#stale = false;
    const claimed = await this.#fetcher.claim(room);
    if (!claimed) {
      this.#pollTimer.failed();
      return null;
    }
    this.#claimed(claimed);
    return claimed.found;
  }

  #claimed({ found, full, nextAt }: Claimed): void {
    this.#nextAt = nextAt;
    this.#pollTimer.answered(found, full, nextAt);
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
    engine.endings.active.add(job.id);
    this.#active.set(job.id, { run, startedMs: engine.clock.monotonic() });
    this.#perTask.set(job.task, (this.#perTask.get(job.task) ?? 0) + 1);
    emitStarted(engine, run);
    void run.ended.then((end) => this.#ended(run, end));
    run.start();
    // A piggybacked claim may be answered when no loop is left to run its jobs.
    if (this.#draining || !this.#piggyback.serving) run.drain();
  }

  async #save(write: JobWrite): Promise<Saved> {
    const saved = await this.#writer.save(write);
    if (!saved) return null;
    this.#wroteMs = this.#engine.clock.monotonic();
    if (saved.claimed) this.#answered.add(write.id);
    else {
      this.#answered.delete(write.id);
      if (write.children.length > 0) this.wake();
    }
    const run = this.#active.get(write.id)?.run;
    if (write.transition === null && run?.unread(saved.wakes) && run.listens) this.#reread(run);
    return saved;
  }

  #ended(run: Run, end: RunEnd): void {
    const { job } = run;
    const { clock } = this.#engine;
    const active = this.#active.get(job.id);
    if (active?.run !== run) return;
    this.#active.delete(job.id);
    this.#engine.endings.active.delete(job.id);
    this.#claims.delete(job.id);
    this.#perTask.set(job.task, this.#perTask.get(job.task)! - 1);
    this.#ran++;
    const answered = this.#answered.delete(job.id);
    if (!answered) this.#stale = true;
    // Its task was left out of claims while it was at its limit.
    if (this.#engine.tasks.get(job.task)?.concurrency !== Infinity) this.#pollTimer.hint();
    emitEnded(this.#engine, run, end, clock.monotonic() - active.startedMs);
    if (end.how === "settled") this.#follow(run, end, answered);
    this.#sleep.wake();
  }

  /** When to ask next for what an end brings: the job again, its parent, the next of its limit. */
  #follow({ job }: Run, { transition, state, released }: Settled, answered: boolean): void {
    if (transition.to === "ready" || transition.to === "waiting") {
      const woken = state === "ready" && transition.to === "waiting";
      const availableAt = woken ? this.#engine.clock.now() : transition.availableAt;
      if (availableAt !== null && !released && !(woken && answered)) this.#pollTimer.at(availableAt);
      if (availableAt !== null) this.#nextAt = Math.min(this.#nextAt ?? Infinity, availableAt);
    }
    const concerns = state !== "waiting" && (job.parentId !== null || job.limitKey !== null);
    if (concerns && !answered) this.#pollTimer.hint();
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
      if ((this.#active.size === 0 && !this.#fetcher.piggybacking) || leftMs <= 0) break;
      await this.#sleep.sleep(leftMs);
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
}
