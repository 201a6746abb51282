/**
 * All queues, as `belfry.queues`: how deep they are, their limits, pause and resume.
 *
 * A queue needs no registration: it is there as soon as a job names it. What is stored about it is its settings alone.
 */
import { checkName } from "../base/names.ts";
import { anything, type Checks, checkOptions, flag, orNull, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import { readStats } from "../engine/stats.ts";
import type { Instant, QueueRecord } from "../storage/port.ts";
import { type Rate, readRate } from "../task/rate.ts";

/** A queue's settings and depth. */
export interface QueueInfo extends QueueRecord {
  /** Jobs that can be claimed now. */
  ready: number;
  /** Jobs that become ready later: delayed, sleeping, backing off. */
  scheduled: number;
  /** Jobs that a limit keeps back. */
  held: number;
  running: number;
  /** Jobs that wait for a signal or a child. */
  waiting: number;
  failed: number;
  /** When the oldest claimable job became available, epoch ms; null where none is claimable. */
  oldestReadyAt: Instant | null;
}

/** Settings of a queue; what is not given stays as it is. */
export interface QueueOptions {
  /** While true, nothing of the queue is claimed; running jobs go on. */
  paused?: boolean;
  /** At most this many of its jobs run at once, over all workers; 1 or more; null: no limit. */
  concurrency?: number | null;
  /** At most `count` of its jobs start in any window of `per`, over all workers; null: no limit. */
  rate?: Rate | null;
}

const QUEUE_CHECKS: Checks<QueueOptions> = {
  paused: flag,
  concurrency: orNull(whole(1, Number.MAX_SAFE_INTEGER)),
  // `readRate` checks it.
  rate: anything,
};

/** The queues of an installation. */
export class Queues {
  readonly #engine: Engine;
  readonly #wakeWorker: () => void;

  /**
   * @param engine where the queues are stored
   * @param wakeWorker makes this process's worker look for jobs now
   */
  constructor(engine: Engine, wakeWorker: () => void) {
    this.#engine = engine;
    this.#wakeWorker = wakeWorker;
  }

  /** Lists every queue that has settings, or unfinished or failed jobs; two round trips. */
  async list(): Promise<QueueInfo[]> {
    const { queues } = await readStats(this.#engine);
    const settings = new Map((await this.#engine.storage.listQueues()).map((record) => [record.name, record]));
    return queues.map(({ queue: name, ...depths }) => {
      const { concurrency = null, rate = null } = settings.get(name) ?? {};
      return { name, concurrency, rate, ...depths };
    });
  }

  /**
   * Sets limits of a queue, or pauses it.
   *
   * @returns all settings as they are stored now
   * @throws BelfryError `NAME_INVALID`, `OPTION_INVALID`, `DURATION_INVALID`, before anything is written
   */
  async configure(name: string, options: QueueOptions): Promise<QueueRecord> {
    checkName(name, "queue");
    const what = `queue ${JSON.stringify(name)}`;
    checkOptions(options, what, QUEUE_CHECKS);
    const { paused, concurrency } = options;
    const rate = options.rate === undefined || options.rate === null ? options.rate : readRate(options.rate, what);
    await this.#engine.open();
    const { storage, clock } = this.#engine;
    const change = {
      ...(paused === undefined ? {} : { paused }),
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(rate === undefined ? {} : { rate }),
    };
    await storage.putQueues({ now: clock.now(), queues: [{ ...change, name }] });
    this.#wakeWorker();
    const stored = (await storage.listQueues()).find((queue) => queue.name === name);
    return stored ?? { name, paused: false, concurrency: null, rate: null };
  }

  /** Pauses a queue: nothing of it is claimed, running jobs go on. @throws BelfryError `NAME_INVALID` */
  pause(name: string): Promise<QueueRecord> {
    return this.configure(name, { paused: true });
  }

  /** Resumes a paused queue. @throws BelfryError `NAME_INVALID` */
  resume(name: string): Promise<QueueRecord> {
    return this.configure(name, { paused: false });
  }
}
