/**
 * Inserts the jobs of all callers of one engine, by {@link GroupCommit}.
 *
 * Where a worker of the same engine would claim the jobs at once, its claim is piggybacked on the batch, so that a job is
 * stored and started in one round trip. A batch that the storage refuses is split, so that a job which cannot be stored
 * fails only its own caller. A batch without a reply is not sent again: each of its callers gets the error, as if it had
 * sent its jobs itself.
 */

import type { CorrectedClock } from "../base/clock.ts";
import type { Ids } from "../base/id.ts";
import type { ClaimReply, ClaimRequest, EnqueueReply, NewJob, Storage } from "../storage/port.ts";
import type { EventSink } from "./events.ts";
import { GroupCommit, type GroupCommitEntry, type GroupCommitPolicy } from "./group_commit.ts";
import { jsonSize } from "./json_size.ts";
import { isRefusal } from "./refusals.ts";
import { timed } from "./timed.ts";

/** A claim that is sent in the same batch as an enqueue or a save. */
export interface PiggybackClaim {
  /** Makes the request. @param now the time at which the batch is sent, epoch ms */
  request(now: number): ClaimRequest;
  /** Takes the reply. @param reply undefined: the storage did not perform the claim */
  answered(reply: ClaimReply | undefined): void;
  /** Learns that the batch got no reply: the claim may have been performed. */
  failed(): void;
}

/** What became of a job: its own id, or that of the job that had the key before. */
export type Inserted = { id: string; created: boolean };

/** The jobs of one caller, or a part of them. */
interface Entry extends GroupCommitEntry {
  jobs: NewJob[];
  resolve(inserted: Inserted[]): void;
  reject(error: unknown): void;
}

interface Batch {
  entries: Entry[];
  jobs: NewJob[];
  piggyback: PiggybackClaim | null;
}

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
  readonly #commit: GroupCommit<Entry, Batch, EnqueueReply>;
  /** Makes a claim to piggyback on the insert of these jobs; null: the worker wants none. */
  piggyback: (jobs: readonly NewJob[]) => PiggybackClaim | null = () => null;
  /** The last batch had several entries: their callers are likely to come again together. */
  #crowded = false;

  /** @param engine the parts it works with */
  constructor(engine: EnqueuerParts) {
    this.#engine = engine;
    this.#commit = new GroupCommit(engine, this.#policy());
  }

  /**
   * Inserts jobs, in as few batches as they fit in.
   *
   * @returns for each job, in order, whether it was stored
   * @throws what the storage throws
   */
  async insert(jobs: readonly NewJob[]): Promise<Inserted[]> {
    const inserted: Inserted[] = [];
    // One part at a time, so that a long list does not delay the callers that come after it.
    for (const part of this.#parts(jobs)) {
      const stored = new Promise<Inserted[]>((resolve, reject) => {
        this.#commit.add({ ...part, key: part.jobs, rows: part.jobs.length, resolve, reject });
      });
      inserted.push(...(await stored));
    }
    return inserted;
  }

  *#parts(jobs: readonly NewJob[]): Generator<Pick<Entry, "jobs" | "bytes">> {
    const { maxBatchRows, maxBatchBytes } = this.#engine.storage.capabilities;
    let part: NewJob[] = [];
    let bytes = 0;
    for (const job of jobs) {
      const size = 500 + jsonSize(job.input) + jsonSize(job.options);
      if (part.length > 0 && (part.length >= maxBatchRows || bytes + size > maxBatchBytes)) {
        yield { jobs: part, bytes };
        part = [];
        bytes = 0;
      }
      part.push(job);
      bytes += size;
    }
    if (part.length > 0) yield { jobs: part, bytes };
  }

  #policy(): GroupCommitPolicy<Entry, Batch, EnqueueReply> {
    const { clock, storage, ids, events } = this.#engine;
    return {
      splits: "in turn",
      bounds: () => storage.capabilities,
      expectsMore: () => this.#crowded,
      prepare: (entries) => {
        this.#crowded = entries.length > 1;
        const jobs = entries.length === 1 ? entries[0]!.jobs : entries.flatMap((entry) => entry.jobs);
        return { entries, jobs, piggyback: this.piggyback(jobs) };
      },
      send: ({ jobs, piggyback }) => {
        const now = clock.now();
        const request = { op: ids.token(), now, jobs, ...(piggyback ? { claim: piggyback.request(now) } : {}) };
        return timed(this.#engine, () => storage.enqueue(request));
      },
      succeeded: ({ entries, piggyback }, reply) => {
        let at = 0;
        for (const { jobs, resolve } of entries) {
          const inserted = reply.jobs.slice(at, at + jobs.length);
          at += jobs.length;
          emitEnqueued(events, jobs, inserted);
          resolve(inserted);
        }
        piggyback?.answered(reply.claimed);
      },
      failed: ({ entries, piggyback }, error) => {
        piggyback?.failed();
        if (isRefusal(error) && entries.length > 1) return "split";
        for (const { reject } of entries) reject(error);
        return "give up";
      },
    };
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
