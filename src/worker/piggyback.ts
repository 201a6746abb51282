/**
 * On which batches is a claim piggybacked? On those that bring something for this worker: jobs of its tasks that are due,
 * children, the end of a job that others wait for, or room in a worker that was full while more was there. And on the
 * last of a pass, which must ask once more whether anything is left.
 *
 * What a piggybacked claim has answered need not be asked for again.
 */
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import type { ClaimedJob, JobWrite, NewJob } from "../storage/port.ts";
import type { Claimed, Fetcher } from "./fetcher.ts";
import type { PollTimer } from "./poll_timer.ts";

/** What piggybacked claims need from their worker. */
export interface PiggybackOptions {
  fetcher: Fetcher;
  pollTimer: PollTimer;
  /** The queues to serve. */
  queues(): string[];
  /** How many more jobs may run. */
  room(): number;
  /** Whether a pass would end when so many jobs leave, and so must ask. */
  last(leaving: number): boolean;
  /** A job that runs. */
  job(id: string): ClaimedJob | undefined;
  /** A claim goes along. */
  sent(): void;
  /** It was answered, its jobs are taken; null: it must be asked again. */
  answered(claimed: Claimed | null): void;
}

const NONE: ReadonlySet<string> = new Set();

/** Piggybacks the claims of one worker on other batches. */
export class PiggybackClaims {
  readonly #engine: Engine;
  readonly #options: PiggybackOptions;
  /** How many more jobs each loop that is under way may start. */
  readonly #allowances = new Set<() => number>();
  /** Jobs that are being enqueued with a claim. */
  #enqueued = NONE;

  /** @param engine the engine */
  constructor(engine: Engine, options: PiggybackOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Whether a loop is under way that runs what is claimed. */
  get serving(): boolean {
    return this.#allowances.size > 0;
  }

  /**
   * A loop begins.
   *
   * @param allowance how many more jobs it may start
   * @returns what it calls when it ends
   */
  serve(allowance: () => number): () => void {
    this.#allowances.add(allowance);
    return () => this.#allowances.delete(allowance);
  }

  /** Whether a claim is piggybacked on the enqueue of this job, so that no other claim is needed for it. */
  claims(id: string): boolean {
    return this.#enqueued.has(id);
  }

  /** A claim to go with jobs that are being enqueued, where this worker could start some of them. */
  withJobs(jobs: readonly NewJob[]): PiggybackClaim | null {
    const piggyback = this.#brings(jobs) ? this.#piggyback(0) : null;
    if (piggyback) this.#enqueued = new Set(jobs.map(({ id }) => id));
    return piggyback;
  }

  /** A claim to go with what running jobs write, where that makes room or jobs for this worker. */
  withWrites(writes: readonly JobWrite[]): PiggybackClaim | null {
    let leaving = 0;
    let wanted = this.#options.pollTimer.waitMs === 0;
    for (const { id, transition, children } of writes) {
      wanted ||= this.#brings(children);
      if (!transition) continue;
      leaving++;
      const job = this.#options.job(id);
      wanted ||= transition.to !== "waiting" && job !== undefined && (job.parentId !== null || job.limitKey !== null);
    }
    return wanted || this.#options.last(leaving) ? this.#piggyback(leaving) : null;
  }

  #brings(jobs: readonly NewJob[]): boolean {
    const { tasks, clock } = this.#engine;
    const queues = this.#options.queues();
    return jobs.some((job) => job.availableAt <= clock.now() && queues.includes(job.queue) && tasks.has(job.task));
  }

  /** @param leaving how many of the jobs that run leave with the batch */
  #piggyback(leaving: number): PiggybackClaim | null {
    const { fetcher, pollTimer, room, sent, answered } = this.#options;
    if (pollTimer.failing) return null;
    const allowed = Math.max(0, ...[...this.#allowances].map((allowance) => allowance()));
    const piggyback = fetcher.piggyback(Math.min(room() + leaving, allowed), (claimed) => {
      this.#enqueued = NONE;
      answered(claimed);
    });
    if (piggyback) sent();
    return piggyback;
  }
}
