/**
 * How are the stored schedules of one owner made equal to a list in code, while old and new versions of the program run
 * side by side?
 *
 * The generation (a deploy's number, or its time) is claimed first, in a write of its own: from then on every batch of an
 * older generation is refused whole, so what is read afterwards is changed by no older program, and an old pod can
 * neither bring back what the new list dropped nor remove what it added. Only then is the owner's set read, page by
 * page, and compared; only what differs is written, each from the revision that was read. Schedules of another owner are
 * reported as conflicts and never touched; one without owner is adopted.
 */

import { BelfryError } from "../base/error.ts";
import { checkName } from "../base/names.ts";
import { type Checks, checkOptions, flag, nameOf, unfit, whole } from "../base/options.ts";
import type { Engine } from "../engine/engine.ts";
import type { SchedulePut, ScheduleRecord } from "../storage/port.ts";
import { DefinedSchedule, defineNow, defineSchedule, type ScheduleSpec } from "./define.ts";
import { planChange, readStored, settleAndRegister } from "./register.ts";
import { putSchedules, readSchedule, untilWon } from "./store.ts";
import { closeOutOf } from "./transition.ts";

/** Options of {@link syncSchedules}. */
export interface SyncOptions {
  /** Whose schedules the list declares: a program or a team. */
  readonly owner: string;
  /** Grows with every version of the list: an older one writes nothing any more. @default 0 */
  readonly generation?: number;
  /** Removes what this owner declared before and the list has no more. @default true */
  readonly prune?: boolean;
  /** Only tells what it would do. @default false */
  readonly dryRun?: boolean;
}

const SYNC_CHECKS: Checks<SyncOptions> = {
  owner: nameOf("owner"),
  generation: whole(0, Number.MAX_SAFE_INTEGER),
  prune: flag,
  dryRun: flag,
};

/** What a sync did (or would do). */
export interface SyncReport {
  /** False when a later generation was here first: nothing more was written. */
  current: boolean;
  /** Names that were new. */
  created: string[];
  /** Names that were changed, or adopted. */
  updated: string[];
  /** Names that the list has no more. */
  removed: string[];
  /** How many were stored already. */
  unchanged: number;
  /** Names that another owner declared; they were left alone. */
  conflicts: { name: string; owner: string }[];
  /** What may surprise about the ones that were written. */
  warnings: { name: string; warnings: string[] }[];
}

/**
 * Makes an owner's schedules equal to a list.
 *
 * @throws what `defineSchedule` throws, before anything is written; `OPTION_INVALID` where a name comes twice
 */
export async function syncSchedules(
  engine: Engine,
  list: readonly ScheduleSpec[],
  options: SyncOptions,
): Promise<SyncReport> {
  if (!Array.isArray(list)) throw unfit(list, "the list", "sync", "a list of schedules");
  checkOptions(options, "sync", SYNC_CHECKS);
  const owner = checkName(options.owner, "owner");
  const { generation = 0, prune = true, dryRun = false } = options;
  const wanted = await defineAll(engine, list);
  const sync = new Sync(engine, { owner, generation }, dryRun);
  await engine.open();
  if (!(await sync.claim())) return sync.report;
  await sync.compareOwned(wanted, prune);
  await sync.compareOthers(wanted);
  await sync.flush();
  await sync.again();
  return sync.report;
}

/**
 * What the list wants: of each schedule its text alone, since most of it is stored already; the rest is defined again.
 *
 * Columns instead of objects: with a hundred thousand of them, clearing away is most of the work.
 */
interface Wanted {
  readonly specs: readonly ScheduleSpec[];
  readonly texts: string[];
  /** By name. */
  readonly places: Map<string, number>;
  /** 1 where the owner has it already. */
  readonly owned: Uint8Array;
}

async function defineAll(engine: Engine, specs: readonly ScheduleSpec[]): Promise<Wanted> {
  const texts: string[] = [];
  const places = new Map<string, number>();
  for (const [i, spec] of specs.entries()) {
    checkEntry(spec, i);
    const defining = defineNow(engine, spec);
    const { name, text } = defining instanceof DefinedSchedule ? defining : await defining;
    if (places.has(name)) {
      throw new BelfryError("OPTION_INVALID", `Cannot sync: the list names schedule ${JSON.stringify(name)} twice`);
    }
    places.set(name, i);
    texts.push(text);
  }
  return { specs, texts, places, owned: new Uint8Array(specs.length) };
}

/** Refuses an entry that cannot be named in its own errors. */
function checkEntry(spec: ScheduleSpec, i: number): void {
  const where = `Cannot sync: entry ${i} of the list`;
  if (typeof spec !== "object" || spec === null) {
    throw new BelfryError(
      "OPTION_INVALID",
      `${where} is ${String(spec)}; it must be { name, expression, task, options }`,
    );
  }
  try {
    checkName(spec.name, "schedule");
  } catch (error) {
    throw error instanceof BelfryError
      ? new BelfryError(error.code, `${where}: ${error.message}`, { cause: error })
      : error;
  }
}

function unmark(owned: Uint8Array, i: number | undefined): void {
  if (i !== undefined) owned[i] = 0;
}

class Sync {
  readonly report: SyncReport = {
    current: true,
    created: [],
    updated: [],
    removed: [],
    unchanged: 0,
    conflicts: [],
    warnings: [],
  };
  readonly #engine: Engine;
  readonly #owner: { owner: string; generation: number };
  readonly #dryRun: boolean;
  #puts: SchedulePut[] = [];
  #removes: { name: string; revision: number }[] = [];
  #bytes = 0;
  /** Names whose race was lost, or that need more than one put. */
  readonly #again = new Map<string, ScheduleSpec | null>();
  readonly #sent = new Map<string, ScheduleSpec | null>();

  constructor(engine: Engine, owner: { owner: string; generation: number }, dryRun: boolean) {
    this.#engine = engine;
    this.#owner = owner;
    this.#dryRun = dryRun;
  }

  /** Claims the generation. @returns false where a later one is here already */
  async claim(): Promise<boolean> {
    if (!this.#dryRun) await this.#put([], []);
    return this.report.current;
  }

  /** Compares what the owner has with what it wants; marks what it finds in `wanted`. */
  async compareOwned({ specs, texts, places, owned }: Wanted, prune: boolean): Promise<void> {
    const { storage } = this.#engine;
    const { owner } = this.#owner;
    const limit = storage.capabilities.maxBatchRows;
    for (let after: string | undefined; this.report.current; ) {
      const request = { owner, limit, ...(after === undefined ? {} : { after }) };
      const page = await (storage.listDefinitions?.(request) ?? storage.listSchedules(request));
      const differing: string[] = [];
      for (const { name, definition, state } of page) {
        const i = places.get(name);
        if (i !== undefined) owned[i] = 1;
        // The common case first: nothing to do, for a hundred thousand in a row.
        if (i !== undefined && definition === texts[i] && state !== "broken") this.report.unchanged++;
        else if (i !== undefined || prune) differing.push(name);
      }
      const records = await this.#readAll(differing);
      // What was removed in between is looked for again among all names.
      if (records.length < differing.length) for (const name of differing) unmark(owned, places.get(name));
      for (const record of records) {
        const i = places.get(record.name);
        if (i !== undefined) owned[i] = 1;
        if (i !== undefined) await this.#compare(specs[i]!, record);
        else if (record.owner === owner) await this.#remove(record);
      }
      if (page.length < limit) return;
      after = page.at(-1)!.name;
    }
  }

  /** Reads schedules by name; one that is gone meanwhile is missing. */
  async #readAll(names: readonly string[]): Promise<ScheduleRecord[]> {
    if (names.length === 0) return [];
    return await this.#engine.storage.listSchedules({ names: [...names], limit: names.length });
  }

  /** Compares what is wanted with what others, or nobody, have under its name. */
  async compareOthers({ specs, places, owned }: Wanted): Promise<void> {
    const { storage } = this.#engine;
    const names: string[] = [];
    for (const [name, i] of places) if (owned[i] === 0) names.push(name);
    const size = storage.capabilities.maxBatchRows;
    for (let i = 0; i < names.length && this.report.current; i += size) {
      const chunk = names.slice(i, i + size);
      const records = new Map((await this.#readAll(chunk)).map((record) => [record.name, record]));
      for (const name of chunk) await this.#compare(specs[places.get(name)!]!, records.get(name) ?? null);
    }
  }

  /** Sends what has gathered. */
  async flush(): Promise<void> {
    if (this.#puts.length + this.#removes.length === 0) return;
    const [puts, removes] = [this.#puts, this.#removes];
    this.#puts = [];
    this.#removes = [];
    this.#bytes = 0;
    if (this.#dryRun) {
      for (const { record, revision } of puts) this.report[revision === null ? "created" : "updated"].push(record.name);
      this.report.removed.push(...removes.map(({ name }) => name));
      return;
    }
    await this.#put(puts, removes);
  }

  /** Does one by one, until it wins, what lost its race or needs more than one put. */
  async again(): Promise<void> {
    for (const [name, want] of this.#again) {
      if (!this.report.current) return;
      if (this.#dryRun) {
        this.report.updated.push(name);
        continue;
      }
      await untilWon(`schedule ${JSON.stringify(name)}`, async () => {
        const record = await readSchedule(this.#engine, name);
        if (want === null) return record === null || (await this.#removeOne(record));
        if (this.#conflicts(record)) return true;
        const defined = await this.#define(want, record);
        const result = await settleAndRegister(this.#engine, defined, record, this.#owner);
        if (result === undefined) return undefined;
        if (result === "superseded") this.report.current = false;
        else if (result.status === "unchanged") this.report.unchanged++;
        else this.report[result.status].push(name);
        return true;
      });
    }
  }

  async #removeOne(record: ScheduleRecord): Promise<true | undefined> {
    if (record.owner !== this.#owner.owner) return true;
    const { name, revision } = record;
    const reply = await putSchedules(this.#engine, { puts: [], removes: [{ name, revision }], owner: this.#owner });
    this.report.current &&= reply.current;
    if (reply.removed.length > 0) this.report.removed.push(name);
    return reply.removed.length > 0 || !reply.current || undefined;
  }

  #conflicts(record: ScheduleRecord | null): boolean {
    if (record === null || record.owner === null || record.owner === this.#owner.owner) return false;
    this.report.conflicts.push({ name: record.name, owner: record.owner });
    return true;
  }

  async #compare(spec: ScheduleSpec, record: ScheduleRecord | null): Promise<void> {
    if (this.#conflicts(record)) return;
    const { owner } = this.#owner;
    const defined = await this.#define(spec, record);
    const now = this.#engine.clock.now();
    if (record !== null && closeOutOf(readStored(this.#engine, record, now), defined, now) !== "nothing") {
      this.#again.set(record.name, spec);
      return;
    }
    const put = await planChange(this.#engine, defined, record, { owner, now });
    if (put === null) {
      this.report.unchanged++;
      return;
    }
    const warnings = defined.warnings(put.record);
    if (warnings.length > 0) this.report.warnings.push({ name: defined.name, warnings });
    this.#sent.set(defined.name, spec);
    this.#puts.push(put);
    this.#bytes += put.record.definition.length + 400;
    await this.#flushFull();
  }

  /** Defines again what is to be written; where the schedule is there already, from its own anchor. */
  #define(spec: ScheduleSpec, record: ScheduleRecord | null): Promise<DefinedSchedule> {
    return defineSchedule(this.#engine, record === null ? spec : { ...spec, createdAt: record.createdAt });
  }

  async #remove({ name, revision }: ScheduleRecord): Promise<void> {
    this.#sent.set(name, null);
    this.#removes.push({ name, revision });
    await this.#flushFull();
  }

  async #flushFull(): Promise<void> {
    const { maxBatchRows, maxBatchBytes } = this.#engine.storage.capabilities;
    if (this.#puts.length + this.#removes.length >= maxBatchRows || this.#bytes >= maxBatchBytes) await this.flush();
  }

  async #put(puts: SchedulePut[], removes: { name: string; revision: number }[]): Promise<void> {
    if (!this.report.current) return;
    const reply = await putSchedules(this.#engine, { puts, removes, owner: this.#owner });
    if (!reply.current) {
      this.report.current = false;
      return;
    }
    const written = new Set(reply.written);
    for (const { record, revision } of puts) {
      if (written.has(record.name)) this.report[revision === null ? "created" : "updated"].push(record.name);
      else this.#again.set(record.name, this.#sent.get(record.name) ?? null);
    }
    const removed = new Set(reply.removed);
    for (const { name } of removes) {
      if (removed.has(name)) this.report.removed.push(name);
      else this.#again.set(name, null);
    }
    for (const { record } of puts) this.#sent.delete(record.name);
    for (const { name } of removes) this.#sent.delete(name);
  }
}
