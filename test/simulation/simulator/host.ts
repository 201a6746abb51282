/**
 * Where does an engine live? A simulated host: its clock, its network to the storage, its lives and deaths.
 *
 * An engine on a host sees time, chance and the storage through it alone. When the host dies, nothing that the engine
 * waits for ever comes: no timer fires, no reply arrives, as if the process were gone; what it sent before may still
 * arrive. A paused host is late for everything. The next life is a new engine with the same tasks and no memory.
 */
import type { Clock } from "../../../src/base/clock.ts";
import { BelfryError } from "../../../src/base/error.ts";
import type { Ids } from "../../../src/base/id.ts";
import type { Storage, Wake } from "../../../src/storage/port.ts";
import type { Random } from "../../../src/testing/random.ts";
import type { Timeline } from "./timeline.ts";

/** Tells of requests that reached the storage. */
export interface Network {
  readonly timeline: Timeline;
  readonly storage: Storage;
  /** Whether the storage answers now. */
  available: boolean;
  /** Grows when all that is on the wire is dropped. */
  epoch: number;
  /** Told when a request is sent. @returns to be called each time it is about to be carried out; then with its reply */
  send(host: Host, method: string, request: unknown): () => (reply: unknown) => void;
  /** Whether the lease or a claim under which a fire or a save was sent is another's by now. */
  outlived(method: string, request: unknown): boolean;
  /** Told when a request was carried out. */
  done(): void;
  /** Told when a request has overtaken another. */
  swapped(): void;
}

/** What happens to the next request. */
export type Mishap = { kind: "request lost" | "reply lost" | "duplicate" | "delay" | "reorder"; ms: number };
/** What happens to the next notice that the storage pushes. */
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
  /** Mishaps waiting for requests. */
  readonly mishaps: Mishap[] = [];
  /** Mishaps waiting for notices. */
  readonly wakeMishaps: WakeMishap[] = [];
  /** How long the next fires and saves wait at most for their worst moment, ms. */
  readonly worstMoments: number[] = [];
  /** Counts lives; an engine belongs to one. */
  life = 0;
  up = false;
  readonly #network: Network;
  readonly #random: Random;
  /** What waits for the end of a pause. */
  #late: (() => void)[] | null = null;
  #offsetMs: number;
  #rate = 1;
  /** True time and elapsed time at which the rate was set. */
  #since: number;
  #elapsed = 0;
  /** Elapsed time never reads less than this. */
  #least = 0;
  /** No notice arrives before this true time. */
  #deafUntil: number;
  /** A request that waits to be overtaken. */
  #overtaken: (() => void) | null = null;
  /** A fire or save that waits until its lease or claim is another's. */
  #outlived: { life: number; method: string; request: unknown; go: () => void } | null = null;

  /** @param options `offsetMs`: how far its wall clock is off at first; `deaf`: no notice ever reaches it */
  constructor(name: string, network: Network, random: Random, options: { offsetMs: number; deaf: boolean }) {
    this.name = name;
    this.#network = network;
    this.#random = random;
    this.#offsetMs = options.offsetMs;
    this.#deafUntil = options.deaf ? Number.POSITIVE_INFINITY : 0;
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
    this.worstMoments.length = 0;
  }

  /** Something was done in the storage: is it the moment? */
  look(): void {
    const waiting = this.#outlived;
    if (waiting && this.#network.outlived(waiting.method, waiting.request)) waiting.go();
  }

  /** Loses all notices for a while. */
  deafen(ms: number): void {
    this.#deafUntil = Math.max(this.#deafUntil, this.#network.timeline.now + ms);
  }

  /** Stands still for a while. @param suspended elapsed time stands still too */
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
      // Everything that came meanwhile comes now, each as an event of its own, in any order.
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

  /** Wall clock and rate are put right. */
  mend(): void {
    this.drift(1);
    this.#offsetMs = 0;
    this.mishaps.length = 0;
    this.wakeMishaps.length = 0;
    this.worstMoments.length = 0;
    this.#outlived?.go();
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
        // Drift and suspension change when elapsed time gets there: what rings too early is set again.
        const arm = (): void => {
          cancel = timeline.after((due - this.#elapsedNow()) / this.#rate, () => this.#whenAlive(life, ring));
        };
        const ring = (): void => {
          if (due - this.#elapsedNow() > 0.01) {
            arm();
            return;
          }
          // True time is a large number with few places left: the host must not find itself a hair before its timer.
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
      // Sorted by time as the engine's own, and told apart by host and life.
      id: (now) => `${Math.floor(now).toString(36)}-${String(++count).padStart(5, "0")}-${prefix}`,
      token: () => `${prefix}-${++count}`,
      random: () => random.next(),
    };
  }

  /** The storage as the present life reaches it. */
  storage(): Storage {
    const { life } = this;
    const { storage } = this.#network;
    // Whatever holds the rows, here it is used from many hosts, and what it pushes may be lost on the way.
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

  /** A notice of the storage comes this way. */
  #push(life: number, wake: Wake, onWake: (wake: Wake) => void): void {
    const { timeline } = this.#network;
    if (this.life !== life || timeline.now < this.#deafUntil) return;
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
      if (mishap?.kind === "request lost" || this.#outlived?.life === life) {
        fail(mishap?.ms ?? back);
        return;
      }
      if ((name === "fire" || name === "save") && this.worstMoments.length > 0) {
        this.#waitForWorst(name, request, () => arrive(false), this.worstMoments.shift()!);
        return;
      }
      const first = (): void => {
        this.#letPass();
        arrive(false);
      };
      timeline.after(there, mishap?.kind === "reorder" ? () => this.#wait(() => arrive(false), mishap.ms) : first);
      // What was on the wire arrives even when its sender is gone.
      if (mishap?.kind === "duplicate") timeline.after(there + 1 + random.below(mishap.ms + 1), () => arrive(true));
    });
  }

  /** A request waits until the host's next one has been done, or for so long. */
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

  /** A request waits until what it rests on is another's, or for so long. */
  #waitForWorst(method: string, request: unknown, arrive: () => void, ms: number): void {
    const { timeline } = this.#network;
    const waiting = {
      life: this.life,
      method,
      request,
      go: (): void => {
        if (this.#outlived !== waiting) return;
        this.#outlived = null;
        cancel();
        timeline.after(0, arrive);
      },
    };
    const cancel = timeline.after(ms, waiting.go);
    this.#outlived = waiting;
  }

  /** A request arrives: the one that waits to be overtaken is done right after it. */
  #letPass(): void {
    const overtaken = this.#overtaken;
    if (!overtaken) return;
    this.#overtaken = null;
    this.#network.swapped();
    this.#network.timeline.after(0, overtaken);
  }

  /** Mostly a few ms, now and then long enough to be overtaken. */
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
