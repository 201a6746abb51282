/**
 * The loops of a worker: each does what the {@link ClaimPolicy} says until it says stop.
 *
 * Any number of loops may be open at once: `run` of a server, and passes of `tick`. They share the room for jobs. A server's
 * loop that stops drains all running jobs; a pass does so only when no other loop goes on with them.
 */
import { momentOf } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import type { InterruptibleSleep } from "../base/interruptible_sleep.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClaimPolicy, Loop } from "./claim_policy.ts";
import type { Fetcher } from "./fetcher.ts";
import type { RunningJobs } from "./running_jobs.ts";
import type { UnknownTasks } from "./unknown_tasks.ts";

/** What {@link Loops} need of their worker. */
export interface LoopsOptions {
  policy: ClaimPolicy;
  fetcher: Fetcher;
  running: RunningJobs;
  unknown: UnknownTasks;
  /** Woken whenever something happens that may change what a loop does next. */
  sleep: InterruptibleSleep;
  /** The queues to serve. */
  queues(): string[];
  /** How long running steps may go on when jobs are drained, ms. */
  drainMs: number;
}

/** Runs the loops of one worker. */
export class Loops {
  readonly #engine: Engine;
  readonly #options: LoopsOptions;

  /**
   * @param engine the engine
   * @param options what they need of the worker
   */
  constructor(engine: Engine, options: LoopsOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /**
   * Runs a loop to its end, and drains the jobs that it leaves to no other.
   *
   * @returns whether work is left that could run now
   * @throws BelfryError `STORAGE_UNAVAILABLE` when a claim of a pass failed
   */
  async run(loop: Loop): Promise<boolean> {
    const { policy, sleep } = this.#options;
    await this.#engine.open();
    policy.opened(loop, this.#now());
    try {
      for (;;) {
        const action = policy.next(loop, this.#now());
        if (action.do === "stop") return action.more;
        if (action.do === "sleep") await sleep.sleep(action.ms, loop.signal);
        else if (action.do === "look") await this.#look();
        else if (!(await this.#claim(action.limit)) && loop.kind === "pass") {
          throw new BelfryError("STORAGE_UNAVAILABLE", "Cannot claim jobs: the storage failed");
        }
      }
    } finally {
      policy.closed(loop);
      if (loop.kind === "serve" || !policy.serving) await this.#drain();
    }
  }

  /** Claims and starts jobs. @returns false when the storage failed */
  async #claim(limit: number): Promise<boolean> {
    const { policy, fetcher, sleep } = this.#options;
    policy.sent();
    const result = await fetcher.claim(limit);
    if (result) policy.answered(result, this.#now());
    else policy.failed(this.#now());
    // Another loop may have waited for the answer.
    sleep.wake();
    return result !== null;
  }

  async #look(): Promise<void> {
    const { policy, unknown, queues } = this.#options;
    policy.looking();
    let again = false;
    try {
      again = await unknown.look(queues());
    } catch (error) {
      this.#engine.report(error, "looking for jobs of unknown tasks");
    }
    policy.looked(again, this.#now());
  }

  /** Lets the jobs that run now end within the time to drain, then gives back those that are left. */
  async #drain(): Promise<void> {
    const { policy, running, sleep, drainMs } = this.#options;
    const { clock } = this.#engine;
    running.drain();
    const endMs = clock.monotonic() + drainMs;
    for (;;) {
      // A piggybacked claim may still bring jobs; without a loop they are drained as soon as they start.
      const claiming = policy.inFlight && !policy.serving;
      const leftMs = endMs - clock.monotonic();
      if ((running.draining().length === 0 && !claiming) || leftMs <= 0) break;
      await sleep.sleep(leftMs);
    }
    const left = running.draining();
    const reason = new BelfryError("CLOSED", "The worker shuts down: the job is given back to be taken up by another");
    for (const { run } of left) run?.release(reason);
    await Promise.all(left.map(({ ended }) => ended));
  }

  #now() {
    return momentOf(this.#engine.clock);
  }
}
