/**
 * How a schedule gets into the storage, changes there, and leaves it.
 *
 * Registering is safe at every start of every process: a definition that is stored already changes nothing, the next
 * occurrence least of all. A changed one is written in place. When its timing changed, what the old timing had missed is
 * decided by the old policy first, so nothing is lost or judged by rules it never had, and the new timing is planned from
 * now; when only other options changed, the next occurrence stays where it is.
 *
 * Everything is checked before anything is written; every write names the revision it was made from.
 */
import { decodePayload } from "../base/codec.ts";
import type { Engine } from "../engine/engine.ts";
import { timed } from "../engine/timed.ts";
import type { Instant, PutSchedulesRequest, SchedulePut, ScheduleRecord } from "../storage/port.ts";
import { type DefinedSchedule, defineSchedule, type ScheduleSpec } from "./define.ts";
import { type ReadSchedule, readDefinition, rulesOf, type ScheduleDefinition, sameTiming } from "./definition.ts";
import { FiringDraft } from "./firing.ts";
import { type ScheduleInfo, scheduleInfo } from "./info.ts";
import { type SchedulePatch, specOf } from "./patch.ts";
import { Planner, skipUntil } from "./planner.ts";
import { isBusy, needSchedule, putSchedules, readSchedule, untilWon } from "./store.ts";

/** What registering did. */
export interface Registered {
  /** The schedule's name. */
  readonly name: string;
  /** Whether it was new, was changed, or was stored already. */
  readonly status: "created" | "updated" | "unchanged";
  /** The next occurrence; null where there is none. */
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
  const answer = (stored: ScheduleRecord, status: Registered["status"]): Registered => ({
    name,
    status,
    nextAt: stored.nextAt,
    warnings: defined.warnings,
    schedule: scheduleInfo(stored, engine.temporal),
  });
  if (change === null) return answer(settled!, "unchanged");
  const reply = await putSchedules(engine, { puts: [change], owner });
  if (!reply.current) return "superseded";
  if (!reply.written.includes(name)) return undefined;
  const stored = { ...change.record, revision: (change.revision ?? 0) + 1 };
  return answer(stored, record === null ? "created" : "updated");
}

/**
 * Decides what registering writes.
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
  if (record === null) return creation(engine, defined, owner, now);
  const kept = record.definition === defined.text ? defined : await keepInput(engine, defined, record);
  const { definition, text } = kept;
  const owned = owner ?? record.owner;
  if (record.definition === text && record.owner === owned && record.state !== "broken") return null;
  const before = readDefinition(record, engine.temporal);
  const rules = rulesOf(definition, record.createdAt, engine.temporal);
  const change = closeOut(engine, record, before, definition, now);
  const same = !(before instanceof Error) && sameTiming(before.definition, definition);
  // One that could not be read keeps its place where the place fits: then what it missed is caught up.
  const stays = same || (before instanceof Error && record.nextAt !== null && rules.timing.has(record.nextAt));
  const lastAt = change.lastAt ?? record.lastAt;
  // Never back before what has its outcome, whatever this host's clock says: a run of skipped ones that began there would
  // find its place taken and go unrecorded.
  const after = Math.max(now, lastAt ?? now);
  let nextAt = stays && record.nextAt !== null ? record.nextAt : rules.timing.next(after);
  if (nextAt !== null && definition.endAt !== null && nextAt > definition.endAt) nextAt = null;
  const fired = record.fired + change.fired;
  if (definition.maxFires !== null && fired >= definition.maxFires) nextAt = null;
  const pausedBefore = !(before instanceof Error) && before.definition.paused;
  const paused = definition.paused === pausedBefore ? record.state === "paused" : definition.paused;
  return {
    revision: record.revision,
    record: {
      ...record,
      definition: text,
      state: paused ? "paused" : nextAt === null ? "ended" : "active",
      nextAt,
      fired,
      lastAt,
      failures: record.state === "paused" && !paused ? 0 : record.failures,
      pauseAfterFailures: definition.pauseAfterFailures,
      watchesJobs: watches(definition),
      note: paused ? record.note : null,
      owner: owned,
      updatedAt: now,
    },
    jobs: change.draft?.jobs ?? [],
    occurrences: change.draft?.occurrences(now) ?? [],
  };
}

function creation(engine: Engine, defined: DefinedSchedule, owner: string | null, now: Instant): SchedulePut {
  const { name, definition, text } = defined;
  const nextAt = rulesOf(definition, now, engine.temporal).timing.next(now);
  return {
    revision: null,
    record: {
      name,
      definition: text,
      state: definition.paused ? "paused" : nextAt === null ? "ended" : "active",
      nextAt,
      revision: 0,
      fired: 0,
      failures: 0,
      pauseAfterFailures: definition.pauseAfterFailures,
      watchesJobs: watches(definition),
      lastAt: null,
      note: null,
      owner,
      createdAt: now,
      updatedAt: now,
    },
    jobs: [],
    occurrences: [],
  };
}

/** Whether the planner needs to know if a job is unfinished. */
function watches({ overlap }: ScheduleDefinition): boolean {
  return overlap === "skip";
}

/** How many jobs of missed occurrences the put that changes a schedule may carry; more are fired before. */
const MAX_CLOSED_OUT = 50;
/** What one batch may count of skipped occurrences. */
const MAX_STEPS = 500_000;

interface CloseOut {
  draft: FiringDraft | null;
  fired: number;
  lastAt: Instant | null;
}

/** Whether the old timing has missed something that a new one must not inherit. */
export function needsCloseOut(
  record: ScheduleRecord,
  before: ReadSchedule | Error,
  definition: ScheduleDefinition,
  now: Instant,
): before is ReadSchedule {
  if (before instanceof Error || sameTiming(before.definition, definition)) return false;
  return record.nextAt !== null && record.nextAt <= now && (record.state === "active" || record.state === "paused");
}

/** Decides what the old timing had missed, by its own policy, up to `now`; what {@link drain} left fits into a put. */
function closeOut(
  engine: Engine,
  record: ScheduleRecord,
  before: ReadSchedule | Error,
  definition: ScheduleDefinition,
  now: Instant,
): CloseOut {
  if (!needsCloseOut(record, before, definition, now)) return { draft: null, fired: 0, lastAt: null };
  const draft = new FiringDraft(record.name, before.definition);
  if (record.state === "paused") {
    const lastAt = skipUntil(before, record.nextAt!, now, (outcome) => draft.add(outcome, engine, now));
    return { draft, fired: 0, lastAt };
  }
  const planner = new Planner(before, { ...record, busy: false }, now);
  while (planner.due) draft.add(planner.decide(MAX_STEPS), engine, now);
  return { draft, fired: planner.fired - record.fired, lastAt: planner.lastAt };
}

/**
 * Fires what the old timing of a schedule had missed, where that is too much for the put that changes it, or needs to
 * know of the jobs that run.
 *
 * @returns the schedule as it is afterwards; undefined where somebody else moved it
 */
async function drain(
  engine: Engine,
  { definition }: DefinedSchedule,
  record: ScheduleRecord,
  now: Instant,
): Promise<ScheduleRecord | undefined> {
  let current = record;
  for (;;) {
    const before = readDefinition(current, engine.temporal);
    if (current.state !== "active" || !needsCloseOut(current, before, definition, now)) return current;
    const busy = before.overlap === "skip" && (await isBusy(engine, current.name));
    const planner = new Planner(before, { ...current, busy }, now);
    const draft = new FiringDraft(current.name, before.definition);
    while (planner.due && draft.jobs.length < MAX_CLOSED_OUT) draft.add(planner.decide(MAX_STEPS), engine, now);
    if (!planner.due && !planner.cancels && !busy) return current;
    const firing = draft.firing(current, planner, now);
    const request = { op: engine.ids.token(), now, lease: null, firings: [firing], resign: false };
    const reply = await timed(engine, () => engine.storage.fire(request));
    if (!reply.fired.includes(current.name)) return undefined;
    const { state, nextAt, fired, lastAt } = firing;
    current = { ...current, revision: current.revision + 1, state, nextAt, fired, lastAt };
  }
}

/** Keeps the stored encoding of an input that is the same: a codec that encrypts never writes the same text twice. */
async function keepInput(engine: Engine, defined: DefinedSchedule, record: ScheduleRecord): Promise<DefinedSchedule> {
  const before = readDefinition(record, engine.temporal);
  if (before instanceof Error || before.definition.input === defined.definition.input) return defined;
  try {
    const stored = await decodePayload(engine.codec, before.definition.input, `input of schedule "${defined.name}"`);
    return sameJson(stored, defined.input) ? defined.keeping({ input: before.definition.input }) : defined;
  } catch {
    // Unreadable with this codec or key: then the new one is written.
    return defined;
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
