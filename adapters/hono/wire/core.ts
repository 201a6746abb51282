/**
 * What travels about the engine: ticks, health, events.
 */
import type { HealthCode } from "../../../src/schedule/health.ts";
import type { LeaseRecord, ScheduleState } from "../../../src/storage/port.ts";

/** How far a tick may go. */
export interface TickQuery {
  /** Keep ticking and running for this long, for schedules finer than the trigger. @default one pass */
  for?: string;
  /** Whether to run jobs too, where this program has tasks. @default true */
  work?: boolean;
}

/** What a tick did. */
export interface TickAnswer {
  /** Whether it led; another one may hold the lease, which is no fault. */
  leader: boolean;
  /** How many jobs it made of occurrences. */
  fired: number;
  /** How many occurrences it skipped. */
  skipped: number;
  /** How many runs of jobs it brought to an end or a wait. */
  ran: number;
  /** More is due or ready: call again at once. */
  more: boolean;
  /** The next occurrence of any schedule; null where there is none. */
  nextAt: number | null;
  /** When some job can be claimed; null where none waits for time. */
  jobsAt: number | null;
  /** The storage's clock minus this host's, ms; 0 without a server. */
  skewMs: number;
}

/** How closely to look. */
export interface HealthQuery {
  /** Read every schedule, to name those that would break or have nothing ahead; needs the scope `read`. */
  deep?: boolean;
  /** How long an occurrence may be due before that is a problem. @default 90s */
  maxLag?: string;
}

/** How the engine is; all but `ok` is only told to callers with the scope `read`. */
export interface HealthAnswer {
  /** Nothing is wrong. Where something is, the answer's status is 503. */
  ok: boolean;
  problems?: { code: HealthCode; schedule: string | null; message: string }[];
  /** How many schedules there are, by state. */
  schedules?: Record<ScheduleState, number>;
  /** The earliest occurrence of any active schedule; in the past when the ticker lags. */
  nextAt?: number | null;
  /** For how long it has been due, ms. */
  lagMs?: number;
  /** Who leads; null between one-shot ticks. */
  lease?: LeaseRecord | null;
  skewMs?: number;
}

/** Which events to hear. */
export interface EventsQuery {
  /** Names such as `job:completed`, or their first halves (`job`). @default all */
  name?: string[];
  /** Only of this job. */
  job?: string;
  /** Only of this schedule. */
  schedule?: string;
}
