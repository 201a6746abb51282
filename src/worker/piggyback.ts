/**
 * On which batches is a claim piggybacked?
 *
 * The batch must make jobs claimable for this worker: due jobs of its queues and tasks that are being enqueued, children of
 * running jobs, or the end of a job on which a parent or the next job of a limit waits. The {@link ClaimPolicy} adds the
 * cases that do not depend on what is written, and says how many jobs the claim may bring.
 */
import { momentOf } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import type { ClaimedJob, JobWrite, NewJob } from "../storage/port.ts";
import type { ClaimPolicy, PiggybackOffer } from "./claim_policy.ts";
import type { Fetcher } from "./fetcher.ts";

/** What {@link PiggybackClaims} need of their worker. */
export interface PiggybackOptions {
  policy: ClaimPolicy;
  fetcher: Fetcher;
  /** The queues to serve. */
  queues(): string[];
  /** A job that runs. */
  job(id: string): ClaimedJob | undefined;
  /** A piggybacked claim was answered, or failed: the loops must look again. */
  wake(): void;
}

const NONE: ReadonlySet<string> = new Set();

/** Makes the piggybacked claims of one worker. */
export class PiggybackClaims {
  readonly #engine: Engine;
  readonly #options: PiggybackOptions;
  /** Ids of the jobs of the enqueue that carries a claim now. */
  #enqueuing = NONE;

  /**
   * @param engine the engine
   * @param options what it needs of the worker
   */
  constructor(engine: Engine, options: PiggybackOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Whether a claim is piggybacked on the enqueue of this job, so that no other claim is needed for it. */
  covers(id: string): boolean {
    return this.#enqueuing.has(id);
  }

  /** Makes a claim for a batch that enqueues jobs; null: none goes with it. */
  withJobs(jobs: readonly NewJob[]): PiggybackClaim | null {
    if (!this.#claimable(jobs)) return null;
    const claim = this.#offer({ wanted: true, ending: 0 });
    if (claim) this.#enqueuing = new Set(jobs.map(({ id }) => id));
    return claim;
  }

  /** Makes a claim for a batch that saves what running jobs write; null: none goes with it. */
  withWrites(writes: readonly JobWrite[]): PiggybackClaim | null {
    let ending = 0;
    let wanted = false;
    for (const { id, transition, children } of writes) {
      wanted ||= this.#claimable(children);
      if (!transition) continue;
      ending++;
      const job = this.#options.job(id);
      wanted ||= transition.to !== "waiting" && job !== undefined && (job.parentId !== null || job.limitKey !== null);
    }
    return this.#offer({ wanted, ending });
  }

  /** Whether this worker could claim one of these jobs now. */
  #claimable(jobs: readonly NewJob[]): boolean {
    if (jobs.length === 0) return false;
    const { tasks, clock } = this.#engine;
    const queues = this.#options.queues();
    return jobs.some((job) => job.availableAt <= clock.now() && queues.includes(job.queue) && tasks.has(job.task));
  }

  #offer(offer: PiggybackOffer): PiggybackClaim | null {
    const { policy, fetcher, wake } = this.#options;
    const { clock } = this.#engine;
    const limit = policy.piggyback(offer, momentOf(clock));
    if (limit === 0) return null;
    const claim = fetcher.piggyback(limit, (result) => {
      this.#enqueuing = NONE;
      if (result) policy.answered(result, momentOf(clock));
      else policy.unanswered();
      wake();
    });
    if (claim) policy.sent();
    return claim;
  }
}
