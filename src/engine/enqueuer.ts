/**
 * Group commit of enqueues: what is enqueued while a batch is in flight goes together in the next.
 *
 * One `storage.enqueue` of an engine is under way at a time; a hundred callers at once cost a few round trips. Where a
 * worker of the same engine would go and claim the jobs at once, its claim is piggybacked on the batch, so that a job is stored and
 * begun in one batch. A batch that the storage refuses is sent again request by request: a job that cannot be stored
 * spoils no other. What got no answer is told to all who were in it, as if each had been sent by itself.
 */

import type { CorrectedClock } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import type { Ids } from "../base/id.ts";
import type { ClaimReply, ClaimRequest, NewJob, Storage } from "../storage/port.ts";
import type { EventSink } from "./events.ts";
import { timed } from "./timed.ts";

/** A claim that is sent in the same batch as an enqueue or a save. */
export interface PiggybackClaim {
  /** What to ask, with the time at which it is sent. */
  request(now: number): ClaimRequest;
  /** Hears the answer; undefined: the storage has not claimed. @param sentMs monotonic time at which it was first sent */
  answered(reply: ClaimReply | undefined, sentMs: number): void;
  /** Hears that no answer came: the claim may have happened. */
  failed(): void;
}

/** What became of a job: its own id, or that of the job that had the key before. */
export type Inserted = { id: string; created: boolean };

interface Entry {
  jobs: NewJob[];
  rows: number;
  bytes: number;
  resolve(inserted: Inserted[]): void;
  reject(error: unknown): void;
}

/** Codes of errors that one request may have brought upon all of its batch; nothing has happened then. */
const REFUSALS = new Set(["STORAGE_UNUSABLE", "PAYLOAD_UNSERIALIZABLE"]);

/** The parts of an engine that enqueueing needs. */
export interface EnqueuerParts {
  readonly storage: Storage;
  readonly clock: CorrectedClock;
  readonly ids: Ids;
  readonly events: EventSink;
}

/** Enqueues for all callers of one engine. */
export class Enqueuer {
  readonly #engine: EnqueuerParts;
  /** Gives a claim to piggyback on the enqueue of these jobs, where a worker wants one. */
  piggyback: (jobs: readonly NewJob[]) => PiggybackClaim | null = () => null;
  #queue: Entry[] = [];
  #sending = false;
  /** The last batch held several requests: those who made them will come again together. */
  #crowded = false;

  /** @param engine the parts it works with */
  constructor(engine: EnqueuerParts) {
    this.#engine = engine;
  }

  /**
   * Inserts jobs, in as few batches as they fit in.
   *
   * @throws what the storage throws
   */
  async insert(jobs: readonly NewJob[]): Promise<Inserted[]> {
    const inserted: Inserted[] = [];
    // One part at a time, so that a large list does not hold up those who come after it.
    for (const part of this.#parts(jobs)) {
      inserted.push(
        ...(await new Promise<Inserted[]>((resolve, reject) => {
          this.#queue.push({ ...part, resolve, reject });
          this.#kick();
        })),
      );
    }
    return inserted;
  }

  *#parts(jobs: readonly NewJob[]): Generator<Pick<Entry, "jobs" | "rows" | "bytes">> {
    const { maxBatchRows, maxBatchBytes } = this.#engine.storage.capabilities;
    let part: NewJob[] = [];
    let bytes = 0;
    for (const job of jobs) {
      const size = 500 + job.input.length + job.options.length;
      if (part.length > 0 && (part.length >= maxBatchRows || bytes + size > maxBatchBytes)) {
        yield { jobs: part, rows: part.length, bytes };
        part = [];
        bytes = 0;
      }
      part.push(job);
      bytes += size;
    }
    if (part.length > 0) yield { jobs: part, rows: part.length, bytes };
  }

  #kick(): void {
    if (this.#sending) return;
    this.#sending = true;
    if (this.#crowded) void this.#engine.clock.turn().then(() => this.#drain());
    else queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
      this.#crowded = batch.length > 1;
      await this.#send(batch);
    }
    this.#sending = false;
  }

  /** Takes what fits into one batch; at least one request. */
  #take(): Entry[] {
    const { maxBatchRows, maxBatchBytes } = this.#engine.storage.capabilities;
    let rows = 0;
    let bytes = 0;
    let count = 0;
    for (const entry of this.#queue) {
      rows += entry.rows;
      bytes += entry.bytes;
      if (count > 0 && (rows > maxBatchRows || bytes > maxBatchBytes)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #send(batch: Entry[]): Promise<void> {
    const { clock, ids, storage } = this.#engine;
    const jobs = batch.flatMap((entry) => entry.jobs);
    const piggyback = this.piggyback(jobs);
    const sentMs = clock.monotonic();
    try {
      const now = clock.now();
      const request = { op: ids.token(), now, jobs, ...(piggyback ? { claim: piggyback.request(now) } : {}) };
      const reply = await timed(this.#engine, () => storage.enqueue(request));
      let at = 0;
      for (const entry of batch) {
        const inserted = reply.jobs.slice(at, at + entry.jobs.length);
        at += entry.jobs.length;
        emitEnqueued(this.#engine.events, entry.jobs, inserted);
        entry.resolve(inserted);
      }
      piggyback?.answered(reply.claimed, sentMs);
    } catch (error) {
      piggyback?.failed();
      const refused = error instanceof BelfryError && REFUSALS.has(error.code);
      if (refused && batch.length > 1) for (const entry of batch) await this.#send([entry]);
      else for (const entry of batch) entry.reject(error);
    }
  }
}

/** Emits an event for each job that was stored. */
export function emitEnqueued(events: EventSink, jobs: readonly NewJob[], inserted: readonly Inserted[]): void {
  for (const [i, job] of jobs.entries()) {
    if (!inserted[i]!.created) continue;
    const { id, task, queue, schedule, scheduledAt, availableAt } = job;
    events.emit("job:enqueued", { id, task, queue, schedule, scheduledAt, availableAt });
  }
}
