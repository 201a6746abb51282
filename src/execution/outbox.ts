/**
 * What one run has to save and has not sent yet.
 *
 * Rows gather here until something makes them go: a durable call that must not begin before they are saved, the end of
 * the run, or the code being quiet with nothing asked. Failures alone are no reason: until something begins after one,
 * forgetting it only means that the step is tried again.
 */
import type { JobState, JobTransition, JobWrite, NewJob, StepRecord } from "../storage/port.ts";

/** What a write came to; null: the claim was lost. */
export type Reply = { state: JobState; arrivals: number } | null;

/** The unsaved part of a run's history. */
export class Outbox {
  readonly #id: string;
  readonly #token: string;
  readonly #save: (write: JobWrite) => Promise<Reply>;
  readonly #rows = new Map<string, StepRecord>();
  #children: NewJob[] = [];
  #progress: string | undefined;
  #notes: string | undefined;
  #sending: Promise<Reply> | undefined;

  /**
   * @param claim the job's id and claim token
   * @param save sends a write
   */
  constructor(claim: { id: string; token: string }, save: (write: JobWrite) => Promise<Reply>) {
    this.#id = claim.id;
    this.#token = claim.token;
    this.#save = save;
  }

  put(row: StepRecord): void {
    this.#rows.set(row.name, row);
  }

  /** Takes a row back. @returns false when it was sent already, or never put */
  drop(name: string): boolean {
    return this.#rows.delete(name);
  }

  addChild(child: NewJob): void {
    this.#children.push(child);
  }

  /** Progress to save with the next write. */
  set progress(encoded: string) {
    this.#progress = encoded;
  }

  /** The job's notes from the next write on. */
  set notes(json: string) {
    this.#notes = json;
  }

  /** Whether there is something that is worth a write of its own. */
  get worthSending(): boolean {
    if (this.#children.length > 0 || this.#progress !== undefined || this.#notes !== undefined) return true;
    for (const row of this.#rows.values()) if (row.state !== "failed") return true;
    return false;
  }

  /** Drops failures that nothing followed yet. */
  dropFailures(): void {
    for (const [name, row] of this.#rows) if (row.state === "failed") this.#rows.delete(name);
  }

  /** Resolves when all that was put so far is saved; undefined when it is so already. */
  settled(): Promise<Reply> | undefined {
    return this.#rows.size > 0 || this.#children.length > 0 ? this.send(null) : this.#sending;
  }

  /** Sends what is there. */
  send(transition: JobTransition | null, forget: string[] = []): Promise<Reply> {
    const write: JobWrite = {
      id: this.#id,
      token: this.#token,
      steps: [...this.#rows.values()],
      forget,
      children: this.#children,
      transition,
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
      ...(this.#notes === undefined ? {} : { notes: this.#notes }),
    };
    this.#rows.clear();
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
