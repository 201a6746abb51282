/**
 * Which jobs does a worker run now, and how many of each task?
 */
import type { Run, RunEnd } from "../execution/run.ts";
import type { ClaimedJob } from "../storage/port.ts";

/** A claimed job, until its end or its next wait is stored. */
export interface RunningJob {
  readonly job: ClaimedJob;
  /** The execution of the handler; null: the job is settled without calling it. */
  readonly run: Run | null;
  /** Resolves when the run is over and what it wrote is stored, or its claim is lost. */
  readonly ended: Promise<RunEnd>;
  /** Monotonic time at which it began. */
  readonly startedMs: number;
  /** A piggybacked claim was answered with the job's last write. */
  claimed: boolean;
  /** It begins nothing new: it is given back at the next opportunity. */
  draining: boolean;
}

/** The running jobs of one worker. */
export class RunningJobs {
  readonly #byId = new Map<string, RunningJob>();
  readonly #perTask = new Map<string, number>();

  /** How many there are. */
  get size(): number {
    return this.#byId.size;
  }

  /** Finds a job by its id. */
  get(id: string): RunningJob | undefined {
    return this.#byId.get(id);
  }

  /** How many jobs of a task run. */
  ofTask(task: string): number {
    return this.#perTask.get(task) ?? 0;
  }

  /** Lets all of them begin nothing new. */
  drain(): void {
    for (const entry of this.#byId.values()) drain(entry);
  }

  /** Those that begin nothing new. */
  draining(): RunningJob[] {
    return [...this.#byId.values()].filter((entry) => entry.draining);
  }

  /** Adds a job. */
  add(entry: RunningJob): void {
    const { id, task } = entry.job;
    this.#byId.set(id, entry);
    this.#perTask.set(task, this.ofTask(task) + 1);
  }

  /** Removes a job. @returns false when it was not there, or another run of it is */
  delete(entry: RunningJob): boolean {
    const { id, task } = entry.job;
    if (this.#byId.get(id) !== entry) return false;
    this.#byId.delete(id);
    this.#perTask.set(task, this.ofTask(task) - 1);
    return true;
  }

  [Symbol.iterator](): IterableIterator<RunningJob> {
    return this.#byId.values();
  }
}

/** Lets a job begin nothing new. */
export function drain(entry: RunningJob): void {
  entry.draining = true;
  entry.run?.drain();
}
