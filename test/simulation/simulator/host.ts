/**
 * What does an engine run on? A simulated host: its clock, its network to the storage, its crashes and restarts.
 *
 * The engine gets time, randomness and the storage from its host alone. After a crash no timer of the engine fires and no
 * reply arrives, as if its process were gone; requests that it sent before may still arrive. A paused host handles
 * everything late. A life is the time from one start to the next crash; each has a new engine with the same tasks and no
 * memory.
 */
import type { Clock } from "../../../src/base/clock.ts";
import { BelfryError } from "../../../src/base/error.ts";
import type { Ids } from "../../../src/base/id.ts";
import type { Storage, Wake } from "../../../src/storage/port.ts";
import type { Random } from "../../../src/testing/random.ts";
import type { Timeline } from "./timeline.ts";

/** The network between hosts and storage, and the callbacks that observe it. */
export interface Network {
  readonly timeline: Timeline;
  readonly storage: Storage;
  /** Whether the storage answers now. */
  available: boolean;
  /** Incremented when all requests in transit are dropped. */
  epoch: number;
  /** Called when a request is sent. @returns a function to call each time the request is executed, then with its reply */
  send(host: Host, method: string, request: unknown): () => (reply: unknown) => void;
  /** Whether the lease or claim under which a fire or a save was sent belongs to another by now. */
  isStale(method: string, request: unknown): boolean;
  /** Called when a request was executed. */
  done(): void;
  /** Called when a request has overtaken another. */
  overtaken(): void;
}

/** A fault that affects the next request. */
export type Mishap = { kind: "request lost" | "reply lost" | "duplicate" | "delay" | "reorder"; ms: number };
/** A fault that affects the next wake-up that the storage pushes. */
export type WakeMishap = { kind: "wake late" | "wake again"; ms: number };

/** The methods of the port that go over the network. */
const METHODS = [
  ...["migrate", "beginTick", "fire", "resign", "putSchedules", "listSchedules", "listDefinitions", "listOccurrences"],
  ...["enqueue", "claim", "renew", "save", "signal", "cancel", "retry", "getJob", "listJobs"],
  ...["putQueues", "listQueues", "purge", "stats"],
];

type Method = (request: unknown) => Promise<unknown>;

/** One host. */
export class Host {
  readonly name: string;
  /** Faults for the next requests. */
  readonly mishaps: Mishap[] = [];
  /** Faults for the next wake-ups. */
  readonly wakeMishaps: WakeMishap[] = [];
  /** How long each of the next fires and saves is held at most until its lease or claim is lost, ms. */
  readonly staleWrites: number[] = [];
  /** Number of the present life; an engine belongs to one. */
  life = 0;
  up = false;
  readonly #network: Network;
  readonly #random: Random;
  /** Callbacks that are held until the end of a pause; null: not paused. */
  #late: (() => void)[] | null = null;
  #offsetMs: number;
  #rate = 1;
  /** True time and elapsed time at which the rate was set. */
  #since: number;
  #elapsed = 0;
  /** Elapsed time never reads less than this. */
  #least = 0;
  /** No wake-up arrives before this true time. */
  #wakesLostUntil: number;
  /** A request that is held until the next one has overtaken it. */
  #overtaken: (() => void) | null = null;
  /** A fire or save that is held until its lease or claim belongs to another. */
  #isStale: { life: number; method: string; request: unknown; go: () => void } | null = null;

  /** @param options `offsetMs`: how far its wall clock is off at first; `receivesWakes`: whether wake-ups reach it */
  constructor(name: string, network: Network, random: Random, options: { offsetMs: number; receivesWakes: boolean }) {
    this.name = name;
    this.#network = network;
    this.#random = random;
    this.#offsetMs = options.offsetMs;
    this.#wakesLostUntil = options.receivesWakes ? 0 : Number.POSITIVE_INFINITY;
    this.#since = network.timeline.now;
  }

  get paused(): boolean {
    return this.#late !== null;
  }

  // ---------------------------------------------------------------- faults

  /** Ends this life. */
  die(): void {
    this.up = false;
    this.life++;
    this.#late = null;
    this.mishaps.length = 0;
    this.wakeMishaps.length = 0;
    this.staleWrites.length = 0;
  }

  /** A request was executed: releases the held fire or save if it is stale by now. */
  releaseIfStale(): void {
    const waiting = this.#isStale;
    if (waiting && this.#network.isStale(waiting.method, waiting.request)) waiting.go();
  }

  /** Loses all wake-ups for a while. */
  loseWakes(ms: number): void {
    this.#wakesLostUntil = Math.max(this.#wakesLostUntil, this.#network.timeline.now + ms);
  }

  /** Runs nothing for a while. @param suspended elapsed time stops, too */
  pause(ms: number, suspended: boolean): void {
    if (this.#late) return;
    this.#late = [];
    const { life } = this;
    const elapsed = this.#elapsedNow();
    this.#network.timeline.after(ms, () => {
      if (this.life !== life) return;
      if (suspended) this.#setElapsed(elapsed);
      const late = this.#late ?? [];
      this.#late = null;
      // Everything that arrived meanwhile is handled now, each as an event of its own, in any order.
      for (const run of late) this.#network.timeline.after(0, () => this.#whenAlive(life, run));
    });
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
  }

  drift(rate: number): void {
    this.#setElapsed(this.#elapsedNow());
    this.#rate = rate;
  }

  /** Corrects wall clock and rate, and drops pending faults. */
  repair(): void {
    this.drift(1);
    this.#offsetMs = 0;
    this.mishaps.length = 0;
    this.wakeMishaps.length = 0;
    this.staleWrites.length = 0;
    this.#isStale?.go();
  }

  // ---------------------------------------------------------------- what an engine sees

  /** The clock of the present life. */
  clock(): Clock {
    const { life } = this;
    const { timeline } = this.#network;
    return {
      now: () => Math.floor(timeline.now + this.#offsetMs),
      monotonic: () => this.#elapsedNow(),
      setTimer: (delayMs, callback) => {
        const due = this.#elapsedNow() + delayMs;
        let cancel = (): void => {};
        // Drift and suspension change when elapsed time reaches `due`: a timer that fires too early is set again.
        const arm = (): void => {
          cancel = timeline.after((due - this.#elapsedNow()) / this.#rate, () => this.#whenAlive(life, ring));
        };
        const ring = (): void => {
          if (due - this.#elapsedNow() > 0.01) {
            arm();
            return;
          }
          // True time has few digits left after the point: elapsed time must not read slightly less than `due` now.
          this.#least = Math.max(this.#least, due);
          callback();
        };
        if (this.life === life) arm();
        return { cancel: () => cancel() };
      },
      turn: () => new Promise((resolve) => void timeline.after(0, () => this.#whenAlive(life, resolve))),
    };
  }

  /** Ids of the present life: no two lives make the same. */
  ids(): Ids {
    const random = this.#random.fork();
    const prefix = `${this.name}${this.life}`;
    let count = 0;
    return {
      // Sort by time, as the engine's own do; unique by host and life.
      id: (now) => `${Math.floor(now).toString(36)}-${String(++count).padStart(5, "0")}-${prefix}`,
      token: () => `${prefix}-${++count}`,
      random: () => random.next(),
    };
  }

  /** The storage as the present life reaches it. */
  storage(): Storage {
    const { life } = this;
    const { storage } = this.#network;
    // Many hosts use it, and what it pushes may be lost on the way.
    const capabilities = { ...storage.capabilities, shared: true };
    const remote: Record<string, unknown> = { name: storage.name, capabilities };
    for (const name of METHODS) {
      const method = storage[name as keyof Storage] as unknown as Method | undefined;
      if (method) remote[name] = (request: unknown) => this.#call(life, name, method.bind(storage), request);
    }
    remote["close"] = async () => {};
    if (storage.listen) {
      remote["listen"] = (onWake: (wake: Wake) => void) => storage.listen!((wake) => this.#push(life, wake, onWake));
    }
    return remote as unknown as Storage;
  }

  /** Delivers a wake-up of the storage, unless a fault prevents it. */
  #push(life: number, wake: Wake, onWake: (wake: Wake) => void): void {
    const { timeline } = this.#network;
    if (this.life !== life || timeline.now < this.#wakesLostUntil) return;
    const mishap = this.wakeMishaps.shift();
    const arrive = (): void => this.#whenAlive(life, () => onWake(wake));
    const afterMs = 1 + this.#random.below(30);
    timeline.after(afterMs + (mishap?.kind === "wake late" ? mishap.ms : 0), arrive);
    if (mishap?.kind === "wake again") timeline.after(afterMs + mishap.ms, arrive);
  }

  #call(life: number, name: string, method: Method, request: unknown): Promise<unknown> {
    const { timeline } = this.#network;
    if (this.life !== life) return new Promise(() => {});
    const random = this.#random;
    const mishap = this.mishaps.shift();
    const there = this.#latency() + (mishap?.kind === "delay" ? mishap.ms : 0);
    const back = this.#latency();
    const { epoch } = this.#network;
    const carry = this.#network.send(this, name, request);
    return new Promise((resolve, reject) => {
      const answer = (run: () => void, ms: number): void => void timeline.after(ms, () => this.#whenAlive(life, run));
      const fail = (ms: number): void => answer(() => reject(unavailable(name)), ms);
      const arrive = (again: boolean): void => {
        if (!this.#network.available || this.#network.epoch !== epoch) {
          if (!again) fail(back);
          return;
        }
        const done = carry();
        method(request).then(
          (reply) => {
            done(reply);
            this.#network.done();
            if (again) return;
            if (mishap?.kind === "reply lost") fail(mishap.ms);
            else answer(() => resolve(reply), back);
          },
          (error: Error) => answer(() => reject(error), back),
        );
      };
      if (mishap?.kind === "request lost" || this.#isStale?.life === life) {
        fail(mishap?.ms ?? back);
        return;
      }
      if ((name === "fire" || name === "save") && this.staleWrites.length > 0) {
        this.#holdUntilStale(name, request, () => arrive(false), this.staleWrites.shift()!);
        return;
      }
      const first = (): void => {
        this.#releaseOvertaken();
        arrive(false);
      };
      timeline.after(there, mishap?.kind === "reorder" ? () => this.#wait(() => arrive(false), mishap.ms) : first);
      // A request in transit arrives even when its sender has crashed.
      if (mishap?.kind === "duplicate") timeline.after(there + 1 + random.below(mishap.ms + 1), () => arrive(true));
    });
  }

  /** Holds a request until the host's next one was executed, or for `ms`. */
  #wait(run: () => void, ms: number): void {
    const { timeline } = this.#network;
    let gone = false;
    const go = (): void => {
      if (gone) return;
      gone = true;
      if (this.#overtaken === go) this.#overtaken = null;
      cancel();
      run();
    };
    const cancel = timeline.after(ms, go);
    this.#overtaken ??= go;
  }

  /** Holds a request until its lease or claim belongs to another, or for `ms`. */
  #holdUntilStale(method: string, request: unknown, arrive: () => void, ms: number): void {
    const { timeline } = this.#network;
    const waiting = {
      life: this.life,
      method,
      request,
      go: (): void => {
        if (this.#isStale !== waiting) return;
        this.#isStale = null;
        cancel();
        timeline.after(0, arrive);
      },
    };
    const cancel = timeline.after(ms, waiting.go);
    this.#isStale = waiting;
  }

  /** A request arrives: the held one is executed right after it. */
  #releaseOvertaken(): void {
    const overtaken = this.#overtaken;
    if (!overtaken) return;
    this.#overtaken = null;
    this.#network.overtaken();
    this.#network.timeline.after(0, overtaken);
  }

  /** Draws a latency: mostly a few ms, sometimes long enough to be overtaken. */
  #latency(): number {
    return this.#random.chance(0.03) ? this.#random.below(1500) : this.#random.below(8);
  }

  #whenAlive(life: number, run: () => void): void {
    if (this.life !== life) return;
    if (this.#late) this.#late.push(run);
    else run();
  }

  #elapsedNow(): number {
    return Math.max(this.#least, this.#elapsed + (this.#network.timeline.now - this.#since) * this.#rate);
  }

  #setElapsed(elapsed: number): void {
    this.#elapsed = elapsed;
    this.#since = this.#network.timeline.now;
  }
}

function unavailable(name: string): BelfryError {
  return new BelfryError("STORAGE_UNAVAILABLE", `The simulated storage did not answer ${name}`);
}
