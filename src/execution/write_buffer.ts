/**
 * What has a run to save that it has not sent yet?
 *
 * Records gather here until something needs them saved: a durable call that must not begin before, the end of the run, or
 * quiet code without open calls. Failures alone are no reason: until something begins after one, losing it only means
 * that the step is tried again.
 */
import type { BelfryError } from "../base/error.ts";
import type { JobState, JobTransition, JobWrite, NewJob, StepRecord } from "../storage/port.ts";

/** The answer to a write: the job's state and count of arrivals after it; null: the claim was lost and nothing is saved. */
export type Saved = { state: JobState; arrivals: number } | null;

/** The storage refuses the write, whatever is tried. */
export interface Refused {
  refused: BelfryError;
}

/** The unsaved part of a run's history. */
export class WriteBuffer {
  readonly #id: string;
  readonly #token: string;
  readonly #save: (write: JobWrite) => Promise<Saved>;
  readonly #steps = new Map<string, StepRecord>();
  #children: NewJob[] = [];
  #progress: string | undefined;
  #notes: string | undefined;
  /** The last write, while it is under way. */
  #sending: Promise<Saved> | undefined;

  /**
   * @param claim the job's id and claim token
   * @param save sends a write
   */
  constructor(claim: { id: string; token: string }, save: (write: JobWrite) => Promise<Saved>) {
    this.#id = claim.id;
    this.#token = claim.token;
    this.#save = save;
  }

  /** Adds a record, in place of an unsent one of the same name. */
  put(step: StepRecord): void {
    this.#steps.set(step.name, step);
  }

  /** Takes a record back. @returns false when it was sent already, or never put */
  drop(name: string): boolean {
    return this.#steps.delete(name);
  }

  /** Adds a child to insert. */
  addChild(child: NewJob): void {
    this.#children.push(child);
  }

  /** Sets the job's encoded progress. */
  set progress(encoded: string) {
    this.#progress = encoded;
  }

  /** Sets the job's notes, as JSON. */
  set notes(json: string) {
    this.#notes = json;
  }

  /** Whether there is something that is worth a write of its own. */
  get worthSending(): boolean {
    if (this.#children.length > 0 || this.#progress !== undefined || this.#notes !== undefined) return true;
    for (const step of this.#steps.values()) if (step.state !== "failed") return true;
    return false;
  }

  /** Drops unsent failures. */
  dropFailures(): void {
    for (const [name, step] of this.#steps) if (step.state === "failed") this.#steps.delete(name);
  }

  /** Resolves when all records up to now are saved; undefined when they are so already. */
  saved(): Promise<Saved> | undefined {
    return this.#steps.size > 0 || this.#children.length > 0 ? this.send(null) : this.#sending;
  }

  /** Sends what there is. @param forget names of stored steps to forget */
  send(transition: JobTransition | null, forget: string[] = []): Promise<Saved> {
    const write: JobWrite = {
      id: this.#id,
      token: this.#token,
      steps: [...this.#steps.values()],
      forget,
      children: this.#children,
      transition,
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
      ...(this.#notes === undefined ? {} : { notes: this.#notes }),
    };
    this.#steps.clear();
    this.#children = [];
    this.#progress = undefined;
    this.#notes = undefined;
    const sending = this.#save(write).finally(() => {
      if (this.#sending === sending) this.#sending = undefined;
    });
    this.#sending = sending;
    return sending;
  }
}
