/**
 * What has a job done so far, and how much of it has the running code been given?
 *
 * Recorded results stand in the order in which they came (`seq`). A cursor walks over them: a result is delivered when the
 * code has made that call and the cursor is there, never earlier, so `Promise.race` and `Promise.all` see the order they
 * saw the first time. New results go to the end and are delivered in the same way. Values that the code gets at once
 * (`now`, `random`, `uuid`, `patched`) are found by name, and the cursor steps over them.
 */
import type { StepRecord } from "../storage/port.ts";

/** The recorded result of a durable call. */
export interface CallResult {
  readonly record: StepRecord;
  /** Its decoded output, where `decoded`. */
  value: unknown;
  decoded: boolean;
  /** The code has it. */
  delivered: boolean;
}

/** The history of one job, as one run sees it. */
export class History {
  readonly #results: CallResult[];
  readonly #byName = new Map<string, CallResult>();
  readonly #pending = new Map<string, StepRecord>();
  /** Names of records whose call the code has not made yet, in order of record. */
  readonly #uncalled = new Set<string>();
  #cursor = 0;
  #nextSeq: number;

  /** @param steps the stored steps, in any order */
  constructor(steps: readonly StepRecord[]) {
    const over = steps.filter((step) => step.seq !== null && step.state !== "pending");
    over.sort((a, b) => a.seq! - b.seq!);
    this.#results = over.map((record) => ({ record, value: undefined, decoded: false, delivered: false }));
    for (const result of this.#results) {
      this.#byName.set(result.record.name, result);
      this.#uncalled.add(result.record.name);
    }
    for (const step of steps) {
      if (step.state !== "pending") continue;
      this.#pending.set(step.name, step);
      this.#uncalled.add(step.name);
    }
    this.#nextSeq = (over.at(-1)?.seq ?? -1) + 1;
  }

  /** The next result to deliver; undefined when all are delivered. */
  get next(): CallResult | undefined {
    while (this.#results[this.#cursor]?.delivered) this.#cursor++;
    return this.#results[this.#cursor];
  }

  /** The first record whose call the code has not made; undefined when it made all. */
  get firstUncalled(): StepRecord | undefined {
    for (const name of this.#uncalled) return this.find(name);
    return undefined;
  }

  /** Finds the record of a name, over or pending. */
  find(name: string): StepRecord | undefined {
    return this.#byName.get(name)?.record ?? this.#pending.get(name);
  }

  /** Notes that the code has made the call of this name. */
  called(name: string): void {
    this.#uncalled.delete(name);
  }

  /** The pending record of a name. */
  pending(name: string): StepRecord | undefined {
    return this.#pending.get(name);
  }

  /** The result of a name. */
  result(name: string): CallResult | undefined {
    return this.#byName.get(name);
  }

  /** All results up to now, delivered or not. */
  results(): readonly CallResult[] {
    return this.#results;
  }

  /** Adds a result at the end and gives it its place. */
  append(record: Omit<StepRecord, "seq">): CallResult {
    const result: CallResult = {
      record: { ...record, seq: this.#nextSeq++ },
      value: undefined,
      decoded: false,
      delivered: false,
    };
    this.#results.push(result);
    this.#byName.set(record.name, result);
    this.#pending.delete(record.name);
    return result;
  }
}
