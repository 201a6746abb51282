/**
 * The job protocol: what travels between the server and workers in any language. Claims, renewals, steps, settlements.
 */

import type { JobState } from "../../../src/storage/port.ts";
import type { JobOptions } from "../../../src/task/options.ts";
import type { WireDuration } from "./common.ts";
import type { SignalAnswer, StepAnswer } from "./jobs.ts";

/** Asks for jobs of one queue. */
export interface ClaimBody {
  /** The worker's name, for people. */
  worker: string;
  /** How many jobs at most, 1 to 100. @default 1 */
  limit?: number;
  /** The tasks this worker can run. @default any */
  tasks?: string[];
  /** How long the claim lasts unless renewed. @default "30s" */
  for?: WireDuration;
  /**
   * Names this claim: 16 to 100 characters that nobody guesses. Sent again (because no answer came), it gives the same
   * jobs and claims no others. @default the server makes one
   */
  token?: string;
}

/** A job to run. */
export interface ClaimedJobAnswer {
  id: string;
  task: string;
  queue: string;
  /** Number of the try. */
  attempt: number;
  /** Only grows from claim to claim: give it to outside systems, so that they can refuse a late writer. */
  fence: number;
  priority: number;
  schedule: string | null;
  /** The occurrence, however late it runs. */
  scheduledAt: number | null;
  createdAt: number;
  key: string | null;
  parentId: string | null;
  options: JobOptions;
  input?: unknown;
  /** What earlier runs saved: a step that is done is not run again. */
  steps: StepAnswer[];
  signals: SignalAnswer[];
  /** Count of what has reached the job; given back when it settles as `waiting`. */
  wakes: number;
  claimExpiresAt: number;
}

/** What was claimed. */
export interface ClaimAnswer {
  /** Goes with every later call about these jobs. */
  token: string;
  jobs: ClaimedJobAnswer[];
  /** When another job of this queue could be claimed; null: when somebody enqueues one. */
  nextAt: number | null;
}

/** Keeps a claim alive. */
export interface RenewBody {
  token: string;
  for?: WireDuration;
}

/** Until when the claim lasts now. */
export interface RenewAnswer {
  claimExpiresAt: number;
}

/** A step that is over. */
export interface StepBody {
  /** Unique in its job. */
  name: string;
  output?: unknown;
  /** When it began, epoch ms. @default now */
  startedAt?: number;
}

/** Saves steps of a running job, and prolongs its claim. */
export interface StepsBody {
  token: string;
  steps: StepBody[];
  progress?: unknown;
  for?: WireDuration;
}

/** An error, as a worker in any language can tell it. */
export interface ErrorBody {
  name?: string;
  message: string;
  code?: string;
  stack?: string;
}

/** How a job goes on; steps that were not saved yet travel with it. */
export type SettleBody = { token: string; steps?: StepBody[]; progress?: unknown } & (
  | { outcome: "completed"; output?: unknown }
  /** Its retry policy decides what comes next, unless `fatal` (no more attempts) or `retryIn` (the delay) say it. */
  | { outcome: "failed"; error: ErrorBody; fatal?: boolean; retryIn?: WireDuration }
  /** Given back unfinished (shutdown): claimable at once, same attempt. */
  | { outcome: "released" }
  /** Claimable again after this long, same attempt. */
  | { outcome: "sleeping"; for: WireDuration }
  /** Claimable again when a signal comes, or after this long. `wakes`: as claimed. */
  | { outcome: "waiting"; wakes: number; for?: WireDuration }
);

/** The job's state after a save. */
export interface SettleAnswer {
  state: JobState;
  wakes: number;
  /** When it can be claimed again; null where it is over or no time is set. */
  availableAt: number | null;
}
