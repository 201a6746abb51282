/**
 * Which results has the code gone on from? That decides which failures the next attempt may forget, and which of them
 * ended this one.
 *
 * Code moves only when a result is delivered, and the next is delivered only when it is quiet again. So a call that it
 * makes in between follows from the last delivered result. A failed step from which nothing followed can be forgotten and
 * run again by the next attempt; one from which the code has gone on (it caught the error and made another call) is part
 * of the history and stays.
 */
import type { History } from "./history.ts";

/** Follows what was delivered to the code and what the code did next. */
export class FollowedResults {
  readonly #history: History;
  /** Name of the last delivered result. */
  #last: string | undefined;
  readonly #followed = new Set<string>();
  /** Errors that came out of the history, and the name of the call each belongs to. */
  #errors: WeakMap<object, string> | undefined;

  /** @param history the run's */
  constructor(history: History) {
    this.#history = history;
  }

  /** Notes that a result was delivered. @param error what the call's promise was rejected with */
  delivered(name: string, error?: object): void {
    this.#last = name;
    if (!error) return;
    this.#errors ??= new WeakMap();
    this.#errors.set(error, name);
  }

  /** Notes that the code made a durable call. */
  callMade(): void {
    if (this.#last !== undefined) this.#followed.add(this.#last);
  }

  /** Names of the failed steps that the next attempt may run again. */
  forgettable(): string[] {
    const names: string[] = [];
    for (const { record } of this.#history.results()) {
      if (record.state === "failed" && !this.#stays(record.name)) names.push(record.name);
    }
    return names;
  }

  /**
   * Finds the recorded failure that an error comes from, where that failure stays in the history.
   *
   * @returns its name; undefined: none, so another attempt may end otherwise
   */
  keptFailureOf(error: unknown): string | undefined {
    const errors = this.#errors;
    if (!errors) return undefined;
    return findInCauses(error, (candidate) => {
      const name = errors.get(candidate);
      return name !== undefined && this.#stays(name) ? name : undefined;
    });
  }

  /** A child has had attempts of its own, so its failure stays; so does a timeout, which is recorded as done. */
  #stays(name: string): boolean {
    const record = this.#history.find(name);
    return record !== undefined && (record.state === "done" || record.kind === "invoke" || this.#followed.has(name));
  }
}

/** Finds the first that satisfies among an error, its causes and the errors that it gathers; cycles are walked once. */
function findInCauses<T>(error: unknown, find: (error: object) => T | undefined): T | undefined {
  const seen = new Set<unknown>();
  const visit = (candidate: unknown): T | undefined => {
    if (typeof candidate !== "object" || candidate === null || seen.has(candidate)) return undefined;
    seen.add(candidate);
    const found = find(candidate);
    if (found !== undefined) return found;
    const { cause, errors } = candidate as { cause?: unknown; errors?: unknown };
    for (const inner of [cause, ...(Array.isArray(errors) ? errors : [])]) {
      const below = visit(inner);
      if (below !== undefined) return below;
    }
    return undefined;
  };
  return visit(error);
}
