/**
 * What followed from what: which failures an attempt may forget, and which one it died of.
 *
 * Code moves only when it is told an outcome, and is told the next only when it has come to rest. So what it asks for in
 * between follows from the last outcome told. A failed step from which nothing followed can be forgotten and run again
 * by the next attempt; one that the code has gone on from (it caught it, and did something else) is part of the history.
 */
import type { History } from "./history.ts";
import { findInCauses } from "./settle.ts";

/** Keeps account of what the code was told and what it did upon it. */
export class Causes {
  readonly #history: History;
  #last: string | undefined;
  readonly #followed = new Set<string>();
  /** Errors that came out of the history, and the step each is of. */
  #told: WeakMap<object, string> | undefined;

  /** @param history the run's */
  constructor(history: History) {
    this.#history = history;
  }

  /** The code was told an outcome; `error` is what it was thrown, if so. */
  tell(step: string, error?: object): void {
    this.#last = step;
    if (!error) return;
    this.#told ??= new WeakMap();
    this.#told.set(error, step);
  }

  /** The code asked for something durable. */
  ask(): void {
    if (this.#last !== undefined) this.#followed.add(this.#last);
  }

  /** Failed steps that the next attempt may run again. */
  forgettable(): string[] {
    const names: string[] = [];
    for (const { record } of this.#history.outcomes()) {
      if (record.state === "failed" && !this.#isKept(record.name)) names.push(record.name);
    }
    return names;
  }

  /** The step in the history to stay whose failure an error is; undefined: another attempt may end otherwise. */
  culprit(error: unknown): string | undefined {
    const told = this.#told;
    if (!told) return undefined;
    return findInCauses(error, (candidate) => {
      const step = told.get(candidate);
      return step !== undefined && this.#isKept(step) ? step : undefined;
    });
  }

  /** A child has had attempts of its own; a timeout that is recorded as such is over. */
  #isKept(step: string): boolean {
    const record = this.#history.find(step);
    return record !== undefined && (record.state === "done" || record.kind === "invoke" || this.#followed.has(step));
  }
}
