/**
 * How does a schedule get into the storage, change there, and leave it?
 *
 * Registering is safe at every start of every process: a definition that is stored already changes nothing, its next
 * occurrence included. A changed one is written in place; what that does to the schedule's place and to what it had missed
 * is decided by the table in `transition.ts`. Here are the effects around it: read, fire a backlog that does not fit into
 * one put, write from the revision that was read, and start again when another process was faster.
 *
 * Everything is checked before anything is written.
 */
import { decodePayload } from "../base/codec.ts";
import { isSameZone } from "../cron/zone.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import type { Instant, PutSchedulesRequest, SchedulePut, ScheduleRecord } from "../storage/port.ts";
import { type DefinedSchedule, defineSchedule, type ScheduleSpec } from "./define.ts";
import { readDefinition, rulesOf } from "./definition.ts";
import { FiringDraft } from "./firing.ts";
import { type ScheduleInfo, scheduleInfo } from "./info.ts";
import { checkPatch, type SchedulePatch, specOf } from "./patch.ts";
import { Planner } from "./planner.ts";
import { isBusy, needSchedule, putSchedules, readSchedule, untilWon } from "./store.ts";
import { closeOutOf, type StoredSchedule, transition } from "./transition.ts";

/** What registering did. */
export interface Registered {
  /** The schedule's name. */
  readonly name: string;
  /** Whether it was new, was changed, or was stored already. */
  readonly status: "created" | "updated" | "unchanged";
  /** When the next job becomes available; null where nothing will fire. */
  readonly nextAt: Instant | null;
  /** What may surprise, in sentences. */
  readonly warnings: string[];
  /** The schedule as it is stored now. */
  readonly schedule: ScheduleInfo;
}

/**
 * Registers a schedule, or brings the stored one up to date.
 *
 * @throws what `defineSchedule` throws; then nothing was written
 */
export async function registerSchedule<Input>(engine: Engine, spec: ScheduleSpec<Input>): Promise<Registered> {
  // What the storage says is only needed for what is there already; nonsense is refused without asking it.
  const first = await defineSchedule(engine, spec as ScheduleSpec);
  return await untilWon(`schedule ${JSON.stringify(spec.name)}`, async () => {
    const record = await readSchedule(engine, spec.name);
    return await register(engine, first, record);
  });
}

/**
 * Changes options of a stored schedule; what the patch does not name stays.
 *
 * @param patch options as in `schedule`, `expression` and `task`; null takes an option back to its default
 * @throws BelfryError `SCHEDULE_UNKNOWN`, `SCHEDULE_BROKEN` where the stored definition cannot be read, and what
 * `defineSchedule` throws
 */
export async function updateSchedule(engine: Engine, name: string, patch: SchedulePatch): Promise<Registered> {
  checkPatch(name, patch);
  return await untilWon(`schedule ${JSON.stringify(name)}`, async () => {
    const record = await needSchedule(engine, name);
    const { spec, keeps } = await specOf(engine, record, patch);
    return await register(engine, (await defineSchedule(engine, spec)).keeping(keeps), record);
  });
}

/** Removes a schedule; its unfinished jobs stay and run. @returns false where there was none */
export async function removeSchedule(engine: Engine, name: string): Promise<boolean> {
  return await untilWon(`the removal of schedule ${JSON.stringify(name)}`, async () => {
    const record = await readSchedule(engine, name);
    if (record === null) return false;
    const reply = await putSchedules(engine, { puts: [], removes: [{ name, revision: record.revision }] });
    return reply.removed.length > 0 || undefined;
  });
}

async function register(
  engine: Engine,
  defined: DefinedSchedule,
  record: ScheduleRecord | null,
): Promise<Registered | undefined> {
  const registered = await settleAndRegister(engine, defined, record, null);
  return registered === "superseded" ? undefined : registered;
}

/**
 * Writes one schedule, closing out first what its old timing had missed.
 *
 * @param owner whose it becomes, at which generation; null leaves that as it is
 * @returns undefined where somebody else moved it; `superseded` where a later generation of the owner was here first
 */
export async function settleAndRegister(
  engine: Engine,
  defined: DefinedSchedule,
  record: ScheduleRecord | null,
  owner: PutSchedulesRequest["owner"],
): Promise<Registered | "superseded" | undefined> {
  const { name } = defined;
  const now = engine.clock.now();
  const settled = record === null ? null : await drain(engine, defined, record, now);
  if (settled === undefined) return undefined;
  const change = await planChange(engine, defined, settled, { owner: owner?.owner ?? null, now });
  const answer = (stored: ScheduleRecord, status: Registered["status"]): Registered => {
    const schedule = scheduleInfo(stored, engine);
    return { name, status, nextAt: schedule.nextAt, warnings: defined.warnings(stored), schedule };
  };
  if (change === null) return answer(settled!, "unchanged");
  const reply = await putSchedules(engine, { puts: [change], owner });
  if (!reply.current) return "superseded";
  if (!reply.written.includes(name)) return undefined;
  const stored = { ...change.record, revision: (change.revision ?? 0) + 1 };
  return answer(stored, record === null ? "created" : "updated");
}

/**
 * Makes the put that registers a definition.
 *
 * @param record what is stored; null where nothing is
 * @param context `owner`: whose it becomes, null leaves it as it is; `now`: up to when the old timing is closed out
 * @returns null where it is stored already
 */
export async function planChange(
  engine: Engine,
  defined: DefinedSchedule,
  record: ScheduleRecord | null,
  { owner, now }: { owner: string | null; now: Instant },
): Promise<SchedulePut | null> {
  if (record === null) return put(engine, defined, blank(defined.name, owner, now), null, now);
  const kept = record.definition === defined.text ? defined : await keepStored(engine, defined, record);
  const owned = { ...record, owner: owner ?? record.owner };
  const stored = record.definition === kept.text && record.owner === owned.owner && record.state !== "broken";
  return stored ? null : put(engine, kept, owned, readStored(engine, record, now), now);
}

function put(
  engine: Engine,
  { name, definition, text }: DefinedSchedule,
  record: ScheduleRecord,
  stored: StoredSchedule | null,
  now: Instant,
): SchedulePut {
  const { fields, outcomes } = transition(stored, rulesOf(definition, record.createdAt, engine), now);
  const draft = stored === null || stored.read instanceof Error ? null : new FiringDraft(name, stored.read.definition);
  for (const outcome of outcomes) draft?.add(outcome, engine, now);
  return {
    revision: stored === null ? null : record.revision,
    record: {
      ...record,
      ...fields,
      definition: text,
      pauseAfterFailures: definition.pauseAfterFailures,
      // Only overlap `skip` needs to know at each tick whether a job is unfinished.
      watchesJobs: definition.overlap === "skip",
      updatedAt: now,
    },
    jobs: draft?.jobs ?? [],
    occurrences: draft?.occurrences(now) ?? [],
  };
}

/** A row that {@link put} fills in. */
function blank(name: string, owner: string | null, now: Instant): ScheduleRecord {
  return {
    name,
    definition: "",
    state: "active",
    nextAt: null,
    revision: 0,
    fired: 0,
    skips: 0,
    failures: 0,
    pauseAfterFailures: null,
    watchesJobs: false,
    lastAt: null,
    note: null,
    owner,
    createdAt: now,
    updatedAt: now,
  };
}

/** Reads a stored schedule; a broken one that can be read but not planned counts as unreadable, so it can be replaced. */
export function readStored(engine: Engine, record: ScheduleRecord, now: Instant): StoredSchedule {
  const read = readDefinition(record, engine);
  if (record.state !== "broken" || read instanceof Error) return { record, read };
  try {
    const planner = new Planner(read, { ...record, busy: false }, now);
    if (planner.due) planner.decide(1);
    return { record, read };
  } catch (error) {
    return { record, read: error instanceof Error ? error : new Error(String(error)) };
  }
}

/** How many jobs of missed occurrences the put that changes a schedule may carry; more are fired before. */
const MAX_CLOSED_OUT = 50;
/** What one batch may count of skipped occurrences. */
const MAX_STEPS = 500_000;

/**
 * Fires what the old timing of a schedule had missed, where that is too much for the put that changes it, or depends on
 * whether a job is unfinished.
 *
 * @returns the schedule as it is afterwards; undefined where somebody else moved it
 */
async function drain(
  engine: Engine,
  next: DefinedSchedule,
  record: ScheduleRecord,
  now: Instant,
): Promise<ScheduleRecord | undefined> {
  let current = record;
  for (;;) {
    const stored = readStored(engine, current, now);
    const { read } = stored;
    if (read instanceof Error || closeOutOf(stored, next, now) !== "decide") return current;
    const busy = read.overlap === "skip" && (await isBusy(engine, current.name));
    const planner = new Planner(read, { ...current, busy }, now);
    const draft = new FiringDraft(current.name, read.definition);
    while (planner.due && draft.jobs.length < MAX_CLOSED_OUT) draft.add(planner.decide(MAX_STEPS), engine, now);
    if (!planner.due && !planner.cancels && !busy) return current;
    const firing = draft.firing(current, planner, now);
    const request = { op: engine.ids.token(), now, lease: null, firings: [firing], resign: false };
    const reply = await timed(engine, () => engine.storage.fire(request));
    if (!reply.fired.includes(current.name)) return undefined;
    const { state, nextAt, fired, skips, lastAt } = firing;
    current = { ...current, revision: current.revision + 1, state, nextAt, fired, skips, lastAt };
  }
}

/**
 * Keeps what is stored where the new definition says the same in other words: another name of the same zone, so that two
 * hosts that spell it differently do not overwrite each other for ever, and the same input, since a codec that encrypts
 * never writes the same text twice.
 */
async function keepStored(engine: Engine, defined: DefinedSchedule, record: ScheduleRecord): Promise<DefinedSchedule> {
  const before = readDefinition(record, engine);
  if (before instanceof Error) return defined;
  const { timeZone, input } = before.definition;
  const zone = defined.definition.timeZone;
  const named = zone !== timeZone && isSameZone(zone, timeZone) ? defined.keeping({ timeZone }) : defined;
  if (input === defined.definition.input) return named;
  try {
    const stored = await decodePayload(engine.codec, input, `input of schedule "${defined.name}"`);
    return sameJson(stored, defined.input) ? named.keeping({ input }) : named;
  } catch {
    // Unreadable with this codec or key: then the new one is written.
    return named;
  }
}

function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, sorted) === JSON.stringify(b, sorted);
}

/** Writes the keys of every object in one order. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
