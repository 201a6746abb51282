/**
 * The worker: claims jobs, runs them side by side, renews their claims, saves what they write, and drains at shutdown.
 *
 * It carries out what its parts decide: {@link ClaimPolicy} when to claim, {@link Fetcher} and {@link PiggybackClaims} how,
 * {@link Heartbeat} which claims are still ours, {@link JobWriter} when writes are sent. While jobs are drained nothing new
 * begins: jobs between two steps are given back at once, running steps may end within the time to drain, then their jobs are
 * given back as well, with the same attempt.
 */

import { type Moment, momentOf } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import { InterruptibleSleep } from "../base/interruptible_sleep.ts";
import type { Engine } from "../engine/engine.ts";
import type { Run, RunEnd, RunHost } from "../execution/run.ts";
import type { ClaimedJob, JobWrite } from "../storage/port.ts";
import { ClaimPolicy, type EndedRun } from "./claim_policy.ts";
import { emitEnded, emitStarted, emitSteps } from "./emit.ts";
import { Fetcher } from "./fetcher.ts";
import { Heartbeat } from "./heartbeat.ts";
import { JobWriter, type SaveResult } from "./job_writer.ts";
import { Loops } from "./loops.ts";
import { PiggybackClaims } from "./piggyback.ts";
import { prepare, type Verdict } from "./prepare.ts";
import { drain, type RunningJob, RunningJobs } from "./running_jobs.ts";
import { UnknownTasks } from "./unknown_tasks.ts";

/** Options of a {@link Worker}. */
export interface WorkerOptions {
  /** Queues it serves. @default ["default"] and the queues of all registered tasks */
  queues?: string[];
  /** How many jobs it runs at once. */
  concurrency: number;
  /** How long a claim lasts without renewal, ms. */
  claimTtlMs: number;
  /** How long running steps may go on at shutdown, ms. @default 10,000 */
  drainMs?: number;
}

/** Options of {@link Worker.runReady}. */
export interface RunReadyOptions {
  /** Monotonic time, by the engine's clock, at which it stops. @default none */
  untilMs?: number;
  /** Stops it when aborted. */
  signal?: AbortSignal;
}

/** What {@link Worker.runReady} did. */
export interface RunReadyReply {
  /** How many runs of jobs ended, with the job or with its next wait. */
  ran: number;
  /** Whether work is left that could run now. */
  more: boolean;
  /** The next instant at which a job could be claimed, epoch ms, as far as is known; null: none. */
  nextAt: number | null;
}

/** What a hint may say about the jobs that came. */
export interface WakeHint {
  queues?: string[];
  tasks?: string[];
}

const DEFAULT_DRAIN_MS = 10_000;

/** Runs jobs of one engine. */
export class Worker {
  readonly #engine: Engine;
  readonly #options: WorkerOptions;
  readonly #policy: ClaimPolicy;
  readonly #heartbeat: Heartbeat;
  readonly #writer: JobWriter;
  readonly #unknown: UnknownTasks;
  readonly #running = new RunningJobs();
  readonly #host: RunHost;
  readonly #loops: Loops;
  /** Where the loops sleep. */
  readonly #sleep: InterruptibleSleep;
  /** How many runs have ended. */
  #ran = 0;

  /**
   * @param engine the engine
   * @param options what it serves, and how much at once
   */
  constructor(engine: Engine, options: WorkerOptions) {
    this.#engine = engine;
    this.#options = options;
    const { claimTtlMs: claimMs, concurrency } = options;
    const queues = (): string[] => this.#queues();
    this.#sleep = new InterruptibleSleep(engine.clock);
    this.#unknown = new UnknownTasks(engine);
    this.#policy = new ClaimPolicy({ concurrency, shared: engine.storage.capabilities.shared });
    this.#heartbeat = new Heartbeat(engine, {
      claimMs,
      onLost: (id) => this.#lost(id),
      onRenewed: () => this.#readArrivals(),
    });
    const fetcher = new Fetcher(engine, {
      claimMs,
      queues,
      running: (task) => this.#running.ofTask(task),
      take: (job, sentMs) => this.#take(job, sentMs),
      overdue: () => this.#heartbeat.overdue,
      catchUp: () => this.#heartbeat.catchUp(),
    });
    const piggyback = new PiggybackClaims(engine, {
      policy: this.#policy,
      fetcher,
      queues,
      job: (id) => this.#running.get(id)?.job,
      wake: () => this.#sleep.wake(),
    });
    this.#writer = new JobWriter(engine, {
      claimMs,
      running: () => this.#running.size,
      mayOwn: (id) => this.#heartbeat.mayOwn(id),
      prolonged: (ids, sentMs) => this.#heartbeat.prolonged(ids, sentMs),
      piggyback: (writes) => {
        this.#policy.wrote(this.#now());
        return piggyback.withWrites(writes);
      },
    });
    this.#host = {
      engine,
      save: (write) => this.#save(write),
      saved: (run, steps) => emitSteps(engine, run.job, steps),
    };
    this.#loops = new Loops(engine, {
      policy: this.#policy,
      fetcher,
      running: this.#running,
      unknown: this.#unknown,
      sleep: this.#sleep,
      queues,
      drainMs: options.drainMs ?? DEFAULT_DRAIN_MS,
    });
    engine.enqueuer.piggyback = (jobs) => piggyback.withJobs(jobs);
    this.#listen(piggyback);
  }

  /** How many jobs run now. */
  get running(): number {
    return this.#running.size;
  }

  /** Says that jobs may be claimable; a hint at other queues or tasks only is ignored. */
  wake(hint: WakeHint = {}): void {
    this.#policy.arrived({ ours: this.#serves(hint) }, this.#now());
    this.#sleep.wake();
  }

  /** Says that the storage announced a change, which may have been made by this engine itself. */
  notified(): void {
    this.#policy.notified(this.#now());
    this.#sleep.wake();
  }

  /**
   * Runs what is ready. Returns when nothing is, or the time is over; then running jobs are drained, unless another loop
   * goes on with them.
   *
   * @throws BelfryError `STORAGE_UNAVAILABLE` when a claim failed
   */
  async runReady({ untilMs = Infinity, signal }: RunReadyOptions = {}): Promise<RunReadyReply> {
    const before = this.#ran;
    const more = await this.#loops.run({ kind: "pass", untilMs, signal });
    return { ran: this.#ran - before, more, nextAt: this.#policy.nextAt };
  }

  /** Runs jobs until aborted, then drains: resolves when nothing runs and every claim is settled or given back. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#loops.run({ kind: "serve", untilMs: Infinity, signal });
  }

  // ---------------------------------------------------------------- running

  /** Starts a claimed job, unless it runs under this claim already (a claim that was sent again). */
  #take(job: ClaimedJob, sentMs: number): void {
    const before = this.#running.get(job.id);
    if (!before) this.#start(job, sentMs);
    // The storage knows that the earlier run is over, but its reply is still on its way to that run.
    else if (before.job.claimToken !== job.claimToken) void before.ended.then(() => this.#start(job, sentMs));
  }

  #start(job: ClaimedJob, sentMs: number): void {
    const engine = this.#engine;
    this.#heartbeat.add(job.id, job.claimToken!, sentMs);
    engine.endings.started(job.id);
    const { run, verdict } = prepare(this.#host, job, this.#unknown);
    const ended = run ? run.ended : this.#settle(job, verdict);
    const startedMs = engine.clock.monotonic();
    const entry: RunningJob = { job, run, ended, startedMs, claimed: false, draining: false };
    this.#running.add(entry);
    this.#policy.started();
    void ended.then((end) => this.#ended(entry, end));
    if (run) {
      emitStarted(engine, job);
      run.start();
    }
    // A piggybacked claim may be answered when no loop is left to run its jobs.
    if (!this.#policy.serving) drain(entry);
  }

  /** Settles a job whose handler is not called. */
  async #settle({ id, claimToken }: ClaimedJob, { transition, failure }: Verdict): Promise<RunEnd> {
    const saved = await this.#save({ id, token: claimToken!, steps: [], forget: [], children: [], transition });
    return saved && !("refused" in saved)
      ? { how: "settled", transition, failure, state: saved.state, released: false }
      : { how: "lost" };
  }

  async #save(write: JobWrite): Promise<SaveResult> {
    const saved = await this.#writer.save(write);
    if (!saved || "refused" in saved) return saved;
    this.#policy.wrote(this.#now());
    const entry = this.#running.get(write.id);
    if (entry) entry.claimed = saved.claimed;
    if (write.children.length > 0 && !saved.claimed) this.wake();
    const run = entry?.run;
    if (write.transition === null && run?.unread(saved.arrivals) && run.listens) this.#reread(run);
    return saved;
  }

  #ended(entry: RunningJob, end: RunEnd): void {
    const { job, startedMs } = entry;
    if (!this.#running.delete(entry)) return;
    this.#engine.endings.stopped(job.id);
    this.#heartbeat.delete(job.id);
    this.#ran++;
    emitEnded(this.#engine, job, end, this.#engine.clock.monotonic() - startedMs);
    const now = this.#now();
    this.#policy.ended(this.#factsOf(entry, end, now), now);
    this.#sleep.wake();
  }

  #factsOf({ job, claimed }: RunningJob, end: RunEnd, now: Moment): EndedRun {
    const limited = (this.#engine.tasks.get(job.task)?.concurrency ?? Infinity) !== Infinity;
    if (end.how === "lost") return { claimed, limited, unblocks: false, claimableAt: null, released: false };
    const { transition, state, released } = end;
    const unblocks = state !== "waiting" && (job.parentId !== null || job.limitKey !== null);
    let claimableAt: number | null = null;
    // A job that was woken while it suspended is ready now, and a claim piggybacked on that write has seen it.
    if (transition.to === "waiting" && state === "ready") claimableAt = claimed ? null : now.wall;
    else if (transition.to === "waiting" || transition.to === "ready") claimableAt = transition.availableAt;
    return { claimed, limited, unblocks, claimableAt, released };
  }

  #lost(id: string): void {
    this.#running.get(id)?.run?.lose(new BelfryError("CLAIM_LOST", `Job ${id} is no longer this worker's`));
  }

  // ---------------------------------------------------------------- what comes from outside

  #listen(piggyback: PiggybackClaims): void {
    const { events } = this.#engine;
    events.on("job:enqueued", ({ id, queue, task, availableAt }) => {
      const now = this.#now();
      const claimed = piggyback.covers(id);
      const ours = claimed || this.#serves({ queues: [queue], tasks: [task] });
      this.#policy.wrote(now);
      this.#policy.arrived({ ours, claimed, availableAt }, now);
      // The answer to a piggybacked claim wakes the loops.
      if (!claimed) this.#sleep.wake();
    });
    events.on("signal:sent", () => this.wake());
    events.on("job:cancelled", ({ id }) => {
      this.#running.get(id)?.run?.lose(new BelfryError("JOB_CANCELLED", `Job ${id} was cancelled`));
    });
  }

  /** After each renewal: reads what has reached jobs that run and wait at the same time. */
  #readArrivals(): void {
    for (const { run } of this.#running) if (run?.listens) this.#reread(run);
  }

  #reread(run: Run): void {
    this.#engine.storage.getJob({ id: run.job.id }).then(
      (found) => {
        if (found) run.refresh(found);
      },
      (error) => this.#engine.report(error, `reading job ${run.job.id}`),
    );
  }

  #serves({ queues, tasks }: WakeHint): boolean {
    if (queues) {
      const served = this.#queues();
      if (!queues.some((queue) => served.includes(queue))) return false;
    }
    return !tasks || tasks.some((task) => this.#engine.tasks.has(task));
  }

  #queues(): string[] {
    if (this.#options.queues) return this.#options.queues;
    const { tasks } = this.#engine;
    return [...new Set(["default", ...tasks.names().map((name) => tasks.get(name)!.queue)])];
  }

  #now(): Moment {
    return momentOf(this.#engine.clock);
  }
}
