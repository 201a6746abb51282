/**
 * Keeps the claims of a worker alive, all with one timer.
 *
 * Every third of the claim time one batch renews them; saves prolong theirs too. A claim that the storage does not name
 * any more is lost. Where the storage does not answer, a claim counts as lost when its time has passed by our own
 * monotonic clock since it was last prolonged: then another worker may have the job. Where the storage answers, its
 * word counts, so an event loop that was blocked for long loses only what was really taken.
 */
import type { Timer } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";

interface Claim {
  token: string;
  /** Monotonic time at which the request that last prolonged it was sent. */
  prolongedMs: number;
}

/** The claims of one worker. */
export class Heartbeat {
  readonly #engine: Engine;
  readonly #claimMs: number;
  readonly #onLost: (id: string) => void;
  readonly #onRenewed: () => void;
  readonly #claims = new Map<string, Claim>();
  #timer: Timer | undefined;
  #renewing = false;

  /**
   * @param engine the engine
   * @param options `claimMs`; `onLost(id)` hears of each lost claim; `onRenewed()` of each renewal
   */
  constructor(engine: Engine, options: { claimMs: number; onLost: (id: string) => void; onRenewed: () => void }) {
    this.#engine = engine;
    this.#claimMs = options.claimMs;
    this.#onLost = options.onLost;
    this.#onRenewed = options.onRenewed;
  }

  /** Takes a claim into care. @param sentMs monotonic time at which the claiming request was sent */
  add(id: string, token: string, sentMs: number): void {
    this.#claims.set(id, { token, prolongedMs: sentMs });
    if (!this.#timer && !this.#renewing) this.#arm(this.#claimMs / 3);
  }

  /** Lets a claim go. */
  delete(id: string): void {
    this.#claims.delete(id);
    if (this.#claims.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Hears that a write has prolonged claims. */
  prolonged(ids: string[], sentMs: number): void {
    for (const id of ids) {
      const claim = this.#claims.get(id);
      if (claim) claim.prolongedMs = Math.max(claim.prolongedMs, sentMs);
    }
  }

  /** Whether, for all that is known without the storage, the claim may still be ours. */
  mayOwn(id: string): boolean {
    const claim = this.#claims.get(id);
    return claim !== undefined && this.#engine.clock.monotonic() - claim.prolongedMs < this.#claimMs;
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
    const sentMs = clock.monotonic();
    const sent = [...this.#claims].map(([id, { token }]) => ({ id, token }));
    let nextMs = this.#claimMs / 3;
    try {
      const request = { now: clock.now(), claimMs: this.#claimMs, claims: sent };
      const reply = await timed(this.#engine, () => storage.renew(request));
      const kept = new Set(reply.kept);
      this.prolonged(reply.kept, sentMs);
      for (const { id, token } of sent) {
        if (!kept.has(id) && this.#claims.get(id)?.token === token) this.#lose(id);
      }
      this.#onRenewed();
    } catch (error) {
      this.#engine.report(error, `renewing ${sent.length} claims`);
      for (const { id } of sent) if (this.#claims.has(id) && !this.mayOwn(id)) this.#lose(id);
      nextMs = this.#claimMs / 10;
    } finally {
      this.#renewing = false;
      if (this.#claims.size > 0) this.#arm(nextMs);
    }
  }

  #lose(id: string): void {
    this.delete(id);
    this.#onLost(id);
  }
}
