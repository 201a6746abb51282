/**
 * What both halves of the job protocol use: how long a claim lasts, which policy a job has, what listeners are told.
 */
import { type Duration, parseDuration } from "../../../src/base/duration.ts";
import type { Engine } from "../../../src/engine/engine.ts";
import type { JobRunEvent } from "../../../src/engine/events.ts";
import { isOver } from "../../../src/job/ending.ts";
import type { ClaimedJob, JobTransition } from "../../../src/storage/port.ts";
import type { Failure } from "../../../src/task/failure.ts";
import { parseJobOptions } from "../../../src/task/options.ts";
import { DEFAULT_RETRY, type RetryFunction, type RetryPolicy } from "../../../src/task/retry.ts";

const DEFAULT_CLAIM = "30s";
const MAX_CLAIM_MS = 86_400_000;

/** Reads how long a claim lasts, ms. @throws BelfryError `DURATION_INVALID` */
export function claimLength(duration: Duration | undefined): number {
  return parseDuration(duration ?? DEFAULT_CLAIM, "for", { minMs: 1_000, maxMs: MAX_CLAIM_MS });
}

/** The retry policy of a job: its own, else that of its task where this program knows it, else the default. */
export function policyOf(engine: Engine, job: ClaimedJob): RetryPolicy | RetryFunction {
  const options = parseJobOptions(job.options);
  return options.retry ?? engine.tasks.get(job.task, options.version)?.retry ?? DEFAULT_RETRY;
}

/** What events say of a run. */
export function eventOf(job: ClaimedJob): JobRunEvent {
  const { id, task, queue, schedule, scheduledAt, attempt, claims, options } = job;
  return { id, task, queue, schedule, scheduledAt, attempt, fence: claims, options };
}

/** Emits what became of a run, as the engine's own worker does. */
export function announce(engine: Engine, job: ClaimedJob, transition: JobTransition, failure: Failure | null): void {
  const event = {
    ...eventOf(job),
    durationMs: Math.max(0, engine.clock.now() - (job.startedAt ?? engine.clock.now())),
  };
  const { events } = engine;
  if (transition.to === "completed") events.emit("job:completed", event);
  else if (transition.to === "failed") events.emit("job:failed", { ...event, error: failure! });
  else if (failure !== null && transition.to === "ready") {
    events.emit("job:retried", { ...event, error: failure, availableAt: transition.availableAt });
  } else if (transition.to === "ready" || transition.to === "waiting") {
    events.emit("job:suspended", { ...event, until: transition.availableAt });
  }
  if (isOver(transition.to as ClaimedJob["state"])) {
    const result = transition.to === "completed" ? transition.result : null;
    const error = transition.to === "failed" ? transition.error : null;
    engine.endings.announce(job.id, { state: transition.to as ClaimedJob["state"], result, error });
  }
}
