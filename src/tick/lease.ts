/**
 * A term of leadership: who may fire, for how long this process may believe it, and when to ask again.
 *
 * ```text
 *   request sent                renew                stop trusting     the storage lets another in
 *        │<────── ttl / 3 ───────>│                        │                  │
 *        │<─────────────────── ttl - margin ──────────────>│<──── margin ────>│
 * ```
 *
 * **Who is authoritative.** The storage alone: it grants the lease, and its token, which grows with every grant, is
 * checked inside every batch that fires. What is kept here is an opinion, used to save work and to pace it, never to be
 * safe. **How it fails.** A leader that was frozen wakes up believing; its next batch carries an old token and nothing
 * of it happens. A reply that got lost leaves the token unknown; asking again as the same holder gives a new one.
 *
 * The opinion is measured on the monotonic clock, from the moment the request was *sent*, so a jump of the wall clock
 * neither prolongs nor ends it. The term's end in the storage is wall time, so a holder whose clock ran ahead can leave
 * a lease that no honest clock will outlive: `stuck` finds it (further ahead than any ttl, or never renewed while
 * others watched), and whoever sees it gives it up in the name of its holder.
 */
import type { BeginTickReply, LeaseRecord } from "../storage/port.ts";

/** The longest ttl that is taken; a lease that ends further ahead was written under a wrong clock. */
const MAX_LEASE_TTL_MS = 3_600_000;
/** A lease that was not renewed while it was watched for this long (or four ttls) has no living holder. */
const WATCH_MS = 60_000;

/** Keeps this process's opinion of the lease. */
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

  /** The token of the term we have; null when we have none. */
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

  /** Whether this process may believe that it leads. */
  mayLead(monotonicMs: number): boolean {
    return this.#token !== null && monotonicMs < this.#trustedUntilMs;
  }

  /**
   * Learns what the storage said.
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
      // A process may stall between its last look at the clock and the arrival of its batch: that is what the margin is for.
      this.#trustedUntilMs = sentMs + this.ttlMs - Math.max(50, this.ttlMs / 10);
      this.#renewAtMs = sentMs + Math.floor(this.ttlMs / 3);
      return had === this.#token ? "same" : "began";
    }
    this.forget();
    return had === null ? "same" : "ended";
  }

  /** Drops the opinion: resigned, or lost. */
  forget(): void {
    this.#token = null;
    this.#trustedUntilMs = -Infinity;
    this.#renewAtMs = -Infinity;
  }

  /** Learns that the lease was given up in a batch. */
  resigned(): void {
    this.forget();
    this.#seen = null;
  }

  /**
   * Whether the lease that was seen cannot have a living holder, although it has not run out.
   *
   * @param now epoch ms
   */
  stuck(now: number, monotonicMs: number): boolean {
    const seen = this.#seen;
    if (seen === null || this.#token !== null || seen.expiresAt <= now) return false;
    if (seen.expiresAt - now > MAX_LEASE_TTL_MS) return true;
    return monotonicMs - this.#seenSinceMs > Math.max(WATCH_MS, 4 * this.ttlMs);
  }
}
