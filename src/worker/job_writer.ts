/**
 * Group commit: what the jobs of one worker write while a batch is in flight goes together in the next.
 *
 * One `storage.save` is under way at a time. Writes that arrive meanwhile, or in the same turn of the event loop, are
 * gathered by job (several of one job become one) and leave together, so a hundred busy jobs cost a few round trips. An
 * exception of the storage means "unknown": the same batch is sent again with the same `op`, and so does nothing twice.
 * When it has failed a few times its jobs are sent one by one, beside the others, so that a write that the database
 * refuses holds up nobody else. A job gives up when its claim must be considered lost. Where the writes make jobs ready
 * that this worker would go and claim, its claim is piggybacked on the batch.
 */
import { delay } from "../base/clock.ts";
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import { timed } from "../engine/timed.ts";
import type { JobState, JobWrite, SaveReply } from "../storage/port.ts";

/** What became of a write; null: the claim is lost. `claimed`: a piggybacked claim was answered. */
export type Saved = { state: JobState; wakes: number; claimed: boolean } | null;

interface Entry {
  write: JobWrite;
  /** Places of steps by name, once several writes are gathered: a later row of a step replaces an earlier one. */
  places: Map<string, number> | undefined;
  rows: number;
  bytes: number;
  resolve: ((saved: Saved) => void)[];
}

/** How often a batch is sent as a whole before its jobs are sent one by one. */
const WHOLE_TRIES = 3;
const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5_000;

/** Writes for all running jobs of one worker. */
export class JobWriter {
  readonly #engine: Engine;
  readonly #claimMs: number;
  /** Whether the job's claim may still be ours when the storage does not answer. */
  readonly #mayOwn: (id: string) => boolean;
  readonly #running: () => number;
  readonly #prolonged: (ids: string[], sentMs: number) => void;
  readonly #piggyback: (writes: JobWrite[]) => PiggybackClaim | null;
  #queue = new Map<string, Entry>();
  #sending = false;
  /** Jobs whose writes are being sent by themselves: what they write next must wait for that. */
  readonly #alone = new Set<string>();

  /**
   * @param engine the engine
   * @param options `claimMs`; `running()` says how many jobs may write; `mayOwn(id)` whether it is worth trying on;
   * `prolonged(ids, sentMs)` hears which claims a save has prolonged; `piggyback(writes)` gives a claim to go with them
   */
  constructor(
    engine: Engine,
    options: {
      claimMs: number;
      running: () => number;
      mayOwn: (id: string) => boolean;
      prolonged: (ids: string[], sentMs: number) => void;
      piggyback: (writes: JobWrite[]) => PiggybackClaim | null;
    },
  ) {
    this.#engine = engine;
    this.#claimMs = options.claimMs;
    this.#mayOwn = options.mayOwn;
    this.#running = options.running;
    this.#prolonged = options.prolonged;
    this.#piggyback = options.piggyback;
  }

  /** Saves; resolves when it is stored, or null when the claim is lost. Never rejects. */
  save(write: JobWrite): Promise<Saved> {
    return new Promise((resolve) => {
      const entry = this.#queue.get(write.id);
      if (entry) merge(entry, write);
      const into = entry ?? newEntry(write);
      into.resolve.push(resolve);
      if (!entry) this.#queue.set(write.id, into);
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#sending) return;
    this.#sending = true;
    // Other jobs that were told something in this turn will write, too; a job that is alone waits for nobody.
    if (this.#running() > 1) void this.#engine.clock.turn().then(() => this.#drain());
    else queueMicrotask(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    for (let batch = this.#take(); batch.length > 0; batch = this.#take()) await this.#send(batch);
    this.#sending = false;
  }

  /** Takes what fits into one batch; at least one job. */
  #take(): Entry[] {
    const { maxBatchRows, maxBatchBytes } = this.#engine.storage.capabilities;
    const batch: Entry[] = [];
    let rows = 0;
    let bytes = 0;
    for (const [id, entry] of this.#queue) {
      if (this.#alone.has(id)) continue;
      if (batch.length > 0 && (rows + entry.rows > maxBatchRows || bytes + entry.bytes > maxBatchBytes)) break;
      rows += entry.rows;
      bytes += entry.bytes;
      batch.push(entry);
      this.#queue.delete(id);
    }
    return batch;
  }

  async #send(batch: Entry[]): Promise<void> {
    const op = this.#engine.ids.token();
    const piggyback = this.#piggyback(batch.map((entry) => entry.write));
    const firstMs = this.#engine.clock.monotonic();
    let left = batch;
    let delayMs = FIRST_DELAY_MS;
    for (let tries = 1; left.length > 0; tries++) {
      const reply = await this.#try(op, left, piggyback);
      if (reply) {
        settle(left, reply);
        piggyback?.answered(reply.claimed, firstMs);
        return;
      }
      if (tries >= WHOLE_TRIES && left.length > 1) {
        piggyback?.failed();
        for (const entry of left) void this.#sendAlone(entry);
        return;
      }
      // The batch must stay as it was sent, so it is given up only as a whole.
      if (!left.some((entry) => this.#mayOwn(entry.write.id))) {
        piggyback?.failed();
        settle(left, { saved: [] });
        left = [];
      } else {
        await delay(this.#engine.clock, delayMs * (0.5 + this.#engine.ids.random() / 2));
        delayMs = Math.min(delayMs * 2, LAST_DELAY_MS);
      }
    }
  }

  async #sendAlone(entry: Entry): Promise<void> {
    const { id } = entry.write;
    this.#alone.add(id);
    await this.#send([entry]);
    this.#alone.delete(id);
    this.#kick();
  }

  async #try(op: string, batch: Entry[], piggyback: PiggybackClaim | null): Promise<SaveReply | null> {
    const { clock, storage } = this.#engine;
    const writes = batch.map((entry) => entry.write);
    const sentMs = clock.monotonic();
    try {
      const now = clock.now();
      const request = {
        op,
        now,
        claimMs: this.#claimMs,
        writes,
        ...(piggyback ? { claim: piggyback.request(now) } : {}),
      };
      const reply = await timed(this.#engine, () => storage.save(request));
      this.#prolonged(
        reply.saved.filter((saved) => saved.state === "running").map((saved) => saved.id),
        sentMs,
      );
      return reply;
    } catch (error) {
      this.#engine.report(error, `saving ${writes.length} jobs`);
      return null;
    }
  }
}

function settle(batch: Entry[], reply: SaveReply): void {
  const saved = new Map(reply.saved.map((answer) => [answer.id, answer]));
  for (const { write, resolve } of batch) {
    const answer = saved.get(write.id);
    for (const done of resolve) done(answer ? { ...answer, claimed: reply.claimed !== undefined } : null);
  }
}

function newEntry(write: JobWrite): Entry {
  const rows = 1 + write.steps.length + write.children.length;
  return { write, places: undefined, rows, bytes: 200 + sizeOf(write), resolve: [] };
}

function merge(entry: Entry, write: JobWrite): void {
  if (!entry.places) {
    const { steps, forget, children } = entry.write;
    entry.write = { ...entry.write, steps: [...steps], forget: [...forget], children: [...children] };
    entry.places = new Map(steps.map((step, place) => [step.name, place]));
  }
  if (write.forget.length > 0) {
    // A batch forgets first and writes then: what is to be forgotten may not be written by the same batch.
    const forgotten = new Set(write.forget);
    entry.write.steps = entry.write.steps.filter((step) => !forgotten.has(step.name));
    entry.places = new Map(entry.write.steps.map((step, place) => [step.name, place]));
  }
  for (const step of write.steps) {
    const place = entry.places.get(step.name);
    if (place !== undefined) entry.write.steps[place] = step;
    else {
      entry.places.set(step.name, entry.write.steps.push(step) - 1);
      entry.rows++;
    }
  }
  entry.write.forget.push(...write.forget);
  entry.write.children.push(...write.children);
  if (write.progress !== undefined) entry.write.progress = write.progress;
  entry.write.transition = write.transition ?? entry.write.transition;
  entry.rows += write.children.length;
  entry.bytes += sizeOf(write);
}

/** About how many bytes of JSON a write takes: its large texts, and something for the rest. */
function sizeOf(write: JobWrite): number {
  let bytes = (write.progress?.length ?? 0) + 300;
  for (const step of write.steps) bytes += 300 + (step.output?.length ?? 0) + (step.error?.length ?? 0);
  for (const child of write.children) bytes += 500 + child.input.length + child.options.length;
  if (write.transition?.to === "completed") bytes += write.transition.result.length;
  return bytes;
}
