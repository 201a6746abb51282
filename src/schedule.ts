/**
 * What is a schedule? Its definition: checked when it is registered, stored as canonical text, read back when it fires.
 *
 * `defineSchedule` turns what a user wrote into a `ScheduleDefinition` or refuses it, before anything is written.
 * `writeDefinition` gives text in which the same schedule always looks the same (fixed order, defaults left out, `H`
 * and `local` resolved), so that registering again is a comparison of texts. `readDefinition` turns stored text into
 * rules for the planner (`plan.ts`); text with fields that this version does not know is refused, not half understood:
 * the schedule becomes `broken` here and heals when a version that understands it leads.
 */
import { encodePayload, fromJson } from "./codec.ts";
import { Cron } from "./cron/cron.ts";
import { resolveTimeZone, type TemporalLike } from "./cron/zone.ts";
import { parseDuration } from "./duration.ts";
import type { Engine } from "./engine.ts";
import { BelfryError, CronSyntaxError, nearest } from "./error.ts";
import { checkName } from "./names.ts";
import type { Overlap, PlanRules } from "./plan.ts";
import { parseRetry, type RetryPolicy } from "./retry.ts";
import { askExcluded, Excluded, writeExcluded } from "./schedule/exclude.ts";
import { readWhen, writeLocal } from "./schedule/local_time.ts";
import {
  catchUpRule,
  type Expression,
  invalid,
  OPTION_NAMES,
  oneOf,
  readCatchUp,
  readTags,
  type ScheduleOptions,
  type StoredCatchUp,
  wholeNumber,
} from "./schedule/options.ts";
import { calendar, Timing, type TimingRule, writeAt } from "./schedule/timing.ts";
import { scheduleWarnings } from "./schedule/warnings.ts";
import { validate } from "./schema.ts";
import type { Instant } from "./storage.ts";
import { type TaskReference, taskName } from "./task.ts";

export type { Overlap } from "./plan.ts";
export type { Exclude } from "./schedule/exclude.ts";
export type { When } from "./schedule/local_time.ts";
export type { CatchUp, Expression, ScheduleOptions } from "./schedule/options.ts";

/** A schedule's definition, canonical: all that decides what it does, nothing of where it stands. */
export interface ScheduleDefinition extends TimingRule {
  /** Occurrences that are left out: see `schedule/exclude.ts`. */
  readonly exclude: readonly string[];
  /** Up to when the function that gave `exclude` was asked; null for a list. */
  readonly excludeUntilAt: Instant | null;
  readonly maxFires: number | null;
  readonly task: string;
  readonly queue: string;
  readonly priority: number;
  /** Encoded input. */
  readonly input: string;
  readonly catchUp: StoredCatchUp;
  readonly expiresInMs: number | null;
  readonly overlap: Overlap;
  readonly jitterMs: number;
  readonly spreadMs: number;
  /** Null: the task's. */
  readonly retry: RetryPolicy | null;
  /** Null: the task's. */
  readonly timeoutMs: number | null;
  /** The task's rate, as it was when the schedule was registered; null: none, or the task was not known there. */
  readonly rate: { readonly count: number; readonly perMs: number } | null;
  readonly tags: readonly string[];
  readonly pauseAfterFailures: number | null;
  readonly paused: boolean;
}

/** Fields in the order in which they are written, with the values that are left out. */
const DEFAULTS: ScheduleDefinition = {
  expression: "",
  timeZone: "UTC",
  days: "or",
  dst: "once",
  startAt: null,
  endAt: null,
  exclude: [],
  excludeUntilAt: null,
  maxFires: null,
  task: "",
  queue: "default",
  priority: 0,
  input: "",
  catchUp: "all",
  expiresInMs: null,
  overlap: "allow",
  jitterMs: 0,
  spreadMs: 0,
  retry: null,
  timeoutMs: null,
  rate: null,
  tags: [],
  pauseAfterFailures: null,
  paused: false,
};
const FIELDS = Object.keys(DEFAULTS) as (keyof ScheduleDefinition)[];
/** What decides the occurrences: an edit of one of these plans anew. */
const TIMING_FIELDS = ["expression", "timeZone", "days", "dst", "startAt"] as const;

/** Writes a definition as it is stored. */
export function writeDefinition(definition: ScheduleDefinition): string {
  const text: Partial<Record<keyof ScheduleDefinition, unknown>> = {};
  for (const field of FIELDS) {
    const value = definition[field];
    const usual = DEFAULTS[field];
    if (value !== usual && !(Array.isArray(value) && value.length === 0)) text[field] = value;
  }
  return JSON.stringify(text);
}

/** Whether two definitions have the same occurrences (but for `endAt`, `maxFires` and `exclude`, which only take away). */
export function sameTiming(a: ScheduleDefinition, b: ScheduleDefinition): boolean {
  return TIMING_FIELDS.every((field) => a[field] === b[field]);
}

/** A definition that can be planned. */
export interface ReadSchedule extends PlanRules {
  readonly definition: ScheduleDefinition;
}

/**
 * Reads a stored definition.
 *
 * @returns the rules for the planner, or the error that makes the schedule `broken`: text that is not JSON, fields of a
 * newer version, an expression that cannot be read, a zone that this runtime does not know
 */
export function readDefinition(
  record: { readonly definition: string; readonly createdAt: Instant },
  temporal: TemporalLike | undefined,
): ReadSchedule | Error {
  try {
    const definition = parseDefinition(record.definition);
    if (definition instanceof Error) return definition;
    return rulesOf(definition, record.createdAt, temporal);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Makes the planner's rules of a definition. */
export function rulesOf(
  definition: ScheduleDefinition,
  createdAt: Instant,
  temporal: TemporalLike | undefined,
): ReadSchedule {
  const { timeZone, exclude } = definition;
  return {
    definition,
    timing: new Timing(definition, createdAt, temporal),
    excluded: exclude.length === 0 ? null : new Excluded(exclude, { timeZone, temporal }),
    catchUp: catchUpRule(definition.catchUp),
    expiresInMs: definition.expiresInMs,
    overlap: definition.overlap,
    maxFires: definition.maxFires,
  };
}

/** Definitions by their text: a tick reads the same few thousand again and again. */
const parsed = new Map<string, ScheduleDefinition>();
const MAX_PARSED = 5_000;
const MAX_PARSED_LENGTH = 2_000;

/** Reads the text of a definition; an error where this version does not understand all of it. */
export function parseDefinition(text: string): ScheduleDefinition | Error {
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

/** What {@link defineSchedule} made. */
export interface DefinedSchedule {
  readonly name: string;
  readonly definition: ScheduleDefinition;
  /** The definition as it is stored. */
  readonly text: string;
  /** The input as it was given, for comparison where a codec never writes the same text twice. */
  readonly input: unknown;
  readonly warnings: string[];
}

/** A schedule as it is written in code. */
export interface ScheduleSpec<Input = unknown> {
  readonly name: string;
  readonly expression: Expression;
  readonly task: TaskReference;
  readonly options?: ScheduleOptions<Input> | undefined;
  /** When it was first registered, where it is: the anchor of `@every`. */
  readonly createdAt?: Instant | undefined;
}

/**
 * Checks all that is said about a schedule and makes its canonical definition; writes nothing.
 *
 * @throws CronSyntaxError `CRON_SYNTAX`
 * @throws BelfryError `CRON_NEVER`, `ZONE_UNKNOWN`, `DURATION_INVALID`, `NAME_INVALID`, `OPTION_INVALID`,
 * `PAYLOAD_UNSERIALIZABLE`, `PAYLOAD_TOO_LARGE`, `INPUT_INVALID`
 */
export async function defineSchedule(engine: Engine, spec: ScheduleSpec): Promise<DefinedSchedule> {
  const { options = {} } = spec;
  const name = checkName(spec.name, "schedule");
  try {
    const task = taskName(spec.task);
    if (typeof options !== "object" || options === null) throw invalid("the options", options, "an object");
    const misspelt = Object.keys(options).find((option) => !OPTION_NAMES.has(option));
    if (misspelt !== undefined) {
      const guess = nearest(misspelt, OPTION_NAMES);
      throw new BelfryError(
        "OPTION_INVALID",
        `No option is named "${misspelt}"${guess ? `; did you mean "${guess}"?` : ""}`,
      );
    }
    const known = engine.tasks.get(task);
    if (known?.schema) await validate(known.schema, options.input, `input of task ${JSON.stringify(task)}`);
    const input = await encodePayload(engine.codec, options.input, `input of schedule "${name}"`);
    const now = engine.clock.now();
    const definition = canonical(
      spec,
      { task, input, queue: known?.queue ?? DEFAULTS.queue, rate: known?.rate ?? null },
      { engine, now },
    );
    const warnings = scheduleWarnings(name, definition, { engine, now, createdAt: spec.createdAt ?? now });
    return { name, definition, text: writeDefinition(definition), input: options.input, warnings };
  } catch (error) {
    throw inSchedule(name, error);
  }
}

/** Says in an error which schedule it was about. */
function inSchedule(name: string, error: unknown): unknown {
  if (!(error instanceof BelfryError) || error instanceof CronSyntaxError) return error;
  const message = /^[A-Z][a-z]/.test(error.message)
    ? error.message[0]!.toLowerCase() + error.message.slice(1)
    : error.message;
  return new BelfryError(error.code, `Cannot schedule ${JSON.stringify(name)}: ${message}`, { cause: error });
}

function canonical(
  { name, expression: written, options = {}, createdAt }: ScheduleSpec,
  { task, input, queue, rate }: Pick<ScheduleDefinition, "task" | "input" | "queue" | "rate">,
  { engine, now }: { engine: Engine; now: Instant },
): ScheduleDefinition {
  const { temporal } = engine;
  const timeZone = options.timeZone === undefined ? engine.timeZone : options.timeZone;
  if (typeof timeZone !== "string") throw invalid("timeZone", timeZone, 'a zone\'s name like "Europe/Oslo"');
  const rule = readTiming(written, { ...options, timeZone }, name, temporal);
  const { startAt, endAt } = rule;
  if (startAt !== null && endAt !== null && endAt < startAt) {
    const show = (at: Instant): string => writeLocal(at, rule.timeZone, temporal);
    throw new BelfryError("OPTION_INVALID", `endAt, ${show(endAt)}, is before startAt, ${show(startAt)}; swap them`);
  }
  const definition: ScheduleDefinition = {
    ...rule,
    exclude: [],
    excludeUntilAt: null,
    maxFires: options.maxFires === undefined ? null : wholeNumber(options.maxFires, "maxFires", 1, 2 ** 31),
    task,
    queue: options.queue === undefined ? queue : checkName(options.queue, "queue"),
    priority: wholeNumber(options.priority ?? 0, "priority", -(2 ** 31), 2 ** 31 - 1),
    input,
    catchUp: readCatchUp(options.catchUp ?? "all"),
    expiresInMs: options.expiresIn === undefined ? null : parseDuration(options.expiresIn, "expiresIn", { minMs: 1 }),
    overlap: oneOf(options.overlap ?? "allow", "overlap", ["allow", "skip", "queue", "cancel"]),
    jitterMs: parseDuration(options.jitter ?? 0, "jitter"),
    spreadMs: parseDuration(options.spread ?? 0, "spread"),
    retry: options.retry === undefined ? null : parseRetry(options.retry, `schedule "${name}"`),
    timeoutMs: options.timeout === undefined ? null : parseDuration(options.timeout, "timeout", { minMs: 1 }),
    rate,
    tags: options.tags === undefined ? [] : readTags(options.tags),
    pauseAfterFailures:
      options.pauseAfterFailures === undefined
        ? null
        : wholeNumber(options.pauseAfterFailures, "pauseAfterFailures", 1, 2 ** 31),
    paused: readFlag(options.paused ?? false, "paused"),
  };
  const { expiresInMs, jitterMs, spreadMs } = definition;
  if (expiresInMs !== null && jitterMs + spreadMs >= expiresInMs) {
    throw new BelfryError(
      "OPTION_INVALID",
      "jitter and spread together delay a job until it may have expired; make expiresIn longer than both",
    );
  }
  return { ...definition, ...readExclude(options.exclude, definition, createdAt ?? now, now, temporal) };
}

function readTiming(
  written: Expression,
  options: ScheduleOptions & { timeZone: string },
  name: string,
  temporal: TemporalLike | undefined,
): TimingRule {
  const timeZone = resolveTimeZone(options.timeZone);
  const days = oneOf(options.days ?? "or", "days", ["or", "and"]);
  const dst = oneOf(options.dst ?? "once", "dst", ["once", "vixie"]);
  const bound = (value: ScheduleOptions["startAt"], option: string): Instant | null =>
    value === undefined ? null : readWhen(value, option, timeZone, temporal);
  const bounds = { startAt: bound(options.startAt, "startAt"), endAt: bound(options.endAt, "endAt") };
  let expression: string;
  if (typeof written === "object" && written !== null && "at" in written) {
    expression = writeAt(readWhen(written.at, "at", timeZone, temporal));
  } else if (typeof written === "string" && /^\s*@at\s/i.test(written)) {
    expression = writeAt(readWhen(written.trim().slice(3).trim(), "@at", timeZone, temporal));
  } else if (typeof written === "string") {
    // `H` takes its values from the name; without one, texts are shared by many schedules and parsed once.
    const cron = /[hH]/.test(written)
      ? new Cron(written, { timeZone, days, dst, temporal, seed: name })
      : calendar({ expression: written, timeZone, days, dst }, temporal);
    if (cron.intervalMs === null && cron.nextMs(-8.64e15) === null) {
      throw new BelfryError(
        "CRON_NEVER",
        `${JSON.stringify(written)} never occurs: no month has such a day; correct the day or the month`,
      );
    }
    expression = cron.text;
  } else throw invalid("the expression", written, 'text like "0 9 * * MON-FRI" or { at: "2026-12-24 18:00" }');
  return { expression, timeZone, days, dst, ...bounds };
}

function readExclude(
  exclude: ScheduleOptions["exclude"],
  rule: TimingRule,
  createdAt: Instant,
  now: Instant,
  temporal: TemporalLike | undefined,
): Pick<ScheduleDefinition, "exclude" | "excludeUntilAt"> {
  if (exclude === undefined) return { exclude: [], excludeUntilAt: null };
  if (typeof exclude === "function") {
    const asked = askExcluded(exclude, new Timing(rule, createdAt, temporal), now);
    return { exclude: asked.entries, excludeUntilAt: asked.untilAt };
  }
  if (!Array.isArray(exclude)) throw invalid("exclude", exclude, "a list of days and instants, or a function");
  return { exclude: writeExcluded(exclude, { timeZone: rule.timeZone, temporal }), excludeUntilAt: null };
}

function readFlag(value: unknown, option: string): boolean {
  if (typeof value !== "boolean") throw invalid(option, value, "true or false");
  return value;
}
