/**
 * Which held jobs are admitted? Global limits by key bound how many jobs of a key are unfinished at once, and how many
 * start in a while.
 *
 * A job with a limit is inserted held, and admitted in the first batch that finds it available, a place free and the
 * rate not used up; from then on it counts until it is finished. Time alone can admit a job too (a delayed job becomes
 * due, the rate's window moves on). Each limit has the next such instant, and limits are kept in order of it, so a
 * claim reads only those that are due.
 */
import { byClaimOrder, byTime, type Job, type JobTable } from "./jobs.ts";
import { compareText, SortedSet } from "./sorted_set.ts";

/** A rate: at most `count` in any `perMs`. */
export interface Rate {
  count: number;
  perMs: number;
}

/** A limit and the jobs that it holds. */
export interface Limit {
  readonly key: string;
  concurrency: number | null;
  rate: Rate | null;
  /** Unfinished jobs that were admitted. */
  admitted: number;
  /** Instants of the admissions that its rate may count, oldest first; kept until a purge, as a rate may be changed. */
  starts: number[];
  /** Held and available, in claim order. */
  held: SortedSet<Job>;
  /** Held and not yet available, by time. */
  later: SortedSet<Job>;
  /** When time alone may admit a job; null when it cannot. */
  admitAt: number | null;
}

/** Forgets the starts at or before an instant. */
export function forgetStarts(starts: number[], until: number): void {
  let old = 0;
  while (old < starts.length && starts[old]! <= until) old++;
  if (old > 0) starts.splice(0, old);
}

/**
 * When a rate allows the next start: the count-th most recent one must have left the window. `-Infinity` when there is
 * none.
 */
export function rateFreeAt(starts: number[], rate: Rate | null): number {
  if (rate === null || starts.length < rate.count) return Number.NEGATIVE_INFINITY;
  if (rate.count <= 0) return Number.POSITIVE_INFINITY;
  return starts[starts.length - rate.count]! + rate.perMs;
}

/** All limits. */
export class LimitTable {
  readonly byKey: Map<string, Limit> = new Map();
  /** Limits that time may open, soonest first. */
  readonly #timed = new SortedSet<Limit>((a, b) => a.admitAt! - b.admitAt! || compareText(a.key, b.key));

  /** The limit of a key, made without bounds when it is not there. */
  get(key: string): Limit {
    let limit = this.byKey.get(key);
    if (!limit) {
      limit = {
        key,
        concurrency: null,
        rate: null,
        admitted: 0,
        starts: [],
        held: new SortedSet(byClaimOrder),
        later: new SortedSet(byTime),
        admitAt: null,
      };
      this.byKey.set(key, limit);
    }
    return limit;
  }

  /** The index in which a held job belongs. */
  indexOf(job: Job, now: number): SortedSet<Job> {
    const limit = this.get(job.row.limitKey!);
    job.timedAt = job.row.availableAt!;
    return job.timedAt <= now ? limit.held : limit.later;
  }

  /** The next instant, `now` at the earliest, at which time alone may admit a job; null when there is none. */
  nextAt(now: number): number | null {
    const first = this.#timed.first();
    return first ? Math.max(first.admitAt!, now) : null;
  }

  /** Admits jobs to every limit that time has opened. */
  admitDue(jobs: JobTable, now: number): void {
    for (let limit = this.#timed.first(); limit && limit.admitAt! <= now; limit = this.#timed.first()) {
      this.admit(limit, jobs, now);
    }
  }

  /** Admits jobs to a limit as far as it has room, and works out when time alone may open it again. */
  admit(limit: Limit, jobs: JobTable, now: number): void {
    if (limit.admitAt !== null) this.#timed.delete(limit);
    for (let job = limit.later.first(); job && job.timedAt <= now; job = limit.later.first()) {
      jobs.change(job, now, () => {});
    }
    const places = limit.concurrency ?? Number.POSITIVE_INFINITY;
    for (let job = limit.held.first(); job && limit.admitted < places; job = limit.held.first()) {
      if (rateFreeAt(limit.starts, limit.rate) > now) break;
      limit.admitted++;
      if (limit.rate) limit.starts.push(now);
      jobs.change(job, now, (row) => {
        row.held = false;
      });
    }
    limit.admitAt = null;
    if (limit.admitted < places) {
      const freeAt = rateFreeAt(limit.starts, limit.rate);
      if (limit.held.size > 0) limit.admitAt = Math.max(freeAt, now);
      else if (limit.later.size > 0) limit.admitAt = Math.max(freeAt, limit.later.first()!.timedAt);
    }
    if (limit.admitAt === Number.POSITIVE_INFINITY) limit.admitAt = null;
    if (limit.admitAt !== null) this.#timed.add(limit);
    this.#dropIdle(limit);
  }

  /** Forgets starts at or before an instant, and drops limits against which nothing counts any more. */
  sweep(until: number): void {
    for (const limit of this.byKey.values()) {
      forgetStarts(limit.starts, until);
      this.#dropIdle(limit);
    }
  }

  #dropIdle(limit: Limit): void {
    if (limit.admitted + limit.held.size + limit.later.size + limit.starts.length === 0) this.byKey.delete(limit.key);
  }
}
