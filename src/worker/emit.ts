/**
 * What does a worker emit about its runs? Events for listeners, and endings for callers in this process that wait for a
 * result.
 */
import type { Engine } from "../engine/engine.ts";
import { runEvent } from "../engine/events.ts";
import type { RunEnd } from "../execution/run.ts";
import type { ClaimedJob, StepRecord } from "../storage/port.ts";

/** Emits that a run begins. */
export function emitStarted({ events, clock }: Engine, job: ClaimedJob): void {
  if (!events.heard("job:started")) return;
  const lateMs = Math.max(0, clock.now() - (job.availableAt ?? clock.now()));
  events.emit("job:started", { ...runEvent(job), resumed: job.claims > job.attempt, lateMs });
}

/** Emits how a run ended. @param durationMs how long it ran */
export function emitEnded(engine: Engine, job: ClaimedJob, end: RunEnd, durationMs: number): void {
  const { events } = engine;
  const about = { ...runEvent(job), durationMs };
  if (end.how === "lost") {
    events.emit("job:lost", about);
    return;
  }
  const { transition, failure, released } = end;
  if (transition.to === "completed") {
    events.emit("job:completed", about);
    engine.endings.announce(job.id, { state: "completed", result: transition.result, error: null });
  } else if (transition.to === "failed") {
    events.emit("job:failed", { ...about, error: failure! });
    engine.endings.announce(job.id, { state: "failed", result: null, error: transition.error });
  } else if (transition.to === "ready" || transition.to === "waiting") {
    if (released) events.emit("job:released", about);
    else if (transition.to === "ready" && !transition.resuming) {
      events.emit("job:retried", { ...about, error: failure!, availableAt: transition.availableAt });
    } else events.emit("job:suspended", { ...about, until: transition.availableAt });
  }
}

/** Emits what became of steps that were saved. */
export function emitSteps({ events, clock }: Engine, job: ClaimedJob, steps: readonly StepRecord[]): void {
  if (!events.heard("step:completed") && !events.heard("step:failed") && !events.heard("step:retried")) return;
  for (const step of steps) {
    if (step.kind === "value" || step.kind === "patch") continue;
    const durationMs = (step.finishedAt ?? clock.now()) - step.startedAt;
    const about = { ...runEvent(job), step: step.name, kind: step.kind, tries: step.tries, durationMs };
    const error = step.error === null ? null : JSON.parse(step.error);
    if (step.state === "done") events.emit("step:completed", about);
    else if (step.state === "failed") events.emit("step:failed", { ...about, error });
    else if (error) events.emit("step:retried", { ...about, error, delayMs: step.wakeAt! - clock.now() });
  }
}
