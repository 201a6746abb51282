/**
 * What a job has done so far, and how far the running code has been told of it.
 *
 * Outcomes stand in the order in which they came (`seq`). A cursor walks over them: code is told an outcome when it has
 * asked for that step and the cursor is there, never earlier, so `Promise.race` and `Promise.all` see the order they
 * saw the first time. What is new goes to the end and is told in the same way. Values that are asked for synchronously
 * (`now`, `random`, `uuid`, `patched`) are taken by name at once and the cursor steps over them.
 */
import type { StepRecord } from "../storage/port.ts";

/** A step that is over. */
export interface Outcome {
  readonly record: StepRecord;
  /** Its decoded output, where that is known already. */
  value: unknown;
  decoded: boolean;
  /** Told to the code. */
  told: boolean;
}

/** The history of one job in the hands of one run. */
export class History {
  readonly #outcomes: Outcome[];
  readonly #finished = new Map<string, Outcome>();
  readonly #pending = new Map<string, StepRecord>();
  /** Names that are recorded and that the code has not asked for yet, in order of record. */
  readonly #unasked = new Set<string>();
  #cursor = 0;
  #nextSeq: number;

  /** @param steps the stored steps, in any order */
  constructor(steps: readonly StepRecord[]) {
    const finished = steps.filter((step) => step.seq !== null && step.state !== "pending");
    finished.sort((a, b) => a.seq! - b.seq!);
    this.#outcomes = finished.map((record) => ({ record, value: undefined, decoded: false, told: false }));
    for (const outcome of this.#outcomes) {
      this.#finished.set(outcome.record.name, outcome);
      this.#unasked.add(outcome.record.name);
    }
    for (const step of steps) {
      if (step.state !== "pending") continue;
      this.#pending.set(step.name, step);
      this.#unasked.add(step.name);
    }
    this.#nextSeq = (finished.at(-1)?.seq ?? -1) + 1;
  }

  /** The next outcome to tell; undefined at the end. */
  get head(): Outcome | undefined {
    while (this.#outcomes[this.#cursor]?.told) this.#cursor++;
    return this.#outcomes[this.#cursor];
  }

  /** The first recorded name that the code has not asked for; undefined when it asked for all. */
  get firstUnasked(): StepRecord | undefined {
    for (const name of this.#unasked) return this.find(name);
    return undefined;
  }

  /** What is recorded under a name, finished or pending. */
  find(name: string): StepRecord | undefined {
    return this.#finished.get(name)?.record ?? this.#pending.get(name);
  }

  /** Notes that the code has asked for a name. */
  asked(name: string): void {
    this.#unasked.delete(name);
  }

  /** The pending record of a name. */
  pending(name: string): StepRecord | undefined {
    return this.#pending.get(name);
  }

  /** The outcome of a name. */
  outcome(name: string): Outcome | undefined {
    return this.#finished.get(name);
  }

  /** Outcomes that are there by now, told or not. */
  outcomes(): readonly Outcome[] {
    return this.#outcomes;
  }

  /** Adds an outcome at the end and gives it its place. */
  append(record: Omit<StepRecord, "seq">): Outcome {
    const outcome: Outcome = {
      record: { ...record, seq: this.#nextSeq++ },
      value: undefined,
      decoded: false,
      told: false,
    };
    this.#outcomes.push(outcome);
    this.#finished.set(record.name, outcome);
    this.#pending.delete(record.name);
    return outcome;
  }
}
