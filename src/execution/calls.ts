/**
 * What has the handler called for, and does it fit the history?
 *
 * Every call gets its name and is looked up in the history: one that is recorded gets its result when its turn comes, any
 * other is new, to be started when the code has all that is recorded. Values and patches are answered at once.
 */
import type { Clock } from "../base/clock.ts";
import type { BelfryError } from "../base/error.ts";
import { engineName } from "../job/step_name.ts";
import type { ClaimedJob, StepKind } from "../storage/port.ts";
import { CallNames } from "./call_names.ts";
import type { CallSpec, DurableCall } from "./durable_call.ts";
import type { FollowedResults } from "./followed_results.ts";
import type { History } from "./history.ts";
import type { InFlightCalls } from "./in_flight.ts";
import { kindMismatch } from "./mismatch.ts";
import { valueStep } from "./step_records.ts";
import type { WriteBuffer } from "./write_buffer.ts";

/** The parts of a run that calls work on. */
export interface CallsParts {
  job: ClaimedJob;
  clock: Clock;
  history: History;
  followed: FollowedResults;
  inFlight: InFlightCalls;
  buffer: WriteBuffer;
  host: CallsHost;
}

/** What calls need of their run. */
export interface CallsHost {
  readonly over: boolean;
  /** A durable call was made. */
  called(): void;
  /** Plans to decide what is next when the code is quiet. */
  plan(): void;
  /** The code does not fit the history. */
  mismatch(error: BelfryError): void;
}

/** The calls of one run's handler. */
export class Calls {
  readonly #parts: CallsParts;
  readonly #names = new CallNames();
  /** Calls without a delivered result, by name. */
  readonly #open = new Map<string, DurableCall>();
  /** Calls that were not started yet, in the order of the code. */
  #fresh: DurableCall[] = [];
  readonly #patches = new Map<string, boolean>();

  /** @param parts the parts of the run */
  constructor(parts: CallsParts) {
    this.#parts = parts;
  }

  /** How many calls have no delivered result. */
  get open(): number {
    return this.#open.size;
  }

  /** How many calls were not started yet. */
  get fresh(): number {
    return this.#fresh.length;
  }

  /** The oldest call without a delivered result. */
  get first(): DurableCall | undefined {
    for (const call of this.#open.values()) return call;
    return undefined;
  }

  /** The open call of a name. */
  find(name: string): DurableCall | undefined {
    return this.#open.get(name);
  }

  /** Notes that a call's result is delivered. */
  close(call: DurableCall): void {
    this.#open.delete(call.name);
  }

  /** Takes the calls that were not started yet. */
  takeFresh(): DurableCall[] {
    return this.#fresh.splice(0);
  }

  /** Gives back calls that could not be started. */
  putBack(calls: DurableCall[]): void {
    this.#fresh.push(...calls);
  }

  /** Makes a durable call. The promise settles when its result is delivered; never, when the run is over before. */
  call(givenName: string, spec: CallSpec): Promise<unknown> {
    const { history, followed, inFlight, host } = this.#parts;
    if (host.over) return new Promise(() => {});
    const name = this.#takeName(givenName);
    followed.callMade();
    if (!this.#fits(name, spec.kind)) return new Promise(() => {});
    const result = history.result(name);
    const promise = new Promise((resolve, reject) => {
      const call: DurableCall = { name, spec, resolve, reject, pending: history.pending(name) };
      this.#open.set(name, call);
      if (!result) this.#fresh.push(call);
    });
    if (spec.kind === "wait" && result && result.record.signalKey !== null) {
      inFlight.consumed(spec.signal, result.record.signalKey);
    }
    // A failure that the code looks at later, or never, must not count as an unhandled rejection.
    promise.catch(() => {});
    host.called();
    return promise;
  }

  /** Gives a value at once: the recorded one, or a new one. */
  value<T>(call: string, make: () => T): T {
    const { history, host } = this.#parts;
    const name = this.#takeName(engineName(call));
    const known = history.result(name);
    if (this.#fits(name, "value") && known) {
      known.delivered = true;
      host.plan();
      return JSON.parse(known.record.output ?? "null") as T;
    }
    const value = make();
    this.#record(name, "value", JSON.stringify(value));
    return value;
  }

  /** See `Context.patched`. */
  patched(patch: string): boolean {
    const { history, host } = this.#parts;
    const before = this.#patches.get(patch);
    if (before !== undefined) return before;
    const name = this.#takeName(engineName(`patched(${patch})`));
    const known = history.result(name);
    const fits = this.#fits(name, "patch");
    if (known) known.delivered = true;
    // A record whose call was not made yet was written by code that had passed this place without the patch.
    const answer = fits && (known !== undefined || history.firstUncalled === undefined);
    if (answer && !known) this.#record(name, "patch", null);
    this.#patches.set(patch, answer);
    host.plan();
    return answer;
  }

  #takeName(given: string): string {
    const name = this.#names.take(given);
    this.#parts.history.called(name);
    return name;
  }

  #fits(name: string, kind: StepKind): boolean {
    const { job, history, host } = this.#parts;
    const record = history.find(name);
    if (!record || record.kind === kind) return true;
    host.mismatch(kindMismatch(job, record, kind));
    return false;
  }

  #record(name: string, kind: "value" | "patch", output: string | null): void {
    const { job, clock, history, buffer, host } = this.#parts;
    const result = history.append(valueStep({ job, name, kind, output, now: clock.now() }));
    result.delivered = true;
    buffer.put(result.record);
    host.plan();
  }
}
