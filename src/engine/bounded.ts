/**
 * How long may a storage keep its caller waiting? Every call of the port goes through here and ends within a bound,
 * whatever the network does: a firewall that swallows packets leaves a connection open on which nothing ever comes back.
 *
 * A send that is not answered in time counts as "not answered": its signal aborts, so that the adapter ends it and throws
 * away its connection, and the same request is sent once more, with the time that it is by then. Every request of the
 * port may be sent twice (it carries an op, a token or a key, or only reads). When that send is not answered either, the
 * call rejects with `STORAGE_UNAVAILABLE`. An answer that comes after its send was given up is dropped.
 *
 * The rule is here alone and needs no help of an adapter: one that ignores the signal is left behind with its promise.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { formatDuration } from "../base/duration.ts";
import { BelfryError } from "../base/error.ts";
import type { CallOptions, Storage } from "../storage/port.ts";
import type { Outage } from "./outage.ts";

/** What a bound needs. */
export interface BoundOptions {
  readonly clock: Clock;
  /** How long one send may take, ms; Infinity: without a bound. */
  readonly timeoutMs: number;
  /** Is told how each call went. */
  readonly outage: Outage;
}

/** Sends of one request before its caller is told. */
const SENDS = 2;
/** A migration may have to build indexes: its sends get this many times the time of others. */
const MIGRATE_FACTOR = 6;
/** Members that are no calls to the database, or that last: they pass unbounded. */
const UNBOUNDED = new Set<PropertyKey>(["enqueueStatements", "listen"]);

type Method = (request: unknown, options?: CallOptions) => Promise<unknown>;

/** A send under way. */
interface Send {
  readonly deadlineMs: number;
  expire(): void;
}

/**
 * Bounds every call of a storage.
 *
 * @returns the same storage behind the bound
 */
export function boundStorage(storage: Storage, { clock, timeoutMs, outage }: BoundOptions): Storage {
  const usual = new Sends(clock, timeoutMs, outage);
  const migrations = new Sends(clock, timeoutMs * MIGRATE_FACTOR, outage);
  /** By name: a member of the storage and what stands for it here. */
  const members = new Map<PropertyKey, { of: unknown; member: unknown }>();
  const bound = (name: PropertyKey, method: Method): Method => {
    const sends = name === "migrate" ? migrations : usual;
    return async (request) => {
      try {
        const answer = await sends.call(storage, String(name), (options, now) =>
          method.call(storage, now(request), options),
        );
        outage.answered();
        return answer;
      } catch (error) {
        outage.failed(error);
        throw error;
      }
    };
  };
  return new Proxy(storage, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const known = members.get(name);
      if (known?.of === value) return known.member;
      const member = UNBOUNDED.has(name) ? value.bind(target) : bound(name, value as Method);
      members.set(name, { of: value, member });
      return member;
    },
  });
}

/** Sends that all have the same time to be answered: the oldest runs out first, so one timer watches them all. */
class Sends {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #outage: Outage;
  /** In the order in which they were sent. */
  readonly #underWay = new Set<Send>();
  #timer: Timer | undefined;

  constructor(clock: Clock, timeoutMs: number, outage: Outage) {
    this.#outage = outage;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Calls until it is answered or the sends are used up.
   *
   * @param send makes the call; `now` puts the present time into a request that is sent again
   */
  async call(
    storage: Storage,
    name: string,
    send: (options: CallOptions, now: (request: unknown) => unknown) => Promise<unknown>,
  ): Promise<unknown> {
    const firstMs = this.#clock.monotonic();
    for (let sends = 1; ; sends++) {
      const waitedMs = sends === 1 ? 0 : this.#clock.monotonic() - firstMs;
      const answer = await this.#send((options) => send(options, (request) => later(request, waitedMs)));
      if (answer !== EXPIRED) return answer;
      this.#outage.expired(name, this.#timeoutMs);
      if (sends < SENDS) continue;
      throw new BelfryError(
        "STORAGE_UNAVAILABLE",
        `The storage ${storage.name} did not answer within ${formatDuration(this.#timeoutMs)}, ${SENDS} times (${name}); ` +
          "what was asked may or may not have happened. Check that the database can be reached, or raise storageTimeout",
      );
    }
  }

  /** @returns the answer, or {@link EXPIRED} */
  #send(send: (options: CallOptions) => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const options = new Call();
      const entry: Send = {
        deadlineMs: this.#clock.monotonic() + this.#timeoutMs,
        expire: () => {
          resolve(EXPIRED);
          options.abort();
        },
      };
      if (this.#timeoutMs < Infinity) {
        this.#underWay.add(entry);
        this.#arm();
      }
      let answer: Promise<unknown>;
      try {
        answer = Promise.resolve(send(options));
      } catch (error) {
        answer = Promise.reject(error);
      }
      answer.then(resolve, reject).finally(() => {
        this.#underWay.delete(entry);
        if (this.#underWay.size === 0) this.#disarm();
      });
    });
  }

  #arm(): void {
    if (this.#timer) return;
    for (const { deadlineMs } of this.#underWay) {
      this.#timer = this.#clock.setTimer(Math.max(0, deadlineMs - this.#clock.monotonic()), () => this.#expire());
      return;
    }
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonic();
    for (const entry of this.#underWay) {
      if (entry.deadlineMs > nowMs) break;
      this.#underWay.delete(entry);
      entry.expire();
    }
    this.#arm();
  }
}

const EXPIRED = Symbol("expired");

/** The options of one send; most adapters never look at the signal, so it is made when one does. */
class Call implements CallOptions {
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(new BelfryError("STORAGE_UNAVAILABLE", "The storage did not answer in time"));
  }
}

/** The request with its time moved on by what has passed, that of a piggybacked claim too. */
function later(request: unknown, waitedMs: number): unknown {
  if (waitedMs === 0 || typeof request !== "object" || request === null) return request;
  const { now, claim } = request as { now?: number; claim?: object };
  return {
    ...request,
    ...(now === undefined ? {} : { now: now + Math.round(waitedMs) }),
    ...(claim === undefined ? {} : { claim: later(claim, waitedMs) }),
  };
}
