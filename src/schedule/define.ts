/**
 * How does what a user wrote become a definition? Every option is checked and made canonical before anything is written;
 * options that contradict each other, expressions that never occur and inputs that JSON would lose are refused with the
 * remedy.
 *
 * `sync` defines a hundred thousand schedules at every deploy, so this does no more than it must: calendars are shared by
 * text, warnings are computed only for schedules that are written, and no promise is made where none is needed.
 */
import { encodeNow } from "../base/codec.ts";
import { type Duration, formatDuration, parseDuration } from "../base/duration.ts";
import { BelfryError, CronSyntaxError, nearest } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import { anything, type Checks, checkOptions, unfit } from "../base/options.ts";
import { Cron } from "../cron/cron.ts";
import type { DstRule } from "../cron/occurrences.ts";
import { resolveTimeZone, type TemporalLike } from "../cron/zone.ts";
import type { Engine } from "../engine/engine.ts";
import type { Instant, ScheduleRecord } from "../storage/port.ts";
import type { TaskDefinition } from "../task/definition.ts";
import { parseRetry } from "../task/retry.ts";
import { validate } from "../task/schema.ts";
import { type AnyTask, type IsOptional, type Known, type TaskReference, taskName } from "../task/task.ts";
import { DEFAULTS, type ScheduleDefinition, writeDefinition } from "./definition.ts";
import { writeExcluded } from "./exclude.ts";
import { writeLocal } from "./local_time.ts";
import {
  type Expression,
  invalid,
  type OneInstant,
  OPTION_NAMES,
  oneOf,
  readCatchUp,
  readTags,
  type ScheduleOptions,
  wholeNumber,
} from "./options.ts";
import { OVERLAPS } from "./planner.ts";
import { calendar, isRecurrence, recurrence, type TimingRule, writeAt } from "./timing.ts";
import { scheduleWarnings } from "./warnings.ts";
import { readFrom, readUntil, type WhenContext } from "./when.ts";

/** A schedule as it is written in code. */
export interface ScheduleSpec<Input = unknown> {
  /** Its name, unique on the storage. */
  readonly name: string;
  /** When it occurs: cron text, `@every`, `@at`, or one instant. */
  readonly expression: Expression;
  /** The task to run, or the name of one whose code is in another program. */
  readonly task: TaskReference;
  /** Everything else. */
  readonly options?: ScheduleOptions<Input> | undefined;
  /** When it was first registered, where it is stored already: the anchor of `@every`. @default now */
  readonly createdAt?: Instant | undefined;
}

/** A {@link ScheduleSpec} whose input fits its task. */
export type TypedScheduleSpec<Input> = Omit<ScheduleSpec, "task" | "options"> & {
  readonly task: TaskReference<Input> | AnyTask<Input>;
} & (IsOptional<Input> extends true
    ? { readonly options?: ScheduleOptions<NoInfer<Known<Input>>> | undefined }
    : { readonly options: ScheduleOptions<NoInfer<Input>> & { readonly input: NoInfer<Input> } });

/** A checked and canonical definition, as {@link defineSchedule} makes it. */
export class DefinedSchedule {
  readonly name: string;
  readonly definition: ScheduleDefinition;
  /** The definition as it is stored. */
  readonly text: string;
  /** The input as it was given, to compare with where a codec writes another text each time. */
  readonly input: unknown;
  readonly #engine: Engine;
  readonly #createdAt: Instant | undefined;
  readonly #written: Expression;

  constructor(engine: Engine, spec: ScheduleSpec, definition: ScheduleDefinition) {
    this.name = spec.name;
    this.definition = definition;
    this.text = writeDefinition(definition);
    this.input = spec.options?.input;
    this.#engine = engine;
    this.#createdAt = spec.createdAt;
    this.#written = spec.expression;
  }

  /**
   * Finds what may surprise, in sentences.
   *
   * @param stored what of the stored schedule counts; null where it is new
   */
  warnings(stored: Pick<ScheduleRecord, "createdAt" | "fired"> | null): string[] {
    const engine = this.#engine;
    const now = engine.clock.now();
    const createdAt = stored?.createdAt ?? this.#createdAt ?? now;
    const context = { engine, now, createdAt, written: this.#written, fired: stored?.fired ?? 0 };
    return scheduleWarnings(this.name, this.definition, context);
  }

  /** Makes the same definition with some fields replaced by what is stored already. */
  keeping(fields: Partial<ScheduleDefinition>): DefinedSchedule {
    const { name, input } = this;
    const spec = { name, expression: this.#written, task: "", options: { input }, createdAt: this.#createdAt };
    return new DefinedSchedule(this.#engine, spec, { ...this.definition, ...fields });
  }
}

const ONE_INSTANT_CHECKS: Checks<OneInstant> = { at: anything };

/** Checks of {@link ScheduleSpec}: which keys there are; `defineNow` checks their values. */
export const SPEC_CHECKS: Checks<ScheduleSpec> = {
  name: anything,
  expression: anything,
  task: anything,
  options: anything,
  createdAt: (value, name, of) => {
    if (!Number.isFinite(value)) throw unfit(value, name, of, "an instant in epoch milliseconds");
  },
};

/**
 * Checks all that is said about a schedule and makes its canonical definition; writes nothing.
 *
 * @throws CronSyntaxError `CRON_SYNTAX`
 * @throws BelfryError `CRON_NEVER`, `ZONE_UNKNOWN`, `DURATION_INVALID`, `NAME_INVALID`, `OPTION_INVALID`,
 * `PAYLOAD_UNSERIALIZABLE`, `PAYLOAD_TOO_LARGE`, `INPUT_INVALID`
 */
export async function defineSchedule(engine: Engine, spec: ScheduleSpec): Promise<DefinedSchedule> {
  return await defineNow(engine, spec);
}

/** Does {@link defineSchedule} without a promise where neither a schema nor a codec needs one. */
export function defineNow(engine: Engine, spec: ScheduleSpec): DefinedSchedule | Promise<DefinedSchedule> {
  checkOptions(spec, "a schedule", SPEC_CHECKS);
  const { options = {} } = spec;
  const name = checkName(spec.name, "schedule");
  try {
    const task = taskName(spec.task);
    if (typeof options !== "object" || options === null) throw invalid("the options", options, "an object");
    for (const option in options) if (!OPTION_NAMES.has(option)) throw misspelt(option);
    const known = engine.tasks.get(task);
    const finish = (input: string): DefinedSchedule =>
      new DefinedSchedule(engine, spec, canonical(engine, spec, { task, input, known }));
    const encode = (): string | Promise<string> => encodeNow(engine.codec, options.input, INPUT);
    const checked = known?.schema && validate(known.schema, options.input, `input of task ${JSON.stringify(task)}`);
    const input = checked ? checked.then(encode) : encode();
    if (typeof input === "string") return finish(input);
    return input.then(finish).catch((error: unknown) => Promise.reject(inSchedule(name, error)));
  } catch (error) {
    throw inSchedule(name, error);
  }
}

const INPUT = "input of the schedule";

function misspelt(option: string): BelfryError {
  const guess = nearest(option, OPTION_NAMES);
  return new BelfryError(
    "OPTION_INVALID",
    `No option is named "${option}"${guess ? `; did you mean "${guess}"?` : ""}`,
  );
}

/** Adds to an error which schedule it is about. */
function inSchedule(name: string, error: unknown): unknown {
  if (!(error instanceof BelfryError)) return error;
  if (error instanceof CronSyntaxError) {
    const { expression, field, column, found, expected, hint } = error;
    return new CronSyntaxError({ expression, field, column, found, expected, hint, schedule: name });
  }
  const message = /^[A-Z][a-z]/.test(error.message)
    ? error.message[0]!.toLowerCase() + error.message.slice(1)
    : error.message;
  return new BelfryError(error.code, `Cannot schedule ${JSON.stringify(name)}: ${message}`, { cause: error });
}

function canonical(
  engine: Engine,
  { name, expression: written, options = {}, createdAt = engine.clock.now() }: ScheduleSpec,
  { task, input, known }: { task: string; input: string; known: TaskDefinition | undefined },
): ScheduleDefinition {
  const { temporal } = engine;
  const zone = options.timeZone === undefined ? engine.timeZone : options.timeZone;
  if (zone === "")
    throw new BelfryError("ZONE_UNKNOWN", 'No time zone "": write "UTC", or a name such as "Europe/Oslo"');
  if (typeof zone !== "string") throw invalid("timeZone", zone, 'a zone\'s name like "Europe/Oslo"');
  if (zone.trim() === "") {
    throw new BelfryError(
      "ZONE_UNKNOWN",
      'The time zone is empty; write "UTC", a name like "Europe/Oslo", or leave it out',
    );
  }
  const timeZone = resolveTimeZone(zone);
  const days = options.days === undefined ? "or" : oneOf(options.days, "days", ["or", "and"]);
  const dst = options.dst === undefined ? "once" : oneOf(options.dst, "dst", ["once", "vixie"]);
  const context = { timeZone, temporal };
  const duration = (value: Duration | undefined, option: string, minMs: number): number | null =>
    value === undefined ? null : parseDuration(value, option, { minMs });
  const startAt = options.startAt === undefined ? null : readFrom(options.startAt, "startAt", context);
  const timing = { timeZone, days, dst, startAt, endAt: null };
  const definition: Mutable<ScheduleDefinition> = {
    expression:
      typeof written === "string" && isRecurrence(written)
        ? readRecurrence({ ...timing, expression: written }, createdAt, engine)
        : readExpression(written, { name, timeZone, days, dst, temporal }),
    timeZone,
    days,
    dst,
    startAt,
    endAt: options.endAt === undefined ? null : readUntil(options.endAt, "endAt", context),
    exclude: NONE,
    maxFires: options.maxFires === undefined ? null : wholeNumber(options.maxFires, "maxFires", 1, 2 ** 31),
    task,
    queue: options.queue === undefined ? (known?.queue ?? DEFAULTS.queue) : checkName(options.queue, "queue"),
    priority:
      options.priority === undefined ? 0 : wholeNumber(options.priority, "priority", -MAX_PRIORITY, MAX_PRIORITY),
    input,
    catchUp: options.catchUp === undefined ? "all" : readCatchUp(options.catchUp),
    expiresInMs: duration(options.expiresIn, "expiresIn", 1),
    overlap: options.overlap === undefined ? "allow" : oneOf(options.overlap, "overlap", OVERLAPS),
    jitterMs: duration(options.jitter, "jitter", 0) ?? 0,
    retry: options.retry === undefined ? null : parseRetry(options.retry, `schedule "${name}"`),
    timeoutMs: duration(options.timeout, "timeout", 1),
    rate: known?.rate ?? null,
    tags: options.tags === undefined ? NONE : readTags(options.tags),
    pauseAfterFailures:
      options.pauseAfterFailures === undefined
        ? null
        : wholeNumber(options.pauseAfterFailures, "pauseAfterFailures", 1, 2 ** 31),
    paused: options.paused === undefined ? false : readFlag(options.paused, "paused"),
  };
  checkBounds(definition, temporal);
  if (options.exclude !== undefined) definition.exclude = readExclude(options.exclude, context);
  return definition;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

const NONE: readonly string[] = [];
const MAX_PRIORITY = 1_000_000;

/** Refuses options that contradict each other. */
function checkBounds(
  { startAt, endAt, timeZone, expiresInMs, jitterMs }: ScheduleDefinition,
  temporal: TemporalLike | undefined,
): void {
  if (startAt !== null && endAt !== null && endAt < startAt) {
    const show = (at: Instant): string => writeLocal(at, timeZone, temporal);
    throw new BelfryError("OPTION_INVALID", `endAt, ${show(endAt)}, is before startAt, ${show(startAt)}; swap them`);
  }
  if (expiresInMs !== null && jitterMs >= expiresInMs) {
    throw new BelfryError(
      "OPTION_INVALID",
      `jitter of ${formatDuration(jitterMs)} may delay a job until it has expired (expiresIn ${formatDuration(expiresInMs)}); make expiresIn longer than jitter`,
    );
  }
}

/** Calendars that are known to have an occurrence. */
const occurring = new WeakSet<Cron>();

function occurs(cron: Cron): boolean {
  if (occurring.has(cron)) return true;
  if (cron.intervalMs === null && cron.nextMs(-8.64e15) === null) return false;
  occurring.add(cron);
  return true;
}

/** Reads a recurrence rule. @returns its canonical text */
function readRecurrence(rule: TimingRule, createdAt: Instant, engine: Engine): string {
  const { text } = recurrence(rule, createdAt, engine);
  // A rule whose UNTIL has passed has ended, which is no mistake: it is registered again at every start.
  const open = recurrence({ ...rule, expression: text.replace(/;UNTIL=[^;]*/, "") }, createdAt, engine);
  if (open.nextMs(-8.64e15) !== null) return text;
  throw new BelfryError(
    "CRON_NEVER",
    `${JSON.stringify(rule.expression)} never occurs: no day is what all its parts ask for; leave one of the BY parts out`,
  );
}

interface ExpressionContext {
  name: string;
  timeZone: string;
  days: "or" | "and";
  dst: DstRule;
  temporal: TemporalLike | undefined;
}

/** Reads an expression. @returns its canonical text */
function readExpression(written: Expression, { name, timeZone, days, dst, temporal }: ExpressionContext): string {
  if (typeof written === "object" && written !== null && "at" in written) {
    checkOptions(written, "the expression", ONE_INSTANT_CHECKS);
    return writeAt(readFrom(written.at, "at", { timeZone, temporal }));
  }
  if (typeof written !== "string") {
    throw invalid("the expression", written, 'text like "0 9 * * MON-FRI" or { at: "2026-12-24 18:00" }');
  }
  if (/^\s*@at\s/i.test(written)) {
    return writeAt(readFrom(written.trim().slice(3).trim(), "@at", { timeZone, temporal }));
  }
  // `H` takes its values from the name; without one, texts are shared by many schedules and parsed once.
  const cron = /h/i.test(written)
    ? new Cron(written, { timeZone, days, dst, temporal, seed: name })
    : calendar({ expression: written, timeZone, days, dst }, temporal);
  if (!occurs(cron)) {
    throw new BelfryError(
      "CRON_NEVER",
      `${JSON.stringify(written)} never occurs: no month has such a day; correct the day or the month`,
    );
  }
  return cron.text;
}

function readExclude(exclude: unknown, context: WhenContext): string[] {
  if (Array.isArray(exclude)) return writeExcluded(exclude, context);
  throw invalid(
    "exclude",
    exclude,
    typeof exclude === "function"
      ? "a list of days, instants and ranges; call the function yourself and give its answers as a list"
      : 'a list of days, instants and ranges like ["2026-12-25", "2026-12-30/2027-01-02"]',
  );
}

function readFlag(value: unknown, option: string): boolean {
  if (typeof value !== "boolean") throw invalid(option, value, "true or false");
  return value;
}
