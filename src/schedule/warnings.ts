/**
 * What about a schedule may surprise its author? Told in the answer of registering; nothing here refuses.
 */
import { formatDuration } from "../base/duration.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant } from "../storage/port.ts";
import { type ReadSchedule, rulesOf, type ScheduleDefinition } from "./definition.ts";
import { writeLocal } from "./local_time.ts";
import { nothingLeft } from "./only_skips.ts";
import type { Expression } from "./options.ts";
import { calendar, isRecurrence, recurrence } from "./timing.ts";

/** What {@link scheduleWarnings} looks at beside the definition. */
export interface WarningContext {
  readonly engine: Pick<Engine, "temporal" | "tasks" | "ticks">;
  readonly now: Instant;
  /** When it was first registered: the anchor of `@every`. */
  readonly createdAt: Instant;
  /** The expression as it was given. */
  readonly written: Expression;
  /** How many of its occurrences have fired. */
  readonly fired: number;
}

/** Says in sentences what may surprise the author of a schedule, about its occurrences first. */
export function scheduleWarnings(name: string, definition: ScheduleDefinition, context: WarningContext): string[] {
  const rules = rulesOf(definition, context.createdAt, context.engine);
  return [
    ...ofOccurrences(name, rules, context),
    ...ofExclusions(rules, context),
    ...ofTicks(rules, context),
    ...ofTask(definition, context),
    ...ofExpression(rules, context),
  ];
}

function ofOccurrences(
  name: string,
  { definition, timing, maxFires }: ReadSchedule,
  context: WarningContext,
): string[] {
  const { engine, now, fired } = context;
  const { timeZone, jitterMs } = definition;
  if (maxFires !== null && fired >= maxFires) {
    return [
      `"${name}" has fired ${fired} times and maxFires is ${maxFires}: it is stored as ended and will not fire; raise ` +
        "maxFires, or remove it and register it anew",
    ];
  }
  const first = timing.next(now);
  if (first === null) {
    const last = timing.previous(now + 1);
    const end = last === null ? "" : `; the last one was ${writeLocal(last, timeZone, engine.temporal)}`;
    return [`"${name}" has no occurrence after now${end}: it is stored as ended and will not fire`];
  }
  const second = jitterMs > 0 ? timing.next(first) : null;
  if (second === null || jitterMs <= second - first) return [];
  return [
    `jitter of ${formatDuration(jitterMs)} is longer than the ${formatDuration(second - first)} between two ` +
      "occurrences: jobs may run in another order than their occurrences",
  ];
}

/** How many entries of `exclude` a warning names. */
const MAX_NAMED = 3;

/** Warns where exclusions leave nothing to fire, and where one leaves nothing out. */
function ofExclusions(rules: ReadSchedule, { engine, now, fired }: WarningContext): string[] {
  const { definition, timing } = rules;
  const { timeZone, exclude } = definition;
  const { temporal } = engine;
  const warnings: string[] = [];
  const nextAt = timing.next(now);
  const left = nothingLeft(engine, { name: "", nextAt, fired, lastAt: null }, rules, now);
  if (left !== null) warnings.push(`nothing will fire soon: ${left[0]!.toLowerCase()}${left.slice(1)}`);
  const missing = exclude.filter(
    (entry) => isInstant(entry) && Date.parse(entry) > now && !timing.has(Date.parse(entry)),
  );
  if (missing.length > 0) {
    const named = missing.slice(0, MAX_NAMED).map((entry) => writeLocal(Date.parse(entry), timeZone, temporal));
    const more = missing.length > MAX_NAMED ? ` and ${missing.length - MAX_NAMED} more` : "";
    const [entry = ""] = missing;
    const midnight = entry.endsWith("T00:00:00.000Z");
    const day = (midnight ? entry : writeLocal(Date.parse(entry), timeZone, temporal)).slice(0, 10);
    warnings.push(
      `exclude leaves nothing out at ${named.join(", ")}${more}: the schedule has no occurrence at that instant; for a ` +
        `whole day write "${day}"`,
    );
  }
  return warnings;
}

/** Tells whether an entry of a stored `exclude` is a single instant. */
function isInstant(entry: string): boolean {
  return entry.includes("T") && !entry.includes("/");
}

/** Warns of policies that the ticks of this process are too rare for, where it is known how rare they are. */
function ofTicks({ expiresInMs, catchUp, definition }: ReadSchedule, { engine }: WarningContext): string[] {
  const everyMs = engine.ticks.ms;
  if (everyMs === null) return [];
  const between = everyMs < 1000 ? everyMs : Math.round(everyMs / 1000) * 1000;
  const every = `the ${formatDuration(between)} between two ticks of this process`;
  const warnings: string[] = [];
  if (expiresInMs !== null && expiresInMs < everyMs) {
    warnings.push(
      `expiresIn of ${formatDuration(expiresInMs)} is shorter than ${every}: most occurrences will be skipped as ` +
        "expired before a tick finds them; make it longer, or tick more often",
    );
  }
  if (catchUp.withinMs < everyMs) {
    const policy = definition.catchUp === "none" ? 'catchUp "none"' : "catchUp";
    warnings.push(
      `${policy} drops what is more than ${formatDuration(catchUp.withinMs)} late, which is shorter than ${every}: most ` +
        'occurrences will be skipped; take "latest" or a longer "within", or tick more often',
    );
  }
  return warnings;
}

function ofTask({ task, overlap }: ScheduleDefinition, { engine: { tasks } }: WarningContext): string[] {
  const warnings: string[] = [];
  if (!tasks.has(task) && tasks.names().length > 0) {
    const guess = tasks.suggestion(task);
    warnings.push(
      `task "${task}" is not defined in this program${guess ? ` (did you mean "${guess}"?)` : ""}: its jobs wait for a worker that knows it`,
    );
  }
  if (overlap === "queue" && tasks.get(task)?.rate) {
    warnings.push(`overlap "queue" takes the place of the rate of task "${task}": a job counts against one limit only`);
  }
  return warnings;
}

/** What the expression may have been meant to say, and what changes of clocks do to it. */
function ofExpression({ definition, timing }: ReadSchedule, context: WarningContext): string[] {
  const { engine, now, createdAt, written } = context;
  const { expression } = definition;
  if (timing.next(now) === null || expression.startsWith("@at")) return [];
  // What was written says more than the canonical text, but `H` has its value there only.
  const text = typeof written === "string" && !/\bh\b/i.test(written) ? written : expression;
  const found = isRecurrence(expression)
    ? recurrence(definition, createdAt, engine)
    : calendar({ ...definition, expression: text }, engine.temporal);
  return found.warnings(now).map((warning) => warning.message);
}
