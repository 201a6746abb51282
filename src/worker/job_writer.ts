/**
 * Saves steps and transitions of the running jobs of one worker, by group commit: see {@link GroupCommit}.
 *
 * Several writes of one job that wait together become one. A save without a reply may have been performed, so the same
 * batch is sent again with the same `op`, which does nothing the second time. When that has failed a few times, the batch
 * is split, so that a write which the database refuses delays no other job. A batch is given up when the claims of all its
 * jobs must be considered lost. Where the writes make jobs ready that this worker would claim, its claim is piggybacked
 * on the batch.
 */
import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import {
  GroupCommit,
  type GroupCommitBounds,
  type GroupCommitEntry,
  type GroupCommitPolicy,
} from "../engine/group_commit.ts";
import { jsonSize } from "../engine/json_size.ts";
import { isRefusal } from "../engine/refusals.ts";
import { timed } from "../engine/timed.ts";
import type { Refused } from "../execution/write_buffer.ts";
import type { JobState, JobWrite, NewJob, SaveReply, StepRecord } from "../storage/port.ts";

/** What became of a write; null: the claim is lost. `claimed`: a claim was piggybacked on the save and answered. */
export type Saved = { state: JobState; arrivals: number; claimed: boolean } | null;

/** What {@link JobWriter.save} answers: a {@link Refused} write is never stored. */
export type SaveResult = Saved | Refused;

/** What a {@link JobWriter} needs of its worker. */
export interface JobWriterOptions {
  claimMs: number;
  /** How many jobs run, and so may write. */
  running(): number;
  /** Whether the claim of a job may still be ours while the storage does not answer. */
  mayOwn(id: string): boolean;
  /** A save has prolonged the claims of these jobs. @param sentMs monotonic time at which it was sent */
  prolonged(ids: string[], sentMs: number): void;
  /** Makes a claim to piggyback on the save of these writes; null: none is wanted. */
  piggyback(writes: JobWrite[]): PiggybackClaim | null;
}

/** What one job writes; `key` is its id. */
interface Entry extends GroupCommitEntry {
  write: JobWrite;
  /** Indexes of steps by name, once several writes were merged: a later row of a step replaces an earlier one. */
  indexes: Map<string, number> | undefined;
  resolve: ((saved: SaveResult) => void)[];
}

interface Batch {
  op: string;
  entries: Entry[];
  piggyback: PiggybackClaim | null;
}

/** How often a batch is sent as a whole before it is split. */
const WHOLE_TRIES = 3;
/** How often a write of one job is sent that the storage refuses. */
const REFUSED_TRIES = 2;

/** Saves for all running jobs of one worker. */
export class JobWriter {
  readonly #engine: Engine;
  readonly #options: JobWriterOptions;
  readonly #commit: GroupCommit<Entry, Batch, SaveReply>;

  /**
   * @param engine the engine
   * @param options what it needs of the worker
   */
  constructor(engine: Engine, options: JobWriterOptions) {
    this.#engine = engine;
    this.#options = options;
    this.#commit = new GroupCommit(engine, this.#policy());
  }

  /** Saves; resolves when it is stored, or to null when the claim is lost. Never rejects. */
  save(write: JobWrite): Promise<SaveResult> {
    return new Promise((resolve) => {
      const waiting = this.#commit.waiting(write.id);
      if (waiting) {
        merge(waiting, write);
        waiting.resolve.push(resolve);
      } else this.#commit.add(newEntry(write, resolve));
    });
  }

  #policy(): GroupCommitPolicy<Entry, Batch, SaveReply> {
    const { running, mayOwn, piggyback } = this.#options;
    return {
      splits: "side by side",
      bounds: () => this.#engine.storage.capabilities,
      // Other jobs that were given a result in this turn will write as well; a job that runs alone need not wait for any.
      expectsMore: () => running() > 1,
      prepare: (entries) => ({
        op: this.#engine.ids.token(),
        entries,
        piggyback: piggyback(entries.map((entry) => entry.write)),
      }),
      send: (batch) => this.#send(batch),
      succeeded: ({ entries, piggyback }, reply) => {
        settle(entries, reply);
        piggyback?.answered(reply.claimed);
      },
      failed: ({ entries, piggyback }, error, tries) => {
        this.#engine.report(error, `saving ${entries.length} jobs`);
        const refused = isRefusal(error);
        if (entries.length > 1 && (refused || tries >= WHOLE_TRIES)) {
          piggyback?.failed();
          return "split";
        }
        // A transition alone is refused for reasons that no other write would escape.
        if (refused && tries >= REFUSED_TRIES && hasContent(entries[0]!.write)) {
          piggyback?.failed();
          refuse(entries[0]!, error);
          return "give up";
        }
        // A resend must be the same batch, so it can only be given up as a whole.
        if (entries.some((entry) => mayOwn(entry.write.id))) return "resend";
        piggyback?.failed();
        settle(entries, { saved: [] });
        return "give up";
      },
    };
  }

  async #send({ op, entries, piggyback }: Batch): Promise<SaveReply> {
    const { clock, storage } = this.#engine;
    const { claimMs, prolonged } = this.#options;
    const writes = entries.map((entry) => entry.write);
    const sentMs = clock.monotonic();
    // A job that writes more than a batch may carry does so in several; the way it goes on is in the last.
    const parts = entries.length === 1 ? inParts(entries[0]!, storage.capabilities) : [];
    for (const [i, part] of parts.entries()) {
      const request = { op: `${op}-${i}`, now: clock.now(), claimMs, writes: [part] };
      const { saved } = await timed(this.#engine, () => storage.save(request));
      if (saved.length === 0) return { saved };
    }
    const now = clock.now();
    const last = parts.length > 0 ? [{ ...writes[0]!, steps: [], forget: [], children: [] }] : writes;
    const request = { op, now, claimMs, writes: last, ...(piggyback ? { claim: piggyback.request(now) } : {}) };
    const reply = await timed(this.#engine, () => storage.save(request));
    const running = reply.saved.filter((saved) => saved.state === "running");
    prolonged(
      running.map((saved) => saved.id),
      sentMs,
    );
    return reply;
  }
}

function settle(entries: Entry[], reply: SaveReply): void {
  const saved = new Map(reply.saved.map((answer) => [answer.id, answer]));
  for (const { write, resolve } of entries) {
    const answer = saved.get(write.id);
    for (const done of resolve) done(answer ? { ...answer, claimed: reply.claimed !== undefined } : null);
  }
}

/** Tells the writers of a job that what they write is refused. */
function refuse({ write, bytes, resolve }: Entry, error: unknown): void {
  const { message } = error as Error;
  const what = `${write.steps.length} steps and ${write.children.length} children, about ${bytes.toLocaleString("en")} bytes`;
  const refused = new BelfryError(
    "SAVE_REFUSED",
    `Cannot save what job ${write.id} did (${what}): the storage refuses it: ${message}`,
    { cause: error },
  );
  for (const done of resolve) done({ refused });
}

/** Whether a write brings more than the way the job goes on. */
function hasContent({ steps, children, progress, transition }: JobWrite): boolean {
  return steps.length > 0 || children.length > 0 || progress !== undefined || transition?.to === "completed";
}

/**
 * Cuts the rows of a write that exceeds a batch into several: first what is forgotten, then children, so that no step
 * refers to one that is not stored, then steps in their order.
 *
 * @returns no parts where it fits into one batch
 */
function inParts({ write, rows, bytes }: Entry, { maxBatchRows, maxBatchBytes }: GroupCommitBounds): JobWrite[] {
  if (rows <= maxBatchRows && bytes <= maxBatchBytes) return [];
  const empty = (): JobWrite => ({
    id: write.id,
    token: write.token,
    steps: [],
    forget: [],
    children: [],
    transition: null,
  });
  const parts: JobWrite[] = [{ ...empty(), forget: write.forget }];
  let leftRows = maxBatchRows;
  let leftBytes = maxBatchBytes - 500;
  const add = (size: number, into: (part: JobWrite) => void): void => {
    if (leftRows < 1 || leftBytes < size) {
      if (parts.at(-1)!.steps.length + parts.at(-1)!.children.length > 0) parts.push(empty());
      leftRows = maxBatchRows;
      leftBytes = maxBatchBytes - 500;
    }
    leftRows--;
    leftBytes -= size;
    into(parts.at(-1)!);
  };
  for (const child of write.children) add(childSize(child), (part) => part.children.push(child));
  for (const step of write.steps) add(stepSize(step), (part) => part.steps.push(step));
  return parts;
}

function newEntry(write: JobWrite, resolve: (saved: SaveResult) => void): Entry {
  const rows = 1 + write.steps.length + write.children.length;
  return { key: write.id, write, indexes: undefined, rows, bytes: 200 + sizeOf(write), resolve: [resolve] };
}

/** Merges a later write of the same job into an entry that was not sent yet. */
function merge(entry: Entry, write: JobWrite): void {
  if (!entry.indexes) {
    const { steps, forget, children } = entry.write;
    entry.write = { ...entry.write, steps: [...steps], forget: [...forget], children: [...children] };
    entry.indexes = new Map(steps.map((step, index) => [step.name, index]));
  }
  if (write.forget.length > 0) {
    // A batch forgets before it writes, so it must not write a step that it is to forget.
    const forgotten = new Set(write.forget);
    entry.write.steps = entry.write.steps.filter((step) => !forgotten.has(step.name));
    entry.indexes = new Map(entry.write.steps.map((step, index) => [step.name, index]));
  }
  for (const step of write.steps) {
    const index = entry.indexes.get(step.name);
    if (index !== undefined) entry.write.steps[index] = step;
    else {
      entry.indexes.set(step.name, entry.write.steps.push(step) - 1);
      entry.rows++;
    }
  }
  entry.write.forget.push(...write.forget);
  entry.write.children.push(...write.children);
  if (write.progress !== undefined) entry.write.progress = write.progress;
  if (write.notes !== undefined) entry.write.notes = write.notes;
  entry.write.transition = write.transition ?? entry.write.transition;
  entry.rows += write.children.length;
  entry.bytes += sizeOf(write);
}

/** About how many bytes of JSON a write takes: its long texts, and an allowance for the rest. */
function sizeOf(write: JobWrite): number {
  let bytes = jsonSize(write.progress) + 300;
  for (const step of write.steps) bytes += stepSize(step);
  for (const child of write.children) bytes += childSize(child);
  if (write.transition?.to === "completed") bytes += jsonSize(write.transition.result);
  return bytes;
}

function stepSize({ output, error }: StepRecord): number {
  return 300 + jsonSize(output) + jsonSize(error);
}

function childSize({ input, options }: NewJob): number {
  return 500 + jsonSize(input) + jsonSize(options);
}
