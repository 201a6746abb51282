/**
 * What travels about queues: depths and settings.
 */
import type { WireDuration } from "./common.ts";

/** A queue, its depths and settings. */
export interface QueueAnswer {
  queue: string;
  ready: number;
  scheduled: number;
  held: number;
  running: number;
  waiting: number;
  failed: number;
  oldestReadyAt: number | null;
  paused: boolean;
  concurrency: number | null;
  rate: { count: number; perMs: number } | null;
}

/** Settings of a queue to change; what is absent stays. */
export interface QueueBody {
  paused?: boolean;
  /** Null: no limit. */
  concurrency?: number | null;
  rate?: { count: number; per: WireDuration } | null;
}

/** A queue's settings. */
export interface QueueSettings {
  name: string;
  paused: boolean;
  concurrency: number | null;
  rate: { count: number; perMs: number } | null;
}
