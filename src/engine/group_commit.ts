/**
 * Group commit: writes that arrive while a batch is in flight are sent together in the next one.
 *
 * One batch is in flight at a time, so a hundred concurrent writers cost a few round trips. Writes that arrive in the same
 * turn of the event loop share a batch as well. A batch is bounded by rows and bytes. What a batch contains, how it is sent
 * and what a failure means is decided by the {@link GroupCommitPolicy}: resend the same batch after a delay, split it (so
 * that one write which the database refuses does not fail or delay the others), or give up.
 *
 *   add ──> queue ──flush──> batch in flight ──reply──> succeeded()
 *             ^                    │ error: failed() says
 *             └── next batch       ├─ "resend"   the same batch again, after a growing delay
 *                                  ├─ "split"    each write in a batch of its own
 *                                  └─ "give up"  nothing more; failed() has answered the writers
 */
import { type Clock, delay } from "../base/clock.ts";
import type { Ids } from "../base/id.ts";

/** A write that waits for its batch. */
export interface GroupCommitEntry {
  /** Entries of one key are sent one after the other; {@link GroupCommit.waiting} finds an entry by it. */
  readonly key: unknown;
  /** How many rows it writes. */
  rows: number;
  /** About how many bytes it takes in a request. */
  bytes: number;
}

/** What is done about a batch without a reply. */
export type GroupCommitRemedy = "resend" | "split" | "give up";

/** The largest batch; an entry that exceeds it alone is sent alone. */
export interface GroupCommitBounds {
  readonly maxBatchRows: number;
  readonly maxBatchBytes: number;
}

/** Decides what a batch is and what its failure means. */
export interface GroupCommitPolicy<Entry extends GroupCommitEntry, Batch, Reply> {
  /** The largest batch. */
  bounds(): GroupCommitBounds;
  /** Whether other writers are likely to write in this turn of the event loop, so that the flush waits for its end. */
  expectsMore(): boolean;
  /** Makes a batch of entries, once; every resend passes the same batch to {@link send}. */
  prepare(entries: Entry[]): Batch;
  /** Sends a batch. @throws when there is no reply */
  send(batch: Batch): Promise<Reply>;
  /** Handles the reply: answers the writers. */
  succeeded(batch: Batch, reply: Reply): void;
  /** Handles a missing reply. @param tries how often the batch was sent */
  failed(batch: Batch, error: unknown, tries: number): GroupCommitRemedy;
  /**
   * How the entries of a split batch are sent: `in turn`, before any other batch; `side by side` at once, beside the
   * batches that follow.
   */
  readonly splits: "in turn" | "side by side";
}

/** Delay before the first resend; each further one waits twice as long, up to the longest. */
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 5_000;

/** Gathers writes and sends them in batches. */
export class GroupCommit<Entry extends GroupCommitEntry, Batch, Reply> {
  readonly #clock: Clock;
  readonly #ids: Pick<Ids, "random">;
  readonly #policy: GroupCommitPolicy<Entry, Batch, Reply>;
  readonly #queue = new Map<unknown, Entry>();
  #flushing = false;
  /** Keys of the entries of split batches that are in flight: what is added under these keys waits. */
  readonly #alone = new Set<unknown>();

  /**
   * @param parts the clock, and chance for the jitter of delays
   * @param policy what a batch is
   */
  constructor(
    parts: { readonly clock: Clock; readonly ids: Pick<Ids, "random"> },
    policy: GroupCommitPolicy<Entry, Batch, Reply>,
  ) {
    this.#clock = parts.clock;
    this.#ids = parts.ids;
    this.#policy = policy;
  }

  /** Finds the entry of a key that was not sent yet: a further write of the same key may be merged into it. */
  waiting(key: unknown): Entry | undefined {
    return this.#queue.get(key);
  }

  /** Adds an entry to the next batch; its key must not be {@link waiting}. */
  add(entry: Entry): void {
    this.#queue.set(entry.key, entry);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    if (this.#policy.expectsMore()) void this.#clock.turn().then(() => this.#flush());
    else queueMicrotask(() => void this.#flush());
  }

  async #flush(): Promise<void> {
    for (let entries = this.#take(); entries.length > 0; entries = this.#take()) await this.#send(entries);
    this.#flushing = false;
  }

  /** Takes what fits into one batch; at least one entry. */
  #take(): Entry[] {
    const { maxBatchRows, maxBatchBytes } = this.#policy.bounds();
    const taken: Entry[] = [];
    let rows = 0;
    let bytes = 0;
    for (const [key, entry] of this.#queue) {
      if (this.#alone.has(key)) continue;
      rows += entry.rows;
      bytes += entry.bytes;
      if (taken.length > 0 && (rows > maxBatchRows || bytes > maxBatchBytes)) break;
      taken.push(entry);
      this.#queue.delete(key);
    }
    return taken;
  }

  async #send(entries: Entry[]): Promise<void> {
    const batch = this.#policy.prepare(entries);
    let delayMs = FIRST_DELAY_MS;
    for (let tries = 1; ; tries++) {
      let reply: Reply;
      try {
        reply = await this.#policy.send(batch);
      } catch (error) {
        const remedy = this.#policy.failed(batch, error, tries);
        if (remedy === "split") return this.#split(entries);
        if (remedy === "give up") return;
        await delay(this.#clock, delayMs * (0.5 + this.#ids.random() / 2));
        delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
        continue;
      }
      this.#policy.succeeded(batch, reply);
      return;
    }
  }

  async #split(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (this.#policy.splits === "in turn") await this.#send([entry]);
      else void this.#sendAlone(entry);
    }
  }

  async #sendAlone(entry: Entry): Promise<void> {
    this.#alone.add(entry.key);
    await this.#send([entry]);
    this.#alone.delete(entry.key);
    this.#flushSoon();
  }
}
