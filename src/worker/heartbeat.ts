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
  /** The same moment by the engine's wall clock, by which the storage counts. */
  prolongedAt: number;
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
  /** The renewal that is under way. */
  #renewal: Promise<void> | undefined;

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
    this.#claims.set(id, { token, prolongedMs: sentMs, prolongedAt: this.#wallAt(sentMs) });
    if (!this.#timer && !this.#renewal) this.#arm(this.#options.claimMs / 3);
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
      if (!claim || claim.prolongedMs > sentMs) continue;
      claim.prolongedMs = sentMs;
      claim.prolongedAt = this.#wallAt(sentMs);
    }
  }

  /** Says whether the claim may still be ours while the storage does not answer. */
  mayOwn(id: string): boolean {
    const claim = this.#claims.get(id);
    return claim !== undefined && this.#engine.clock.monotonic() - claim.prolongedMs < this.#options.claimMs;
  }

  /**
   * Whether a claim of ours was not prolonged for so long that it may have run out, by either clock (a laptop that slept
   * has a wall clock that moved on alone): its renewal must come first.
   */
  get overdue(): boolean {
    const { clock } = this.#engine;
    const patienceMs = (2 / 3) * this.#options.claimMs;
    const beforeMs = clock.monotonic() - patienceMs;
    const before = clock.now() - patienceMs;
    for (const { prolongedMs, prolongedAt } of this.#claims.values()) {
      if (prolongedMs < beforeMs || prolongedAt < before) return true;
    }
    return false;
  }

  /**
   * Renews claims that are overdue. A claim of this worker frees every claim that has run out, so after a step that
   * blocked the event loop it would take the worker's own jobs away: whoever claims calls this first.
   */
  async catchUp(): Promise<void> {
    while (this.#renewal || this.overdue) {
      if (!this.#renewal) this.#beat();
      const before = this.#claims.size;
      await this.#renewal;
      // A renewal that failed is tried again by its timer; the claim that waits for it will not be answered either.
      if (this.overdue && this.#claims.size === before) return;
    }
  }

  /** The wall time of a moment of the past. */
  #wallAt(monotonicMs: number): number {
    const { clock } = this.#engine;
    return clock.now() - (clock.monotonic() - monotonicMs);
  }

  #arm(delayMs: number): void {
    this.#timer = this.#engine.clock.setTimer(delayMs, () => {
      this.#timer = undefined;
      if (!this.#renewal) this.#beat();
    });
  }

  #beat(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#renewal = this.#renew().finally(() => {
      this.#renewal = undefined;
    });
  }

  async #renew(): Promise<void> {
    if (this.#claims.size === 0) return;
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
      if (this.#claims.size > 0) this.#arm(nextMs);
    }
  }

  #lose(id: string): void {
    this.delete(id);
    this.#options.onLost(id);
  }
}
