/**
 * How does a worker get jobs? By claims of its own, and by claims piggybacked on batches that go to the storage anyway: with
 * jobs that are being enqueued, or with what running jobs save.
 *
 * Jobs are claimed by the names of the tasks this program knows. A task with a limit of its own is claimed by itself when
 * fewer of it may start than the worker has room for, so nothing is ever claimed that cannot start. A claim without
 * reply may have happened: its token is asked for again, and brings the same jobs.
 */
import type { Engine } from "../engine/engine.ts";
import type { PiggybackClaim } from "../engine/enqueuer.ts";
import { timed } from "../engine/timed.ts";
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../storage/port.ts";

/** What a claim asks for. */
interface Asked {
  tasks: string[];
  queues: string[];
  limit: number;
}

/** A claim that was sent. */
interface Sent extends Asked {
  token: string;
  tries: number;
  /** Monotonic time at which it was first sent: claims last from then. */
  sentMs: number;
}

/** What claims brought. */
export interface Claimed {
  found: number;
  /** As many came as were asked for, so there may be more. */
  full: boolean;
  nextAt: number | null;
}

/** What a fetcher needs of its worker. */
export interface FetcherOptions {
  claimMs: number;
  /** The queues to serve. */
  queues(): string[];
  /** How many jobs of a task run. */
  running(task: string): number;
  /** Takes a claimed job. @param sentMs monotonic time since which it is claimed */
  take(job: ClaimedJob, sentMs: number): void;
}

/** How many queues one claim names: databases bound the parts of a statement (D1: 100 parameters). */
const MAX_QUEUES = 50;
/** A claim whose reply did not come is asked for again by its token this often before it is left to run out. */
const RESENDS = 5;

/** Claims for one worker. */
export class Fetcher {
  readonly #engine: Engine;
  readonly #options: FetcherOptions;
  /** Which queue has the first turn in the next claim. */
  #firstQueue = 0;
  /** Claims whose reply is missing; one that is being asked for again is not among them, so that nobody else does. */
  readonly #unanswered: Sent[] = [];
  #asking = 0;
  #piggybacking = false;

  /** @param engine the engine */
  constructor(engine: Engine, options: FetcherOptions) {
    this.#engine = engine;
    this.#options = options;
  }

  /** Whether a piggybacked claim is in flight. */
  get piggybacking(): boolean {
    return this.#piggybacking;
  }

  /** Claims up to `room` jobs. @returns null when the storage failed */
  async claim(room: number): Promise<Claimed | null> {
    const { names, limited } = this.#startable(room);
    const claimed: Claimed = { found: 0, full: false, nextAt: null };
    const plans = [{ names, limit: room }, ...limited.map(({ name, left }) => ({ names: [name], limit: left }))];
    this.#asking++;
    try {
      for (const plan of plans) {
        if (plan.names.length === 0) continue;
        let limit = Math.min(plan.limit, room - claimed.found);
        for (const queues of this.#queuesInTurn()) {
          if (limit <= 0) {
            claimed.full = true;
            break;
          }
          const answer = await this.#ask({ tasks: plan.names, queues, limit: this.#atMost(limit) });
          if (!answer) return null;
          limit -= answer.found;
          claimed.found += answer.found;
          claimed.full ||= answer.full;
          if (answer.nextAt !== null && (claimed.nextAt === null || answer.nextAt < claimed.nextAt))
            claimed.nextAt = answer.nextAt;
        }
      }
    } finally {
      this.#asking--;
    }
    return claimed;
  }

  /**
   * A claim to piggyback on another batch, where one claim is enough and no other is under way.
   *
   * @param room how many jobs may start once the batch is done
   * @param answered hears what it brought, after the jobs were taken; null: ask again
   */
  piggyback(room: number, answered: (claimed: Claimed | null) => void): PiggybackClaim | null {
    if (room <= 0 || this.#piggybacking || this.#asking > 0 || this.#unanswered.length > 0) return null;
    const { names, limited } = this.#startable(room);
    const [queues, ...others] = this.#queuesInTurn();
    if (limited.length > 0 || names.length === 0 || queues === undefined || others.length > 0) return null;
    const token = this.#engine.ids.token();
    const limit = this.#atMost(room);
    const sent: Sent = { tasks: names, queues, limit, token, tries: 0, sentMs: this.#engine.clock.monotonic() };
    this.#piggybacking = true;
    const over = (claimed: Claimed | null): void => {
      this.#piggybacking = false;
      answered(claimed);
    };
    return {
      request: (now) => this.#request(sent, now),
      answered: (reply) => over(reply ? this.#takeAll(sent, reply) : null),
      failed: () => {
        this.#unanswered.push(sent);
        over(null);
      },
    };
  }

  #atMost(limit: number): number {
    return Math.min(limit, this.#engine.storage.capabilities.maxBatchRows);
  }

  /** The tasks of which as many may start as there is room, and those of which fewer may. */
  #startable(room: number): { names: string[]; limited: { name: string; left: number }[] } {
    const { tasks } = this.#engine;
    const names: string[] = [];
    const limited: { name: string; left: number }[] = [];
    for (const name of tasks.names()) {
      const left = tasks.get(name)!.concurrency - this.#options.running(name);
      if (left >= room) names.push(name);
      else if (left > 0) limited.push({ name, left });
    }
    return { names, limited };
  }

  /**
   * Queues by the claims that ask them. The storage takes turns within a claim; over claims the turn goes on from the
   * queue that was served last.
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

  async #ask(asked: Asked): Promise<Claimed | null> {
    const { clock, storage, ids } = this.#engine;
    const sent = this.#unanswered.shift() ?? { ...asked, token: ids.token(), tries: 0, sentMs: clock.monotonic() };
    try {
      const reply = await timed(this.#engine, () => storage.claim(this.#request(sent, clock.now())));
      return this.#takeAll(sent, reply);
    } catch (error) {
      this.#engine.report(error, "claiming jobs");
      sent.tries++;
      if (sent.tries < RESENDS) this.#unanswered.push(sent);
      return null;
    }
  }

  #request({ token, queues, tasks, limit }: Sent, now: number): ClaimRequest {
    return { token, worker: this.#engine.holder, queues, tasks, limit, now, claimMs: this.#options.claimMs };
  }

  #takeAll(sent: Sent, { jobs, nextAt }: ClaimReply): Claimed {
    const last = jobs.at(-1);
    if (last) this.#firstQueue = this.#options.queues().indexOf(last.queue) + 1;
    for (const job of jobs) this.#options.take(job, sent.sentMs);
    return { found: jobs.length, full: jobs.length >= sent.limit, nextAt };
  }
}
