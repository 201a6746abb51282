/**
 * What does a tick take and answer? The options and the report of one tick of the scheduler.
 */
import type { Instant } from "../storage/port.ts";
import type { Retention } from "./maintenance.ts";

/** Options of a {@link Scheduler}. */
export interface SchedulerOptions {
  readonly leaseTtlMs: number;
  /** How long history is kept. @default finished jobs 7 days, failed ones and outcomes 30 */
  readonly retention?: Partial<Retention> | undefined;
  /** Called when jobs were made that can run at once, so that a worker in this process polls without waiting for a push. */
  readonly onFired?: (() => void) | undefined;
}

/** Options of one tick. */
export interface TickOptions {
  /** Release the lease at the end, because this process will not renew it. */
  readonly oneShot?: boolean | undefined;
  /** Begin no pass after this monotonic instant. */
  readonly untilMs?: number | undefined;
  /** At most this many jobs. @default 10,000 */
  readonly maxJobs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What a tick did. */
export interface TickReport {
  /** Whether it led, and so could fire. */
  leader: boolean;
  /** How many jobs it made of occurrences. */
  fired: number;
  /** How many occurrences it skipped. */
  skipped: number;
  /** More is due: tick again at once. */
  more: boolean;
  /** When a tick has something to decide next: the earliest boundary of any active schedule; null where there is none. */
  nextAt: Instant | null;
  /** The earliest instant at which a job could be claimed (now, where one is ready); null where none waits for time. */
  jobsAt: Instant | null;
  /** The storage's clock minus this host's, ms; 0 without a server. */
  skewMs: number;
}

/** The earlier of two instants, either of which may be missing. */
export function earliest(a: Instant | null, b: Instant | null): Instant | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}
