/**
 * How does a run move the user's code? It does what `next.ts` decides, each time the code has become quiet (`pump.ts`).
 *
 * One by one the recorded results are delivered; when the code has them all, what it called anew is started, all of it
 * together. So the code sees the same order in every run, whether it replays or not. What ends the run is left to the run.
 */
import type { Timer } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { ClaimedJob } from "../storage/port.ts";
import { Calls, type CallsHost } from "./calls.ts";
import { decodeResult, deliver } from "./deliver.ts";
import type { DurableCall } from "./durable_call.ts";
import { FollowedResults } from "./followed_results.ts";
import { History } from "./history.ts";
import { InFlightCalls, type InFlightHost } from "./in_flight.ts";
import { GRACE_MS, orderMismatch, returnMismatch } from "./mismatch.ts";
import { decideNext, type NextAction, type RunState } from "./next.ts";
import { Pump } from "./pump.ts";
import type { Saved, WriteBuffer } from "./write_buffer.ts";

/** An action that ends the run. */
export type EndAction = Extract<NextAction, { do: "complete" | "fail" | "fail later" | "give back" | "suspend" }>;

/** What the driver needs of its run. */
export interface DriverHost {
  /** The run has settled or is about to: nothing more is done. */
  readonly closed: boolean;
  readonly over: boolean;
  readonly draining: boolean;
  readonly handler: RunState["handler"];
  readonly signal: AbortSignal;
  /** Takes the answer to a write. @returns whether the claim is still owned and the run goes on */
  goesOn(saved: Saved): boolean;
  /** Saves what is worth a write of its own. */
  flush(): void;
  /** Ends the run. */
  end(action: EndAction): void;
  /** Ends the attempt with an error that is not the handler's. */
  fail(error: unknown): void;
}

/** Drives the handler of one run. */
export class HandlerDriver {
  readonly history: History;
  readonly followed: FollowedResults;
  readonly inFlight: InFlightCalls;
  readonly calls: Calls;
  readonly #engine: Engine;
  readonly #job: ClaimedJob;
  readonly #host: DriverHost;
  readonly #pump: Pump;
  readonly #state: RunState;
  /** The output of the next result is being decoded, by an asynchronous codec. */
  #decoding = false;
  /** Goes off when time ends a wait. */
  #alarm: Timer | undefined;
  /** Goes off when the call of the next recorded result was not made in time. */
  #grace: Timer | undefined;

  /**
   * @param engine the engine
   * @param job the claimed job
   * @param parts what the run has to save, and the run
   */
  constructor(engine: Engine, job: ClaimedJob, { buffer, host }: { buffer: WriteBuffer; host: DriverHost }) {
    this.#engine = engine;
    this.#job = job;
    this.#host = host;
    this.#pump = new Pump(engine.clock, () => this.#goOn());
    const history = new History(job.steps);
    const followed = new FollowedResults(history);
    const inFlight = new InFlightCalls(engine, job, { history, buffer, host: this.#partHost() });
    this.calls = new Calls({ job, clock: engine.clock, history, followed, inFlight, buffer, host: this.#partHost() });
    this.history = history;
    this.followed = followed;
    this.inFlight = inFlight;
    this.#state = this.#liveState();
  }

  /** Plans to decide what is next when the code is quiet. */
  plan(): void {
    this.#pump.plan();
  }

  /** Cancels what would go off later. */
  stop(): void {
    this.#alarm?.cancel();
    this.#grace?.cancel();
  }

  #goOn(): void {
    let waits = false;
    while (!waits && !this.#host.closed) waits = this.#act(decideNext(this.#state));
  }

  /** Does what comes next. @returns whether there is something to wait for */
  #act(action: NextAction): boolean {
    switch (action.do) {
      case "deliver":
        this.#deliver();
        break;
      case "wait":
        break;
      case "save":
        this.#setAlarm(action.alarmMs);
        this.#host.flush();
        break;
      case "expect call":
        this.#host.flush();
        if (action.limited) this.#expectCall();
        break;
      case "start":
        this.#start();
        return false;
      case "fail by mismatch":
        this.#host.fail(returnMismatch(this.#job, this.history.firstUncalled!));
        break;
      default:
        this.#host.end(action);
    }
    return true;
  }

  #deliver(): void {
    const result = this.history.next!;
    const call = this.calls.find(result.record.name)!;
    try {
      const decoding = decodeResult(this.#engine.codec, result);
      if (decoding) {
        this.#decodeLater(decoding);
        return;
      }
    } catch (error) {
      this.#host.fail(error);
      return;
    }
    this.calls.close(call);
    this.followed.delivered(call.name, deliver(call, result));
    this.#pump.moved();
  }

  #decodeLater(decoding: Promise<void>): void {
    this.#decoding = true;
    const decoded = decoding
      .catch((error) => this.#host.fail(error))
      .then(() => {
        this.#decoding = false;
      });
    void this.inFlight.during(decoded);
  }

  /** The code may await something of its own before it makes the call of the next result; but not for long. */
  #expectCall(): void {
    const expected = this.history.next;
    this.#grace ??= this.#engine.clock.setTimer(GRACE_MS, () => {
      this.#grace = undefined;
      const { next } = this.history;
      const made = this.calls.first;
      if (!next || next !== expected || this.calls.find(next.record.name) || !made) return;
      this.#host.fail(orderMismatch(this.#job, next.record, made));
    });
  }

  #start(): void {
    const steps: DurableCall[] = [];
    for (const call of this.calls.takeFresh()) if (this.inFlight.begin(call)) steps.push(call);
    for (const ended of this.inFlight.ended(this.#engine.clock.now())) {
      if (this.inFlight.end(ended)) steps.push(ended.call);
    }
    if (steps.length > 0) this.inFlight.runSteps(steps, (later) => this.calls.putBack(later));
  }

  #setAlarm(delayMs: number | null): void {
    this.#alarm?.cancel();
    this.#alarm = delayMs === null ? undefined : this.#engine.clock.setTimer(Math.max(delayMs, 1), () => this.plan());
  }

  /** The run as `next.ts` sees it, computed as it is read. */
  #liveState(): RunState {
    const { history, calls, inFlight } = this;
    const host = this.#host;
    const { clock } = this.#engine;
    const isDecoding = (): boolean => this.#decoding;
    return {
      get now() {
        return clock.now();
      },
      get handler() {
        return host.handler;
      },
      get draining() {
        return host.draining;
      },
      get nextResult() {
        const { next } = history;
        if (!next) return "none";
        if (!calls.find(next.record.name)) return "uncalled";
        return isDecoding() ? "decoding" : "called";
      },
      get uncalledRecord() {
        return history.firstUncalled !== undefined;
      },
      get openCalls() {
        return calls.open;
      },
      get startable() {
        return calls.fresh + inFlight.ended(clock.now()).length;
      },
      get runningSteps() {
        return inFlight.runningSteps;
      },
      get effects() {
        return inFlight.effects;
      },
      get waits() {
        return inFlight.waits;
      },
      get wakeAt() {
        return inFlight.wakeAt;
      },
      get listens() {
        return inFlight.listens;
      },
    };
  }

  /** What calls and calls in flight may read of the run and report to it. */
  #partHost(): InFlightHost & CallsHost {
    const host = this.#host;
    const pump = this.#pump;
    return {
      get over() {
        return host.over;
      },
      get draining() {
        return host.draining;
      },
      get handlerOver() {
        return host.handler !== "running";
      },
      get signal() {
        return host.signal;
      },
      goesOn: (saved) => host.goesOn(saved),
      plan: () => pump.plan(),
      resultAdded: () => pump.soon(),
      called: () => {
        this.#grace?.cancel();
        this.#grace = undefined;
        pump.moved();
      },
      mismatch: (error) => host.fail(error),
    };
  }
}
