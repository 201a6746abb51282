/**
 * Ready jobs that this worker cannot run, because it does not know their task: they wait for a worker that does, and are
 * told of once, since a name that nobody knows would otherwise wait in silence.
 *
 * The storage hands out only known tasks, so strangers are looked for on the side, rarely, among the newest ready jobs.
 */

import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";

/** How many ready jobs are looked at. */
const SAMPLE = 100;
/** A job must have been ready this long, or a worker that knows it may be about to take it. */
const PATIENCE_MS = 5_000;

/** Looks for tasks that nobody here knows. */
export class UnknownTasks {
  readonly #engine: Engine;
  readonly #told = new Set<string>();

  /** @param engine the engine */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Reports names that were not reported before.
   *
   * @param queues the worker's queues
   * @returns whether there are unknown ones too new to be told of
   */
  async look(queues: readonly string[]): Promise<boolean> {
    const { storage, tasks, clock } = this.#engine;
    const before = clock.now() - PATIENCE_MS;
    let again = false;
    for (const queue of queues) {
      for (const job of await storage.listJobs({ states: ["ready"], queue, limit: SAMPLE })) {
        if (tasks.has(job.task) || this.#told.has(job.task)) continue;
        if ((job.availableAt ?? 0) > before) {
          again = true;
          continue;
        }
        this.#told.add(job.task);
        const near = tasks.suggestion(job.task);
        this.#engine.report(
          new BelfryError(
            "TASK_UNKNOWN",
            `Job ${job.id} waits in queue ${JSON.stringify(queue)} for task ${JSON.stringify(job.task)}, which this worker ` +
              `does not know${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}` +
              "; it stays ready for a worker that does",
          ),
          "looking for jobs of unknown tasks",
        );
      }
    }
    return again;
  }
}
