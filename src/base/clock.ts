/**
 * Time: the only file of the engine that reads a clock or sets a timer.
 *
 * Everything else asks the `Clock` it was given, so tests and the simulator move time by hand. Two readings are kept
 * apart: wall time (`now`) names instants and may jump; monotonic time measures how long something took and never goes
 * back. Where the storage is a server, `CorrectedClock` makes its time the one that counts: wall time becomes the
 * server's last reported time plus what has elapsed monotonically, so a jump of the host's clock changes nothing.
 */

/** A timer that can be cancelled. */
export interface Timer {
  /** Stops the timer; does nothing when it has fired. */
  cancel(): void;
}

/** What the engine knows of time. */
export interface Clock {
  /** Wall time: epoch ms, an integer. */
  now(): number;
  /** Elapsed time since some fixed moment, in ms; never goes back. */
  monotonic(): number;
  /** Calls back once after `delayMs` (any length; past 24.8 days included). A pending timer keeps a process alive. */
  setTimer(delayMs: number, callback: () => void): Timer;
  /** Resolves in a later macrotask: after every promise that can settle by itself has done so. */
  turn(): Promise<void>;
  /**
   * Longest sleep, ms, after which a loop must look at both readings again, in case they have drifted apart.
   *
   * @default 1000
   */
  readonly partMs?: number;
}

/** A moment, by both readings of a clock. */
export interface Moment {
  /** Wall time, epoch ms. */
  readonly wall: number;
  /** Monotonic time, ms. */
  readonly monotonic: number;
}

/** Reads both times of a clock. */
export function momentOf(clock: Clock): Moment {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/** Longest delay that `setTimeout` takes; longer ones fire at once, so they are waited for in parts. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

interface Immediate {
  setImmediate?: (callback: () => void) => unknown;
}

/** The runtime's own clock and timers. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, callback) {
    let handle: ReturnType<typeof setTimeout> | undefined;
    let leftMs = Math.max(0, delayMs);
    const arm = (): void => {
      const partMs = Math.min(leftMs, MAX_TIMEOUT_MS);
      leftMs -= partMs;
      handle = setTimeout(leftMs > 0 ? arm : callback, partMs);
    };
    arm();
    return { cancel: () => clearTimeout(handle) };
  },
  turn: () =>
    new Promise((resolve) => {
      const { setImmediate } = globalThis as Immediate;
      if (setImmediate) setImmediate(() => resolve());
      else setTimeout(resolve, 0);
    }),
};

/**
 * Waits, unless aborted.
 *
 * @param delayMs how long, in ms; `Infinity` waits for the abort alone
 * @returns true when the time passed, false when `signal` was aborted first
 */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted) return Promise.resolve(false);
  return new Promise((resolve) => {
    const finish = (passed: boolean) => (): void => {
      timer?.cancel();
      signal?.removeEventListener("abort", aborted);
      resolve(passed);
    };
    const aborted = finish(false);
    const timer = delayMs === Infinity ? undefined : clock.setTimer(delayMs, finish(true));
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

/** Measurements that a correction rests on are taken again when they are worse than this many ms of round trip. */
const GOOD_ROUND_TRIP_MS = 250;

/**
 * A clock whose wall time follows a server.
 *
 * Each observation says: at some moment between the sending and the receiving, the server's clock showed `time`. Of a
 * quick reply the middle is taken, so the error is at most half the round trip; a slow one only corrects what it
 * refutes. Without observations it is the base clock.
 */
export class CorrectedClock implements Clock {
  readonly #base: Clock;
  /** Server time minus monotonic time; undefined until first observed. */
  #offsetMs: number | undefined;
  #skewMs = 0;

  /** @param base the host's own clock */
  constructor(base: Clock) {
    this.#base = base;
  }

  /** Server time minus the host's wall time at the last observation, in ms; 0 without a server. */
  get skewMs(): number {
    return this.#skewMs;
  }

  /**
   * Learns the server's time from a reply.
   *
   * @param time what the server's clock showed, epoch ms
   * @param sentMs monotonic time at which the request was sent
   */
  observe(time: number, sentMs: number): void {
    const receivedMs = this.#base.monotonic();
    const roundTripMs = receivedMs - sentMs;
    // Whatever the network did, the server's clock showed `time` somewhere between the two.
    const lowestMs = time - receivedMs;
    const highestMs = time - sentMs;
    if (roundTripMs <= GOOD_ROUND_TRIP_MS) this.#offsetMs = (lowestMs + highestMs) / 2;
    // A slow reply says little: it only moves the correction into what is possible, and begins one that is never ahead.
    else this.#offsetMs = Math.min(Math.max(this.#offsetMs ?? lowestMs, lowestMs), highestMs);
    this.#skewMs = Math.round(receivedMs + this.#offsetMs - this.#base.now());
  }

  now(): number {
    if (this.#offsetMs === undefined) return this.#base.now();
    return Math.floor(this.#base.monotonic() + this.#offsetMs);
  }

  monotonic(): number {
    return this.#base.monotonic();
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    return this.#base.setTimer(delayMs, callback);
  }

  turn(): Promise<void> {
    return this.#base.turn();
  }

  get partMs(): number {
    return this.#base.partMs ?? 1000;
  }
}
