/**
 * The heartbeat of a worker: renews the claims of all running jobs with one timer.
 *
 * A batch renews them after every third of the claim time; saves prolong the claims of their jobs as well. A claim that is
 * missing in the storage's answer is lost. While the storage does not answer, a claim counts as lost when the claim time
 * has passed, by our own monotonic clock, since it was last prolonged: another worker may have the job by then. When the
 * storage does answer, only its answer counts, so after a long pause of the event loop only claims are lost that another
 * worker took over.
 */
import type { Timer } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";

interface Claim {
  token: string;
  /** Monotonic time at which the request that last prolonged it was sent. */
  prolongedMs: number;
}

/** What a {@link Heartbeat} needs of its worker. */
export interface HeartbeatOptions {
  claimMs: number;
  /** A claim is lost. */
  onLost(id: string): void;
  /** The storage has answered a renewal. */
  onRenewed(): void;
}

/** Keeps the claims of one worker. */
export class Heartbeat {
  readonly #engine: Engine;
  readonly #options: HeartbeatOptions;
  readonly #claims = new Map<string, Claim>();
  #timer: Timer | undefined;
  #renewing = false;

  /**
   * @param engine the engine
   * @param options what it needs of the worker
   */
  constructor(engine: Engine, options: HeartbeatOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Adds a claim to those that are renewed. @param sentMs monotonic time at which the claiming request was sent */
  add(id: string, token: string, sentMs: number): void {
    this.#claims.set(id, { token, prolongedMs: sentMs });
    if (!this.#timer && !this.#renewing) this.#arm(this.#options.claimMs / 3);
  }

  /** Stops renewing a claim. */
  delete(id: string): void {
    this.#claims.delete(id);
    if (this.#claims.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Notes that a request has prolonged claims. @param sentMs monotonic time at which it was sent */
  prolonged(ids: string[], sentMs: number): void {
    for (const id of ids) {
      const claim = this.#claims.get(id);
      if (claim) claim.prolongedMs = Math.max(claim.prolongedMs, sentMs);
    }
  }

  /** Says whether the claim may still be ours while the storage does not answer. */
  mayOwn(id: string): boolean {
    const claim = this.#claims.get(id);
    return claim !== undefined && this.#engine.clock.monotonic() - claim.prolongedMs < this.#options.claimMs;
  }

  #arm(delayMs: number): void {
    this.#timer = this.#engine.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      void this.#renew();
    });
  }

  async #renew(): Promise<void> {
    if (this.#claims.size === 0) return;
    this.#renewing = true;
    const { clock, storage } = this.#engine;
    const { claimMs } = this.#options;
    const sentMs = clock.monotonic();
    const sent = [...this.#claims].map(([id, { token }]) => ({ id, token }));
    let nextMs = claimMs / 3;
    try {
      const request = { now: clock.now(), claimMs, claims: sent };
      const reply = await timed(this.#engine, () => storage.renew(request));
      const kept = new Set(reply.kept);
      this.prolonged(reply.kept, sentMs);
      for (const { id, token } of sent) {
        if (!kept.has(id) && this.#claims.get(id)?.token === token) this.#lose(id);
      }
      this.#options.onRenewed();
    } catch (error) {
      this.#engine.report(error, `renewing ${sent.length} claims`);
      for (const { id } of sent) if (this.#claims.has(id) && !this.mayOwn(id)) this.#lose(id);
      nextMs = claimMs / 10;
    } finally {
      this.#renewing = false;
      if (this.#claims.size > 0) this.#arm(nextMs);
    }
  }

  #lose(id: string): void {
    this.delete(id);
    this.#options.onLost(id);
  }
}
