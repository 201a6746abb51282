/**
 * What is emitted and reported after a pass was written? One event for each occurrence that fired, each run that was
 * skipped and each schedule that ended; schedules that broke also go to `onError`. Only for schedules that really moved.
 */

import { BelfryError } from "../base/error.ts";
import type { Engine } from "../engine/engine.ts";
import type { FireReply, Instant } from "../storage/port.ts";
import type { PassPlan } from "./pass.ts";

/** Emits what a plan did. @returns how many occurrences were skipped */
export function announce(engine: Engine, plan: PassPlan, reply: FireReply, now: Instant): number {
  const { events } = engine;
  const moved = reply.fired.length === plan.firings.length ? null : new Set(reply.fired);
  const inserted = events.heard("schedule:fired") ? new Set(reply.jobs) : null;
  const listened = events.heard("schedule:skipped");
  let skipped = 0;
  for (const { name: schedule, occurrences, state } of plan.firings) {
    if (moved?.has(schedule) === false) continue;
    for (const { at, untilAt, count, reason, jobId } of occurrences) {
      if (reason !== null) {
        skipped += count;
        if (listened) events.emit("schedule:skipped", { schedule, at, untilAt, count, reason });
      } else if (jobId !== null && inserted?.has(jobId)) {
        events.emit("schedule:fired", { schedule, at, jobId, lateMs: Math.max(0, now - at) });
      }
    }
    if (state === "ended") events.emit("schedule:ended", { schedule });
  }
  for (const { name, error } of plan.broken) {
    if (moved?.has(name) === false) continue;
    const message = `Schedule ${JSON.stringify(name)} cannot be planned and is marked broken: ${error.message}`;
    engine.report(new BelfryError("SCHEDULE_BROKEN", message, { cause: error }), `planning schedule ${name}`);
    events.emit("schedule:broken", { schedule: name, note: error.message });
  }
  return skipped;
}
