/**
 * May this process fire, for how long may it assume so, and when must it renew?
 *
 * ```text
 *   request sent                renew                stop trusting     the storage grants it to others
 *        │<────── ttl / 3 ───────>│                        │                  │
 *        │<─────────────────── ttl - margin ──────────────>│<──── margin ────>│
 * ```
 *
 * **Who is authoritative.** The storage alone: it grants the lease, and its token, which grows with every grant, is
 * checked inside every batch that fires. What is kept here is an estimate that saves work and decides when to ask; safety
 * never depends on it. **How it fails.** A leader that was frozen still assumes that it leads; its next batch carries an
 * old token and is refused whole. After a lost reply the token is unknown; asking again as the same holder grants a new one.
 *
 * The estimate is measured on the monotonic clock, from the moment the request was *sent*, so a jump of the wall clock
 * neither prolongs nor ends it. In the storage a term ends at a wall time, so a holder whose clock ran ahead can leave
 * a lease that ends hours from now and that nobody renews. Such a lease looks abandoned ({@link Lease.looksAbandoned}): it
 * ends further ahead than any ttl, or was not renewed while this process watched it. Whoever sees it releases it.
 */
import type { BeginTickReply, LeaseRecord } from "../storage/port.ts";

/** The longest ttl that is taken; a lease that ends further ahead was written under a wrong clock. */
const MAX_LEASE_TTL_MS = 3_600_000;
/** A lease that was not renewed while it was watched for this long (or four ttls) looks abandoned. */
const WATCH_MS = 60_000;

/** Tracks whether this process leads. */
export class Lease {
  readonly holder: string;
  readonly ttlMs: number;
  #token: number | null = null;
  /** Monotonic. */
  #trustedUntilMs = -Infinity;
  #renewAtMs = -Infinity;
  #seen: LeaseRecord | null = null;
  #seenSinceMs = 0;

  /** @param ttlMs how long a term lasts when it is not renewed */
  constructor(holder: string, ttlMs: number) {
    this.holder = holder;
    this.ttlMs = ttlMs;
  }

  /** The token of the term that this process holds; null when it holds none. */
  get token(): number | null {
    return this.#token;
  }

  /** The lease as the storage last showed it; null when nobody owned it. */
  get seen(): LeaseRecord | null {
    return this.#seen;
  }

  /** When to ask again to keep the term, monotonic ms. */
  get renewAtMs(): number {
    return this.#renewAtMs;
  }

  /** Tells whether this process may assume that it leads. */
  mayLead(monotonicMs: number): boolean {
    return this.#token !== null && monotonicMs < this.#trustedUntilMs;
  }

  /**
   * Takes in a reply of the storage.
   *
   * @param sentMs monotonic time at which the request was sent
   * @returns whether a term began or ended by it
   */
  learn(reply: BeginTickReply, sentMs: number, nowMs: number): "began" | "ended" | "same" {
    const had = this.#token;
    const { lease } = reply;
    const same = lease !== null && this.#seen?.token === lease.token && this.#seen.expiresAt === lease.expiresAt;
    if (!same) this.#seenSinceMs = nowMs;
    this.#seen = lease;
    if (reply.leads && lease !== null) {
      this.#token = lease.token;
      // The margin is for a process that stalls between its last look at the clock and the arrival of its batch.
      this.#trustedUntilMs = sentMs + this.ttlMs - Math.max(50, this.ttlMs / 10);
      this.#renewAtMs = sentMs + Math.floor(this.ttlMs / 3);
      return had === this.#token ? "same" : "began";
    }
    this.forget();
    return had === null ? "same" : "ended";
  }

  /** Forgets the term: it was resigned or lost. */
  forget(): void {
    this.#token = null;
    this.#trustedUntilMs = -Infinity;
    this.#renewAtMs = -Infinity;
  }

  /** Forgets the term and the lease: it was released in a batch. */
  resigned(): void {
    this.forget();
    this.#seen = null;
  }

  /**
   * Tells whether the lease that was seen looks abandoned although it has not run out. Releasing it is safe in any case: a
   * living holder's next batch carries an old token and is refused.
   *
   * @param now epoch ms
   */
  looksAbandoned(now: number, monotonicMs: number): boolean {
    const seen = this.#seen;
    if (seen === null || this.#token !== null || seen.expiresAt <= now) return false;
    if (seen.expiresAt - now > MAX_LEASE_TTL_MS) return true;
    return monotonicMs - this.#seenSinceMs > Math.max(WATCH_MS, 4 * this.ttlMs);
  }
}
