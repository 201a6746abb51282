/**
 * How is a schedule's definition stored? As canonical text, equal for equal schedules: fields in one order, defaults left
 * out, `H` and `local` resolved. So registering again is a comparison of two texts.
 *
 * Text with fields that this version does not know is refused rather than read in part: the schedule becomes `broken` here,
 * and active again when a version that knows the fields leads.
 */
import { fromJson } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { isSameZone } from "../cron/zone.ts";
import type { Instant } from "../storage/port.ts";
import type { RetryPolicy } from "../task/retry.ts";
import { Excluded } from "./exclude.ts";
import { catchUpRule, type StoredCatchUp } from "./options.ts";
import type { Overlap, PlanRules } from "./planner.ts";
import { type CalendarSource, PLAIN_SOURCE, Timing, type TimingRule } from "./timing.ts";

/** A schedule's canonical definition: everything that decides what it does, and nothing about where it stands. */
export interface ScheduleDefinition extends TimingRule {
  /** Occurrences that are left out: see `schedule/exclude.ts`. */
  readonly exclude: readonly string[];
  /** How many occurrences fire in all; null: no limit. */
  readonly maxFires: number | null;
  /** Name of the task. */
  readonly task: string;
  /** Queue of the jobs. */
  readonly queue: string;
  /** Higher runs first. */
  readonly priority: number;
  /** Encoded input. */
  readonly input: string;
  /** Which missed occurrences fire. */
  readonly catchUp: StoredCatchUp;
  /** How long after its occurrence a job may still be begun, ms; null: without limit. */
  readonly expiresInMs: number | null;
  /** What to do while a job of the schedule is unfinished. */
  readonly overlap: Overlap;
  /** Each job is delayed by less than this, by a hash of schedule and occurrence, ms. */
  readonly jitterMs: number;
  /** How failed jobs are retried; null: as the task says. */
  readonly retry: RetryPolicy | null;
  /** How long a job may run, ms; null: as the task says. */
  readonly timeoutMs: number | null;
  /** The task's rate when the schedule was registered; null: none, or the registering program did not know the task. */
  readonly rate: { readonly count: number; readonly perMs: number } | null;
  /** Its tags, sorted. */
  readonly tags: readonly string[];
  /** After how many failed jobs in a row it pauses by itself; null: never. */
  readonly pauseAfterFailures: number | null;
  /** Whether it was registered paused. */
  readonly paused: boolean;
}

/** All fields in the order in which they are written, with their defaults, which are left out. */
export const DEFAULTS: ScheduleDefinition = {
  expression: "",
  timeZone: "UTC",
  days: "or",
  dst: "once",
  startAt: null,
  endAt: null,
  exclude: [],
  maxFires: null,
  task: "",
  queue: "default",
  priority: 0,
  input: "",
  catchUp: "all",
  expiresInMs: null,
  overlap: "allow",
  jitterMs: 0,
  retry: null,
  timeoutMs: null,
  rate: null,
  tags: [],
  pauseAfterFailures: null,
  paused: false,
};
/** Fields that decide the occurrences: a change of one of them plans anew. */
const TIMING_FIELDS = ["expression", "days", "dst", "startAt"] as const;

/**
 * Writes a definition as it is stored.
 *
 * Field by field, in the order of {@link DEFAULTS}: a loop over names would take most of the time of a large `sync`.
 */
export function writeDefinition(d: ScheduleDefinition): string {
  const parts: string[] = [];
  const write = (field: keyof ScheduleDefinition, value: unknown): void => {
    // Inputs seldom repeat, so they are not cached.
    const json = typeof value === "string" && field !== "input" ? quoted(value) : JSON.stringify(value);
    parts.push(parts.length === 0 ? '{"' : ',"', field, '":', json);
  };
  write("expression", d.expression);
  if (d.timeZone !== DEFAULTS.timeZone) write("timeZone", d.timeZone);
  if (d.days !== DEFAULTS.days) write("days", d.days);
  if (d.dst !== DEFAULTS.dst) write("dst", d.dst);
  if (d.startAt !== DEFAULTS.startAt) write("startAt", d.startAt);
  if (d.endAt !== DEFAULTS.endAt) write("endAt", d.endAt);
  if (d.exclude.length > 0) write("exclude", d.exclude);
  if (d.maxFires !== DEFAULTS.maxFires) write("maxFires", d.maxFires);
  write("task", d.task);
  if (d.queue !== DEFAULTS.queue) write("queue", d.queue);
  if (d.priority !== DEFAULTS.priority) write("priority", d.priority);
  if (d.input !== DEFAULTS.input) write("input", d.input);
  if (d.catchUp !== DEFAULTS.catchUp) write("catchUp", d.catchUp);
  if (d.expiresInMs !== DEFAULTS.expiresInMs) write("expiresInMs", d.expiresInMs);
  if (d.overlap !== DEFAULTS.overlap) write("overlap", d.overlap);
  if (d.jitterMs !== DEFAULTS.jitterMs) write("jitterMs", d.jitterMs);
  if (d.retry !== DEFAULTS.retry) write("retry", d.retry);
  if (d.timeoutMs !== DEFAULTS.timeoutMs) write("timeoutMs", d.timeoutMs);
  if (d.rate !== DEFAULTS.rate) write("rate", d.rate);
  if (d.tags.length > 0) write("tags", d.tags);
  if (d.pauseAfterFailures !== DEFAULTS.pauseAfterFailures) write("pauseAfterFailures", d.pauseAfterFailures);
  if (d.paused !== DEFAULTS.paused) write("paused", d.paused);
  parts.push("}");
  return parts.join("");
}

/** JSON of texts: expressions, zones and task names repeat. */
const quotes = new Map<string, string>();
const MAX_QUOTES = 10_000;

function quoted(text: string): string {
  let json = quotes.get(text);
  if (json === undefined) {
    if (quotes.size >= MAX_QUOTES) quotes.clear();
    json = JSON.stringify(text);
    quotes.set(text, json);
  }
  return json;
}

/** Whether two definitions have the same occurrences (but for `endAt`, `maxFires` and `exclude`, which only take away). */
export function sameTiming(a: ScheduleDefinition, b: ScheduleDefinition): boolean {
  return TIMING_FIELDS.every((field) => a[field] === b[field]) && isSameZone(a.timeZone, b.timeZone);
}

/** A definition that can be planned. */
export interface ReadSchedule extends PlanRules {
  readonly definition: ScheduleDefinition;
}

/**
 * Reads a stored definition.
 *
 * @returns the rules for the planner, or the error that makes the schedule `broken`: text that is not JSON, fields of a
 * newer version, an expression that cannot be read, a zone that this runtime does not know, a recurrence rule where this
 * program has no reader of them
 */
export function readDefinition(
  record: { readonly definition: string; readonly createdAt: Instant },
  source: CalendarSource = PLAIN_SOURCE,
): ReadSchedule | Error {
  try {
    const definition = parseDefinition(record.definition);
    if (definition instanceof Error) return definition;
    return rulesOf(definition, record.createdAt, source);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Makes the planner's rules of a definition. */
export function rulesOf(
  definition: ScheduleDefinition,
  createdAt: Instant,
  source: CalendarSource = PLAIN_SOURCE,
): ReadSchedule {
  const { timeZone, exclude } = definition;
  const { temporal } = source;
  return {
    definition,
    timing: new Timing(definition, createdAt, source),
    excluded: exclude.length === 0 ? null : new Excluded(exclude, { timeZone, temporal }),
    catchUp: catchUpRule(definition.catchUp),
    expiresInMs: definition.expiresInMs,
    overlap: definition.overlap,
    maxFires: definition.maxFires,
  };
}

/** Parsed definitions by their text: ticks read the same few thousand repeatedly. */
const parsed = new Map<string, ScheduleDefinition>();
const MAX_PARSED = 5_000;
const MAX_PARSED_LENGTH = 2_000;

/** Parses the text of a definition. @returns an error where this version does not know all of it */
function parseDefinition(text: string): ScheduleDefinition | Error {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const value = fromJson(text) as Record<string, unknown>;
  const unknown = Object.keys(value).find((field) => !(field in DEFAULTS));
  if (unknown !== undefined) {
    return new BelfryError(
      "SCHEDULE_BROKEN",
      `Its definition has the field "${unknown}", which this version of Belfry does not know; a newer one wrote it`,
    );
  }
  const definition = { ...DEFAULTS, ...value } as ScheduleDefinition;
  if (typeof definition.expression !== "string" || typeof definition.task !== "string" || definition.task === "") {
    return new BelfryError("SCHEDULE_BROKEN", "Its definition names no expression or no task");
  }
  if (text.length <= MAX_PARSED_LENGTH) {
    if (parsed.size >= MAX_PARSED) parsed.clear();
    parsed.set(text, definition);
  }
  return definition;
}
