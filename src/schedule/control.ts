/**
 * How is a schedule operated by hand: paused, resumed, run now?
 *
 * A paused schedule keeps its place, so resuming with `missed: "fire"` can catch up by its policy. By default what it
 * missed is recorded as skipped, `paused`, in the put that makes it active, and nothing bursts. A triggered job is not an
 * occurrence: it is not in the log, does not count against `maxFires`, and does not move the schedule.
 */
import { encodePayload } from "../base/codec.ts";
import { BelfryError } from "../base/error.ts";
import { anything, type Checks, checkOptions, oneOf, orNull, text } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import { insertJobs } from "../job/make.ts";
import type { Instant, NewJob, ScheduleRecord } from "../storage/port.ts";
import { validate } from "../task/schema.ts";
import { type ReadSchedule, readDefinition } from "./definition.ts";
import { FiringDraft, jobLimit, jobOptions } from "./firing.ts";
import { type ScheduleInfo, scheduleInfo } from "./info.ts";
import { OVERLAPS, type Overlap, skipUntil } from "./planner.ts";
import { isBusy, needSchedule, putSchedules, untilWon } from "./store.ts";

/** Options of `schedules.pause`. */
export interface PauseOptions {
  /** Why, for people. */
  readonly note?: string | null;
}

const PAUSE_CHECKS: Checks<PauseOptions> = { note: orNull(text) };

/**
 * Pauses a schedule; pausing a paused one only changes its note.
 *
 * @param options `note`: why, for people
 * @throws BelfryError `SCHEDULE_UNKNOWN`
 */
export async function pauseSchedule(engine: Engine, name: string, options: PauseOptions = {}): Promise<ScheduleInfo> {
  checkOptions(options, "schedules.pause", PAUSE_CHECKS);
  const { note = null } = options;
  const record = await untilWon(`schedule ${JSON.stringify(name)}`, async () => {
    const record = await needSchedule(engine, name);
    if (record.state === "ended" || (record.state === "paused" && record.note === note)) return record;
    return await change(engine, record, { state: "paused", note });
  });
  engine.events.emit("schedule:paused", { schedule: name, note: record.note });
  return scheduleInfo(record, engine);
}

/** Options of {@link resumeSchedule}. */
export interface ResumeOptions {
  /**
   * What becomes of occurrences missed while paused: `"fire"` decides them by the schedule's own `catchUp` policy, `"skip"`
   * records them as skipped. @default "skip"
   */
  readonly missed?: "fire" | "skip";
}

const RESUME_CHECKS: Checks<ResumeOptions> = { missed: oneOf(["fire", "skip"]) };

/**
 * Makes a paused schedule active again; does nothing to one that is active or ended.
 *
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `OPTION_INVALID`; `SCHEDULE_BROKEN` where it cannot be planned
 */
export async function resumeSchedule(engine: Engine, name: string, options: ResumeOptions = {}): Promise<ScheduleInfo> {
  checkOptions(options, "schedules.resume", RESUME_CHECKS);
  const { missed = "skip" } = options;
  const record = await untilWon(`schedule ${JSON.stringify(name)}`, async () => {
    const record = await needSchedule(engine, name);
    if (record.state === "active" || record.state === "ended") return record;
    const read = need(engine, record);
    const now = engine.clock.now();
    const draft = new FiringDraft(name, read.definition);
    let { nextAt, lastAt } = record;
    if (record.state === "paused" && missed === "skip" && nextAt !== null && nextAt <= now) {
      lastAt = skipUntil(read, nextAt, now, (outcome) => draft.add(outcome, engine, now));
      nextAt = read.timing.next(lastAt);
    }
    const state = nextAt === null ? "ended" : "active";
    return await change(engine, record, { state, nextAt, lastAt, skips: 0, failures: 0, note: null }, draft);
  });
  return scheduleInfo(record, engine);
}

/** Options of {@link triggerSchedule}. */
export interface TriggerOptions<Input = unknown> {
  /** Another input for this job alone. */
  readonly input?: Input;
  /** What to do when a job of the schedule is unfinished. @default the schedule's own policy */
  readonly overlap?: Overlap;
}

const TRIGGER_CHECKS: Checks<TriggerOptions> = { input: anything, overlap: oneOf(OVERLAPS) };

/** What a trigger did. */
export interface Triggered {
  /** The job; null where overlap `skip` found another unfinished. */
  readonly jobId: string | null;
  /** When it was triggered: the job's `scheduledAt`. */
  readonly at: Instant;
}

/**
 * Makes a job of a schedule now, whatever its state.
 *
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN`, `INPUT_INVALID`, `PAYLOAD_UNSERIALIZABLE`
 */
export async function triggerSchedule(engine: Engine, name: string, options: TriggerOptions = {}): Promise<Triggered> {
  checkOptions(options, "schedules.trigger", TRIGGER_CHECKS);
  const record = await needSchedule(engine, name);
  const { definition } = need(engine, record);
  const overlap = options.overlap ?? definition.overlap;
  const at = engine.clock.now();
  const input = "input" in options ? await encodeInput(engine, definition.task, options.input) : definition.input;
  if (overlap === "skip" && (await isBusy(engine, name))) return { jobId: null, at };
  if (overlap === "cancel") await cancelUnfinished(engine, name);
  const { task, queue, priority } = definition;
  const job: NewJob = {
    id: engine.ids.id(at),
    task,
    queue,
    priority,
    availableAt: at,
    expiresAt: definition.expiresInMs === null ? null : at + definition.expiresInMs,
    key: null,
    input,
    options: jobOptions(definition),
    schedule: name,
    scheduledAt: at,
    parentId: null,
    limit: jobLimit(name, { ...definition, overlap }),
  };
  const [inserted] = await insertJobs(engine, [job]);
  return { jobId: inserted!.id, at };
}

async function encodeInput(engine: Engine, task: string, input: unknown): Promise<string> {
  const what = `input of task ${JSON.stringify(task)}`;
  const schema = engine.tasks.get(task)?.schema;
  if (schema) await validate(schema, input, what);
  return await encodePayload(engine.codec, input, what);
}

/** How many jobs one cancel names. */
const CANCEL_CHUNK = 200;

async function cancelUnfinished(engine: Engine, name: string): Promise<void> {
  for (;;) {
    const jobs = await engine.storage.listJobs({
      schedule: name,
      states: ["ready", "running", "waiting"],
      limit: CANCEL_CHUNK,
    });
    if (jobs.length === 0) return;
    const error = JSON.stringify({
      name: "BelfryError",
      code: "JOB_CANCELLED",
      message: `Schedule "${name}" was triggered, and its overlap policy cancels`,
    });
    const { ids, clock, storage } = engine;
    await storage.cancel({ op: ids.token(), now: clock.now(), ids: jobs.map((job) => job.id), error });
    if (jobs.length < CANCEL_CHUNK) return;
  }
}

/** Reads a definition that must be readable. */
export function need(engine: Engine, record: ScheduleRecord): ReadSchedule {
  const read = readDefinition(record, engine);
  if (!(read instanceof Error)) return read;
  throw new BelfryError(
    "SCHEDULE_BROKEN",
    `Schedule ${JSON.stringify(record.name)} cannot be planned here: ${read.message}; register it anew, or run a version that understands it`,
    { cause: read },
  );
}

async function change(
  engine: Engine,
  record: ScheduleRecord,
  fields: Partial<ScheduleRecord>,
  draft?: FiringDraft,
): Promise<ScheduleRecord | undefined> {
  const now = engine.clock.now();
  const changed = { ...record, ...fields, updatedAt: now };
  const put = { revision: record.revision, record: changed, jobs: [], occurrences: draft?.occurrences(now) ?? [] };
  const reply = await putSchedules(engine, { puts: [put] });
  return reply.written.includes(record.name) ? { ...changed, revision: record.revision + 1 } : undefined;
}
