/**
 * What of a schedule may surprise its author? Said once, when it is registered; nothing here refuses.
 */
import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant } from "../storage/port.ts";
import type { ScheduleDefinition } from "./definition.ts";
import { writeLocal } from "./local_time.ts";
import type { Expression } from "./options.ts";
import { calendar, Timing } from "./timing.ts";

/**
 * Says in sentences what may surprise: no occurrence left, an unknown task, delays longer than the interval, what the
 * expression may have been meant to say, DST.
 *
 * @param context `written`: the expression as it was given
 */
export function scheduleWarnings(
  name: string,
  definition: ScheduleDefinition,
  { engine, now, createdAt, written }: { engine: Engine; now: Instant; createdAt: Instant; written: Expression },
): string[] {
  const { temporal, tasks } = engine;
  const { timeZone, expression, task, jitterMs } = definition;
  const warnings: string[] = [];
  const timing = new Timing(definition, createdAt, temporal);
  const first = timing.next(now);
  if (first === null) {
    const last = timing.previous(now + 1);
    const end = last === null ? "" : `; the last one was ${writeLocal(last, timeZone, temporal)}`;
    warnings.push(`"${name}" has no occurrence after now${end}: it is stored as ended and will not fire`);
  } else if (jitterMs > 0) {
    const second = timing.next(first);
    if (second !== null && jitterMs > second - first) {
      warnings.push(
        `jitter of ${formatDuration(jitterMs)} is longer than the ${formatDuration(second - first)} between two ` +
          "occurrences: jobs may run in another order than their occurrences",
      );
    }
  }
  if (!tasks.has(task) && tasks.names().length > 0) {
    const guess = tasks.suggestion(task);
    warnings.push(
      `task "${task}" is not defined in this program${guess ? ` (did you mean "${guess}"?)` : ""}: its jobs wait for a worker that knows it`,
    );
  }
  const limited = tasks.get(task)?.rate;
  if (definition.overlap === "queue" && limited) {
    warnings.push(`overlap "queue" takes the place of the rate of task "${task}": a job counts against one limit only`);
  }
  if (first !== null && !expression.startsWith("@at")) {
    // What was written says more than the canonical text, but `H` has its value there only.
    const text = typeof written === "string" && !/\bh\b/i.test(written) ? written : expression;
    const found = calendar({ ...definition, expression: text }, temporal).warnings(now);
    warnings.push(...found.map((warning) => warning.message));
  }
  return warnings;
}
