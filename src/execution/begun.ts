/**
 * What a run has begun: steps that run, waits that need no worker, children that are being made. Each ends in an outcome
 * at the end of the history, and a row in the outbox.
 *
 * It decides nothing about order or about the run's end: it is told when to begin, and tells when something happened.
 */
import { encodeNow } from "../base/codec.ts";
import type { Engine } from "../engine/engine.ts";
import { endingError } from "../job/ending.ts";
import type { ClaimedJob, NewJob, StepRecord } from "../storage/port.ts";
import { toFailure } from "../task/failure.ts";
import { retryDelayMs } from "../task/retry.ts";
import { type Arrived, type Ask, type Due, findDue, nearestWake, signalId } from "./ask.ts";
import { childId } from "./child_id.ts";
import type { History, Outcome } from "./history.ts";
import type { Outbox, Reply } from "./outbox.ts";
import { pendingRow } from "./rows.ts";
import { runTry } from "./try.ts";

/** Waits that are over within this time are waited for in memory: a suspension would cost more than it gives back. */
export const HOLD_MS = 200;

/** What it needs of its run. */
export interface BegunHost {
  readonly over: boolean;
  readonly draining: boolean;
  /** The handler has come to its end, so nothing is tried again. */
  readonly handlerOver: boolean;
  readonly signal: AbortSignal;
  /** Whether a write was taken and the run goes on. */
  held(reply: Reply): boolean;
  /** Looks again when the code is quiet. */
  poke(): void;
  /** An outcome was added to the history. */
  happened(): void;
}

/** What an outcome keeps of its call: when it began, how often it was tried, and the child or signal that it is of. */
type Tried = Pick<StepRecord, "startedAt" | "tries"> & Partial<Pick<StepRecord, "childId" | "signalKey">>;

/** What one run has begun. */
export class Begun {
  readonly waiting: Set<Ask> = new Set();
  /** Steps that run. */
  running = 0;
  /** Things under way that will poke: children being made, outputs being decoded, saves that steps wait for. */
  busy = 0;
  readonly #engine: Engine;
  readonly #job: ClaimedJob;
  readonly #history: History;
  readonly #outbox: Outbox;
  readonly #host: BegunHost;
  readonly #arrived: Arrived;
  readonly #consumed = new Set<string>();

  /**
   * @param engine the engine
   * @param job the claimed job
   * @param parts the run's history, its outbox, and the run
   */
  constructor(engine: Engine, job: ClaimedJob, parts: { history: History; outbox: Outbox; host: BegunHost }) {
    this.#engine = engine;
    this.#job = job;
    this.#history = parts.history;
    this.#outbox = parts.outbox;
    this.#host = parts.host;
    this.#arrived = { signals: job.signals, children: job.children };
  }

  /** Whether it waits for something from outside. */
  get listens(): boolean {
    for (const { wanted } of this.waiting) if (wanted.kind === "wait" || wanted.kind === "invoke") return true;
    return false;
  }

  /** The nearest instant at which a wait is over by time; null: none. */
  get wakeAt(): number | null {
    return nearestWake(this.waiting);
  }

  /** Takes in what has reached the job. */
  arrived({ signals, children }: Arrived): void {
    this.#arrived.signals = signals;
    this.#arrived.children = children;
  }

  /** A recorded wait has taken this signal. */
  consumed(signal: string, key: string): void {
    this.#consumed.add(signalId(signal, key));
  }

  /** Something that was under way is not any more. */
  unbusy(): void {
    this.busy--;
    this.#host.poke();
  }

  /** Begins an ask; a step that can run now is added to `starting`. */
  begin(ask: Ask, starting: Ask[]): void {
    const { wanted } = ask;
    const now = this.#engine.clock.now();
    if (ask.pending) {
      ask.state = "waiting";
      this.waiting.add(ask);
    } else if (wanted.kind === "step") {
      starting.push(ask);
    } else if (wanted.kind === "sleep") {
      const wakeAt = wanted.until(now);
      // What is over before it could be suspended needs no row of its own while it waits.
      this.#wait(ask, { wakeAt, startedAt: now }, wakeAt - now > HOLD_MS);
    } else if (wanted.kind === "wait") {
      this.#wait(ask, { wakeAt: wanted.timeoutMs === null ? null : now + wanted.timeoutMs, startedAt: now });
    } else {
      void this.#beginChild(ask, wanted.child);
    }
  }

  #wait(ask: Ask, row: Pick<StepRecord, "wakeAt" | "startedAt"> & Partial<StepRecord>, saved = true): void {
    ask.state = "waiting";
    ask.pending = pendingRow({ jobId: this.#job.id, name: ask.name, kind: ask.wanted.kind, ...row });
    this.waiting.add(ask);
    if (saved) this.#outbox.put(ask.pending);
  }

  async #beginChild(ask: Ask, make: (id: string) => Promise<NewJob>): Promise<void> {
    this.busy++;
    ask.state = "running";
    const startedAt = this.#engine.clock.now();
    try {
      const child = await make(childId(this.#job.id, ask.name));
      if (this.#host.over) return;
      this.#outbox.addChild(child);
      if (ask.wanted.kind === "spawn") this.#complete(ask, { startedAt, tries: 1, childId: child.id, output: null });
      else this.#wait(ask, { wakeAt: null, startedAt, childId: child.id });
    } catch (error) {
      if (!this.#host.over) this.#fail(ask, { startedAt, tries: 1, error });
    } finally {
      this.unbusy();
    }
  }

  /** Ends the waits that are over by now; steps whose next try is due are added to `starting`. */
  endDue(now: number, starting: Ask[]): void {
    if (this.waiting.size === 0) return;
    for (const { ask, due } of findDue(this.waiting, this.#arrived, this.#consumed, now)) {
      this.#endWait(ask, due, starting);
    }
  }

  #endWait(ask: Ask, due: Due, starting: Ask[]): void {
    this.waiting.delete(ask);
    const { startedAt, childId } = ask.pending!;
    const { wanted } = ask;
    if (wanted.kind === "step") {
      starting.push(ask);
    } else if (due.by === "signal") {
      const { name, key, payload } = due.signal;
      this.#consumed.add(signalId(name, key));
      this.#complete(ask, { startedAt, tries: 1, signalKey: key, output: payload });
    } else if (due.by === "child" && due.child.state === "completed") {
      this.#complete(ask, { startedAt, tries: 1, childId, output: due.child.result });
    } else if (due.by === "child") {
      const { id, state, error } = due.child;
      this.#fail(ask, { startedAt, tries: 1, childId, error: endingError(id, state, error) });
    } else {
      this.#complete(ask, { startedAt, tries: 1, output: null });
    }
  }

  /** Runs steps, when what came before them is saved. @param later takes steps that may not begin any more */
  start(asks: Ask[], later: (asks: Ask[]) => void): void {
    for (const ask of asks) ask.state = "running";
    const saving = this.#outbox.settled();
    if (!saving) {
      for (const ask of asks) void this.#runStep(ask);
      return;
    }
    this.busy++;
    void saving.then((reply) => {
      this.unbusy();
      if (!this.#host.held(reply)) return;
      if (this.#host.draining) later(asks);
      else for (const ask of asks) void this.#runStep(ask);
    });
  }

  async #runStep(ask: Ask): Promise<void> {
    const { wanted, name } = ask;
    if (wanted.kind !== "step") return;
    const { clock, codec } = this.#engine;
    this.running++;
    const startedAt = ask.pending?.startedAt ?? clock.now();
    const tries = (ask.pending?.tries ?? 0) + 1;
    const { run, timeoutMs } = wanted;
    const key = `${this.#job.id}:${name}`;
    const signal = (): AbortSignal => this.#host.signal;
    const outcome = await runTry({ clock, name, run, attempt: tries, key, fence: this.#job.claims, timeoutMs, signal });
    if (this.#host.over) return;
    if (!outcome.ok) {
      this.running--;
      this.#tryFailed(ask, { startedAt, tries, error: outcome.error });
      return;
    }
    try {
      const encoded = encodeNow(codec, outcome.value, `output of step ${JSON.stringify(name)}`);
      const output = typeof encoded === "string" ? encoded : await encoded;
      if (this.#host.over) return;
      this.running--;
      this.#complete(ask, { startedAt, tries, output, value: outcome.value });
    } catch (error) {
      if (this.#host.over) return;
      this.running--;
      this.#fail(ask, { startedAt, tries, error });
    }
  }

  #tryFailed(ask: Ask, failed: { startedAt: number; tries: number; error: unknown }): void {
    const { wanted } = ask;
    const { startedAt, tries, error } = failed;
    let delayMs: number | null = null;
    if (wanted.kind === "step" && wanted.retry !== null && !this.#host.handlerOver) {
      try {
        delayMs = retryDelayMs(wanted.retry, { attempt: tries, error }, () => this.#engine.ids.random());
      } catch (thrown) {
        this.#fail(ask, { ...failed, error: thrown });
        return;
      }
    }
    if (delayMs === null) {
      this.#fail(ask, failed);
      return;
    }
    const wakeAt = this.#engine.clock.now() + delayMs;
    this.#wait(ask, { startedAt, wakeAt, tries, error: JSON.stringify(toFailure(error)) });
    this.#host.poke();
  }

  #fail(ask: Ask, failed: Tried & { error: unknown }): void {
    const { error, ...tried } = failed;
    this.#append(ask, { ...tried, state: "failed", output: null, error: JSON.stringify(toFailure(error)) });
  }

  /** `value` is given where it is known already. */
  #complete(ask: Ask, done: Tried & { output: string | null; value?: unknown }): void {
    const { output, value, ...tried } = done;
    const outcome = this.#append(ask, {
      ...tried,
      state: "done",
      output: output === "" ? null : output,
      error: null,
    });
    // Objects are told as they will be read back, so that the first run sees what replay sees.
    if (outcome.record.output !== null && (typeof value === "string" || typeof value === "boolean")) {
      outcome.value = value;
      outcome.decoded = true;
    }
  }

  #append(ask: Ask, over: Tried & { state: "done" | "failed"; output: string | null; error: string | null }): Outcome {
    const { name, wanted, pending } = ask;
    const finishedAt = this.#engine.clock.now();
    const wakeAt = pending?.wakeAt ?? null;
    const { id: jobId, attempt } = this.#job;
    const outcome = this.#history.append({
      jobId,
      name,
      kind: wanted.kind,
      attempt,
      wakeAt,
      childId: null,
      signalKey: null,
      finishedAt,
      ...over,
    });
    this.#outbox.put(outcome.record);
    this.waiting.delete(ask);
    this.#host.happened();
    return outcome;
  }
}
