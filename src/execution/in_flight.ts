/**
 * Which durable calls are in flight? Steps that run, waits that need no worker, children that are being made.
 *
 * Each ends in a result at the end of the history and a record to save. When calls start and when waits are looked at is
 * decided by the run (`next.ts`); here is what starting and ending them does.
 */
import { encodeNow } from "../base/codec.ts";
import type { Engine } from "../engine/engine.ts";
import { endingError } from "../job/ending.ts";
import type { ClaimedJob, NewJob, StepRecord } from "../storage/port.ts";
import { toFailure } from "../task/failure.ts";
import { retryDelayMs } from "../task/retry.ts";
import { type Arrivals, type EndedWait, findEnded, nearestWake, signalId } from "./arrivals.ts";
import { childId } from "./child_id.ts";
import type { DurableCall } from "./durable_call.ts";
import type { CallResult, History } from "./history.ts";
import { HOLD_MS } from "./next.ts";
import { pendingStep } from "./step_records.ts";
import { runTry } from "./try.ts";
import type { Saved, WriteBuffer } from "./write_buffer.ts";

/** What calls in flight need of their run. */
export interface InFlightHost {
  readonly over: boolean;
  readonly draining: boolean;
  /** The handler has returned or thrown, so no step is tried again. */
  readonly handlerOver: boolean;
  readonly signal: AbortSignal;
  /** Takes the answer to a write. @returns whether the claim is still owned and the run goes on */
  goesOn(saved: Saved): boolean;
  /** Plans to decide what is next when the code is quiet. */
  plan(): void;
  /** A result was added to the history. */
  resultAdded(): void;
}

/** What a result keeps of its call: when it began, how often it was tried, and its child or signal. */
type Tried = Pick<StepRecord, "startedAt" | "tries"> & Partial<Pick<StepRecord, "childId" | "signalKey">>;

/** The durable calls of one run that are in flight. */
export class InFlightCalls {
  /** Calls that wait for an instant, a signal, a child or the next try of their step. */
  readonly #waiting = new Set<DurableCall>();
  /** How many step functions run. */
  runningSteps = 0;
  /** How many effects are under way that end by themselves: see `RunState.effects`. */
  effects = 0;
  readonly #engine: Engine;
  readonly #job: ClaimedJob;
  readonly #history: History;
  readonly #buffer: WriteBuffer;
  readonly #host: InFlightHost;
  readonly #arrivals: Arrivals;
  /** Ids of signals that waits took. */
  readonly #consumed = new Set<string>();

  /**
   * @param engine the engine
   * @param job the claimed job
   * @param parts the run's history, its buffer, and the run
   */
  constructor(engine: Engine, job: ClaimedJob, parts: { history: History; buffer: WriteBuffer; host: InFlightHost }) {
    this.#engine = engine;
    this.#job = job;
    this.#history = parts.history;
    this.#buffer = parts.buffer;
    this.#host = parts.host;
    this.#arrivals = { signals: job.signals, children: job.children };
  }

  /** How many calls wait. */
  get waits(): number {
    return this.#waiting.size;
  }

  /** Whether a signal or the end of a child may end a wait. */
  get listens(): boolean {
    for (const { spec } of this.#waiting) if (spec.kind === "wait" || spec.kind === "invoke") return true;
    return false;
  }

  /** The nearest instant at which time ends a wait; null: none does. */
  get wakeAt(): number | null {
    return nearestWake(this.#waiting);
  }

  /** Takes in what has reached the job. */
  arrived({ signals, children }: Arrivals): void {
    this.#arrivals.signals = signals;
    this.#arrivals.children = children;
  }

  /** Notes that a recorded wait has taken this signal. */
  consumed(signal: string, key: string): void {
    this.#consumed.add(signalId(signal, key));
  }

  /** The waits that are over, earliest first. */
  ended(now: number): EndedWait[] {
    return this.#waiting.size === 0 ? [] : findEnded(this.#waiting, this.#arrivals, this.#consumed, now);
  }

  /** Waits for an effect, which keeps the run in memory. */
  async during<T>(effect: Promise<T>): Promise<T> {
    this.effects++;
    try {
      return await effect;
    } finally {
      this.effects--;
      this.#host.plan();
    }
  }

  // ---------------------------------------------------------------- starting

  /** Puts a call in flight. @returns whether it is a step, to be run by {@link runSteps} */
  begin(call: DurableCall): boolean {
    const { spec } = call;
    const now = this.#engine.clock.now();
    if (call.pending) this.#waiting.add(call);
    else if (spec.kind === "step") return true;
    else if (spec.kind === "sleep") {
      const wakeAt = spec.until(now);
      // A sleep that ends before the run could be suspended needs no record while it waits.
      this.#wait(call, { wakeAt, startedAt: now }, wakeAt - now > HOLD_MS);
    } else if (spec.kind === "wait") {
      this.#wait(call, { wakeAt: spec.timeoutMs === null ? null : now + spec.timeoutMs, startedAt: now });
    } else void this.during(this.#makeChild(call, spec.child));
    return false;
  }

  #wait(call: DurableCall, step: Pick<StepRecord, "wakeAt" | "startedAt"> & Partial<StepRecord>, saved = true): void {
    call.pending = pendingStep({ jobId: this.#job.id, name: call.name, kind: call.spec.kind, ...step });
    this.#waiting.add(call);
    if (saved) this.#buffer.put(call.pending);
  }

  async #makeChild(call: DurableCall, make: (id: string) => Promise<NewJob>): Promise<void> {
    const startedAt = this.#engine.clock.now();
    try {
      const child = await make(childId(this.#job.id, call.name));
      if (this.#host.over) return;
      this.#buffer.addChild(child);
      if (call.spec.kind === "spawn") this.#complete(call, { startedAt, tries: 1, childId: child.id, output: null });
      else this.#wait(call, { wakeAt: null, startedAt, childId: child.id });
    } catch (error) {
      if (!this.#host.over) this.#fail(call, { startedAt, tries: 1, error });
    }
  }

  /** Runs steps, when what came before them is saved. @param later takes the steps that may not begin any more */
  runSteps(calls: DurableCall[], later: (calls: DurableCall[]) => void): void {
    const saving = this.#buffer.saved();
    if (!saving) {
      for (const call of calls) void this.#runStep(call);
      return;
    }
    void this.during(saving).then((saved) => {
      if (!this.#host.goesOn(saved)) return;
      if (this.#host.draining) later(calls);
      else for (const call of calls) void this.#runStep(call);
    });
  }

  async #runStep(call: DurableCall): Promise<void> {
    const { spec, name } = call;
    if (spec.kind !== "step") return;
    const { clock, codec } = this.#engine;
    this.runningSteps++;
    const startedAt = call.pending?.startedAt ?? clock.now();
    const tries = (call.pending?.tries ?? 0) + 1;
    const { run, timeoutMs } = spec;
    const key = `${this.#job.id}:${name}`;
    const signal = (): AbortSignal => this.#host.signal;
    const tried = await runTry({ clock, name, run, tries, key, fence: this.#job.claims, timeoutMs, signal });
    if (this.#host.over) return;
    if (!tried.ok) {
      this.runningSteps--;
      this.#tryFailed(call, { startedAt, tries, error: tried.error });
      return;
    }
    try {
      const encoded = encodeNow(codec, tried.value, `output of step ${JSON.stringify(name)}`);
      const output = typeof encoded === "string" ? encoded : await encoded;
      if (this.#host.over) return;
      this.runningSteps--;
      this.#complete(call, { startedAt, tries, output, value: tried.value });
    } catch (error) {
      if (this.#host.over) return;
      this.runningSteps--;
      this.#fail(call, { startedAt, tries, error });
    }
  }

  #tryFailed(call: DurableCall, failed: { startedAt: number; tries: number; error: unknown }): void {
    const { spec } = call;
    const { startedAt, tries, error } = failed;
    let delayMs: number | null = null;
    if (spec.kind === "step" && spec.retry !== null && !this.#host.handlerOver) {
      try {
        delayMs = retryDelayMs(spec.retry, { attempt: tries, error }, () => this.#engine.ids.random());
      } catch (thrown) {
        this.#fail(call, { ...failed, error: thrown });
        return;
      }
    }
    if (delayMs === null) {
      this.#fail(call, failed);
      return;
    }
    const wakeAt = this.#engine.clock.now() + delayMs;
    this.#wait(call, { startedAt, wakeAt, tries, error: JSON.stringify(toFailure(error)) });
    this.#host.plan();
  }

  // ---------------------------------------------------------------- ending

  /** Ends a wait that is over. @returns whether it is a step whose next try is due, to be run by {@link runSteps} */
  end({ call, end }: EndedWait): boolean {
    this.#waiting.delete(call);
    const { startedAt, childId } = call.pending!;
    const of = { startedAt, tries: 1 };
    if (call.spec.kind === "step") return true;
    if (end.by === "signal") {
      const { name, key, payload } = end.signal;
      this.#consumed.add(signalId(name, key));
      this.#complete(call, { ...of, signalKey: key, output: payload });
    } else if (end.by === "child") {
      const { id, state, result, error } = end.child;
      if (state === "completed") this.#complete(call, { ...of, childId, output: result });
      else this.#fail(call, { ...of, childId, error: endingError(id, state, error) });
    } else this.#complete(call, { ...of, output: null });
    return false;
  }

  #fail(call: DurableCall, failed: Tried & { error: unknown }): void {
    const { error, ...tried } = failed;
    this.#append(call, { ...tried, state: "failed", output: null, error: JSON.stringify(toFailure(error)) });
  }

  /** `value` is given where it is known already. */
  #complete(call: DurableCall, done: Tried & { output: string | null; value?: unknown }): void {
    const { output, value, ...tried } = done;
    const result = this.#append(call, {
      ...tried,
      state: "done",
      output: output === "" ? null : output,
      error: null,
    });
    // Objects are delivered as they will be read back, so that the first run sees what replay sees.
    if (result.record.output !== null && (typeof value === "string" || typeof value === "boolean")) {
      result.value = value;
      result.decoded = true;
    }
  }

  #append(
    call: DurableCall,
    over: Tried & { state: "done" | "failed"; output: string | null; error: string | null },
  ): CallResult {
    const { name, spec, pending } = call;
    const { id: jobId, attempt } = this.#job;
    const result = this.#history.append({
      jobId,
      name,
      kind: spec.kind,
      attempt,
      wakeAt: pending?.wakeAt ?? null,
      childId: null,
      signalKey: null,
      finishedAt: this.#engine.clock.now(),
      ...over,
    });
    this.#buffer.put(result.record);
    this.#waiting.delete(call);
    this.#host.resultAdded();
    return result;
  }
}
