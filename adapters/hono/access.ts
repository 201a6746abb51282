/**
 * What may a caller do, and to what? Scopes say which routes it may call; a narrowed token reaches only some queues, tasks
 * or schedules through them.
 *
 * - `queues` and `tasks` narrow to jobs of these, and to schedules that make such jobs.
 * - `schedules` narrows to schedules whose names begin so, and to their jobs. Such a token can neither enqueue nor claim: a
 *   job of no schedule is not within its reach.
 *
 * A route that is not about a single job, schedule or queue says how it honours this (`narrowed` in `routes/route.ts`). A
 * job that is out of reach is answered as one that does not exist.
 */
import { BelfryError } from "../../src/base/error.ts";
import { Refusal } from "./problem.ts";

/**
 * What a token allows.
 *
 * - `tick`: to call `/tick`.
 * - `enqueue`: to put jobs into queues, and nothing else.
 * - `work`: to enqueue, signal, cancel, retry and run jobs, and to read single jobs.
 * - `read`: to read everything.
 * - `admin`: all of these, and to change schedules and queues.
 */
export type Scope = "tick" | "enqueue" | "work" | "read" | "admin";

/** All scopes. */
export const SCOPES: readonly Scope[] = ["tick", "enqueue", "work", "read", "admin"];

/** What a token is narrowed to; what is absent is not narrowed. */
export interface Reach {
  /** Only jobs in these queues. */
  queues?: readonly string[];
  /** Only jobs of these tasks. */
  tasks?: readonly string[];
  /** Only schedules whose names begin with one of these, and their jobs. */
  schedules?: readonly string[];
}

/** A job, as far as reach is about it. */
export interface ReachedJob {
  readonly queue: string;
  readonly task: string;
  readonly schedule: string | null;
}

/** What one caller may do. */
export class Access {
  readonly scopes: ReadonlySet<Scope>;
  /** Whether the token is narrowed to anything. */
  readonly narrowed: boolean;
  readonly #queues: ReadonlySet<string> | null;
  readonly #tasks: ReadonlySet<string> | null;
  readonly #schedules: readonly string[] | null;

  /**
   * @param scopes what the token allows
   * @param reach what it is narrowed to
   */
  constructor(scopes: Iterable<Scope>, { queues, tasks, schedules }: Reach = {}) {
    this.scopes = new Set(scopes);
    this.narrowed = queues !== undefined || tasks !== undefined || schedules !== undefined;
    this.#queues = queues === undefined ? null : new Set(queues);
    this.#tasks = tasks === undefined ? null : new Set(tasks);
    this.#schedules = schedules ?? null;
  }

  /** Whether the scopes allow what one of the needed ones does. */
  allows(needed: readonly Scope[]): boolean {
    return this.scopes.has("admin") || needed.some((scope) => this.scopes.has(scope));
  }

  /** Whether a job is within reach. */
  reachesJob({ queue, task, schedule }: ReachedJob): boolean {
    if (this.#schedules !== null && (schedule === null || !this.reachesSchedule(schedule))) return false;
    return this.#reachesPlace(queue, task);
  }

  /** Whether a schedule of this name is within reach. What it runs is another question: {@link reachesJob}. */
  reachesSchedule(name: string): boolean {
    return this.#schedules === null || this.#schedules.some((prefix) => name.startsWith(prefix));
  }

  /** Whether a queue as a whole may be seen: its depth tells of all its jobs. */
  seesQueue(name: string): boolean {
    return this.#schedules === null && (this.#queues?.has(name) ?? true);
  }

  /** Whether what is set for a whole queue is within reach: it concerns every task. */
  rulesQueue(name: string): boolean {
    return this.seesQueue(name) && this.#tasks === null;
  }

  /**
   * The tasks that a claim may ask for.
   *
   * @param asked those that the worker asks for; null: any
   * @throws Refusal `FORBIDDEN` where it asks for queues or tasks that are out of reach
   */
  claimable(queues: readonly string[], asked: string[] | null): string[] | null {
    const queue = queues.find((name) => !this.seesQueue(name));
    if (queue !== undefined) throw outOfReach(`claim jobs of queue ${JSON.stringify(queue)}`);
    if (this.#tasks === null) return asked;
    const task = asked?.find((name) => !this.#tasks!.has(name));
    if (task !== undefined) throw outOfReach(`claim jobs of task ${JSON.stringify(task)}`);
    return asked ?? [...this.#tasks];
  }

  /** @throws Refusal `FORBIDDEN` where a job may not be put there */
  needPlace(job: ReachedJob): void {
    if (this.reachesJob(job)) return;
    throw outOfReach(`make a job of task ${JSON.stringify(job.task)} in queue ${JSON.stringify(job.queue)}`);
  }

  /** @throws BelfryError `JOB_UNKNOWN` where the job is out of reach or not stored, without a word of which */
  needJob(id: string, job: ReachedJob | null): void {
    if (job !== null && this.reachesJob(job)) return;
    throw new BelfryError("JOB_UNKNOWN", `No job has the id ${JSON.stringify(id)}`);
  }

  #reachesPlace(queue: string, task: string): boolean {
    return (this.#queues?.has(queue) ?? true) && (this.#tasks?.has(task) ?? true);
  }
}

/** Makes the refusal of what a narrowed token does not reach. @param what `claim jobs of queue "mail"` */
export function outOfReach(what: string): Refusal {
  return new Refusal("FORBIDDEN", `Cannot ${what} with this token: it is narrowed to others.`);
}
