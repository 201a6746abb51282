/**
 * Reports ready jobs that this worker cannot run because their task, or the version of it, is not registered here.
 *
 * Such jobs stay ready for a worker that knows the task. Each name is reported once, since a job of a task that no worker
 * knows would otherwise wait unnoticed. The storage hands out only jobs of known tasks, so unknown ones are looked for
 * separately and rarely, among the newest ready jobs.
 */

import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClaimedJob } from "../storage/port.ts";

/** How many ready jobs of a queue are looked at. */
const SAMPLE = 100;
/** A job must have been ready for this long, because a worker that knows its task may be about to claim it. */
const MIN_AGE_MS = 5_000;

/** Reports tasks that this worker does not know. */
export class UnknownTasks {
  readonly #engine: Engine;
  readonly #reported = new Set<string>();

  /** @param engine the engine */
  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /**
   * Looks for jobs of unknown tasks, and reports names that were not reported before.
   *
   * @param queues the worker's queues
   * @returns whether there are some that are too new to be reported
   */
  async look(queues: readonly string[]): Promise<boolean> {
    const { storage, tasks, clock } = this.#engine;
    const before = clock.now() - MIN_AGE_MS;
    let tooNew = false;
    for (const queue of queues) {
      for (const job of await storage.listJobs({ states: ["ready"], queue, limit: SAMPLE })) {
        if (tasks.has(job.task) || this.#reported.has(job.task)) continue;
        if ((job.availableAt ?? 0) > before) {
          tooNew = true;
          continue;
        }
        this.#reported.add(job.task);
        const near = tasks.suggestion(job.task);
        this.#engine.report(
          new BelfryError(
            "TASK_UNKNOWN",
            `Job ${job.id} waits in queue ${JSON.stringify(queue)} for task ${JSON.stringify(job.task)}, which is not registered ` +
              `in this worker${near === undefined ? "" : `; did you mean ${JSON.stringify(near)}?`}` +
              "; it stays ready for a worker that has it",
          ),
          "looking for jobs of unknown tasks",
        );
      }
    }
    return tooNew;
  }

  /** Reports that a claimed job needs a version of its task that is not registered here, once for each version. */
  reportVersion({ id, task }: ClaimedJob, version: string | undefined): void {
    const name = JSON.stringify([task, version]);
    if (this.#reported.has(name)) return;
    this.#reported.add(name);
    this.#engine.report(
      new BelfryError(
        "TASK_UNKNOWN",
        `Job ${id} is for version ${JSON.stringify(version)} of task ${JSON.stringify(task)}, which is not registered ` +
          "in this worker; it stays ready for a worker that has it",
      ),
      "preparing a job",
    );
  }
}
