/**
 * Sends the claims of one worker to the storage.
 *
 * Jobs are claimed by the names of the tasks that this program has registered. A task of which fewer jobs may start than
 * the claim's limit is claimed by a request of its own, so no job is claimed that cannot start. Queues that do not fit
 * into one request are spread over several. A claim without a reply may have been performed: it is sent again with the
 * same token, and brings the same jobs.
 */
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import { timed } from "../engine/timed.ts";
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../storage/port.ts";
import type { ClaimResult } from "./poll_timer.ts";

/** What a request asks for. */
interface Wanted {
  tasks: string[];
  queues: string[];
  limit: number;
}

/** A request that was sent. */
interface Sent extends Wanted {
  token: string;
  tries: number;
  /** Monotonic time at which it was first sent: its jobs are claimed from then on. */
  sentMs: number;
}

/** What a {@link Fetcher} needs of its worker. */
export interface FetcherOptions {
  claimMs: number;
  /** The queues to serve. */
  queues(): string[];
  /** How many jobs of a task run. */
  running(task: string): number;
  /** Starts a claimed job. @param sentMs monotonic time since which it is claimed */
  take(job: ClaimedJob, sentMs: number): void;
  /** Whether claims of this worker must be renewed before it claims. */
  overdue(): boolean;
  /** Renews them. */
  catchUp(): Promise<void>;
}

/** How many queues one request names: databases limit the parameters of a statement (D1: 100). */
const MAX_QUEUES = 50;
/** How often a request without a reply is sent before its claims are left to run out. */
const MAX_TRIES = 5;

/** Fetches jobs for one worker. */
export class Fetcher {
  readonly #engine: Engine;
  readonly #options: FetcherOptions;
  /** Index of the queue that has the first turn in the next claim. */
  #firstQueue = 0;
  /** Requests without a reply, to be sent again. */
  readonly #unanswered: Sent[] = [];

  /**
   * @param engine the engine
   * @param options what it needs of the worker
   */
  constructor(engine: Engine, options: FetcherOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Claims and starts up to `limit` jobs. @returns null when the storage failed */
  async claim(limit: number): Promise<ClaimResult | null> {
    const { names, limited } = this.#startable(limit);
    const plans = [{ names, limit }, ...limited.map(({ name, left }) => ({ names: [name], limit: left }))];
    let found = 0;
    let full = false;
    let nextAt: number | null = null;
    for (const plan of plans) {
      if (plan.names.length === 0) continue;
      let left = Math.min(plan.limit, limit - found);
      for (const queues of this.#queuesInTurn()) {
        if (left <= 0) {
          full = true;
          break;
        }
        const result = await this.#send({ tasks: plan.names, queues, limit: this.#atMost(left) });
        if (!result) return null;
        left -= result.found;
        found += result.found;
        full ||= result.full;
        if (result.nextAt !== null) nextAt = Math.min(nextAt ?? Infinity, result.nextAt);
      }
    }
    return { found, full, nextAt };
  }

  /**
   * Makes a claim to piggyback on another batch, where a single request can claim everything that may start.
   *
   * @param limit how many jobs it may bring
   * @param answered takes the result, after the jobs were started; null: the claim got no answer
   */
  piggyback(limit: number, answered: (result: ClaimResult | null) => void): PiggybackClaim | null {
    if (this.#unanswered.length > 0 || this.#options.overdue()) return null;
    const { names, limited } = this.#startable(limit);
    const [queues, ...others] = this.#queuesInTurn();
    if (limited.length > 0 || names.length === 0 || queues === undefined || others.length > 0) return null;
    const sent = this.#begin({ tasks: names, queues, limit: this.#atMost(limit) });
    return {
      request: (now) => this.#request(sent, now),
      answered: (reply) => {
        const result = reply ? this.#takeAll(sent, reply) : null;
        if (result instanceof Promise) void result.then(answered);
        else answered(result);
      },
      failed: () => {
        this.#unanswered.push(sent);
        answered(null);
      },
    };
  }

  #atMost(limit: number): number {
    return Math.min(limit, this.#engine.storage.capabilities.maxBatchRows);
  }

  /** The tasks of which `limit` jobs may start, and those of which fewer may. */
  #startable(limit: number): { names: string[]; limited: { name: string; left: number }[] } {
    const { tasks } = this.#engine;
    const names: string[] = [];
    const limited: { name: string; left: number }[] = [];
    for (const name of tasks.names()) {
      const left = tasks.get(name)!.concurrency - this.#options.running(name);
      if (left >= limit) names.push(name);
      else if (left > 0) limited.push({ name, left });
    }
    return { names, limited };
  }

  /**
   * The queues of each request. Within a request the storage serves queues in turn; over requests the turn goes on after
   * the queue that was served last.
   */
  #queuesInTurn(): string[][] {
    const queues = this.#options.queues();
    const first = this.#firstQueue % Math.max(1, queues.length);
    const inTurn = [...queues.slice(first), ...queues.slice(0, first)];
    if (inTurn.length <= MAX_QUEUES) return [inTurn];
    const parts: string[][] = [];
    for (let at = 0; at < inTurn.length; at += MAX_QUEUES) parts.push(inTurn.slice(at, at + MAX_QUEUES));
    return parts;
  }

  #begin(wanted: Wanted): Sent {
    return { ...wanted, token: this.#engine.ids.token(), tries: 0, sentMs: this.#engine.clock.monotonic() };
  }

  /** Sends a request, or one again that got no reply. */
  async #send(wanted: Wanted): Promise<ClaimResult | null> {
    const { clock, storage } = this.#engine;
    if (this.#options.overdue()) await this.#options.catchUp();
    const unanswered = this.#unanswered.shift();
    const sent = unanswered ?? this.#begin(wanted);
    let reply: ClaimReply;
    try {
      reply = await timed(this.#engine, () => storage.claim(this.#request(sent, clock.now())));
    } catch (error) {
      this.#engine.report(error, "claiming jobs");
      sent.tries++;
      if (sent.tries < MAX_TRIES) this.#unanswered.push(sent);
      return null;
    }
    const result = await this.#takeAll(sent, reply);
    // The answer is of the time when the request was first performed: jobs may have come since.
    return unanswered ? { ...result, full: true } : result;
  }

  #request({ token, queues, tasks, limit }: Sent, now: number): ClaimRequest {
    return { token, worker: this.#engine.holder, queues, tasks, limit, now, claimMs: this.#options.claimMs };
  }

  /** Starts the jobs that a request brought; those of a late answer once their claims are renewed. */
  #takeAll(sent: Sent, { jobs, nextAt }: ClaimReply): ClaimResult | Promise<ClaimResult> {
    const last = jobs.at(-1);
    if (last) this.#firstQueue = this.#options.queues().indexOf(last.queue) + 1;
    const result = { found: jobs.length, full: jobs.length >= sent.limit, nextAt };
    const late = this.#engine.clock.monotonic() - sent.sentMs > this.#options.claimMs / 3;
    if (late && jobs.length > 0) return this.#takeLate(jobs).then(() => result);
    for (const job of jobs) this.#options.take(job, sent.sentMs);
    return result;
  }

  /**
   * Starts jobs whose claims may have run out, because the request waited for a lock or its reply was lost: only those that
   * no other worker has taken meanwhile.
   */
  async #takeLate(jobs: readonly ClaimedJob[]): Promise<void> {
    const sentMs = this.#engine.clock.monotonic();
    const kept = await this.#renew(jobs);
    for (const job of jobs) if (kept.has(job.id)) this.#options.take(job, sentMs);
  }

  /** Renews claims before their jobs are started. @returns the ids of those that are ours; none where no answer comes */
  async #renew(jobs: readonly ClaimedJob[]): Promise<ReadonlySet<string>> {
    const { clock, storage } = this.#engine;
    const claims = jobs.map(({ id, claimToken }) => ({ id, token: claimToken! }));
    try {
      const request = { now: clock.now(), claimMs: this.#options.claimMs, claims };
      return new Set((await timed(this.#engine, () => storage.renew(request))).kept);
    } catch (error) {
      this.#engine.report(error, `renewing ${jobs.length} claims before their jobs start`);
      return new Set();
    }
  }
}
