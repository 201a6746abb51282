/**
 * Do two storages mean the same? The same random calls to both, and every answer and every row compared.
 *
 * The memory storage is the model; the other is asked word for word the same, from a seed, so that a difference can be
 * played again. What the port leaves open (the order of steps, of ended children, of some lists of ids) is put in order
 * before it is compared; the time of servers is left out.
 */
import { type Checks, checkOptions, having, whole } from "../../base/options.ts";
import type { Storage, StoragePage } from "../../storage/port.ts";
import { difference } from "../conformance/assert.ts";
import { seededRandom } from "../random.ts";
import { type Call, type Method, World } from "./world.ts";

/** What {@link storageDifferential} needs. */
export interface DifferentialOptions {
  /** What is right: `memory()`. */
  model: Storage;
  /** What is compared with it; empty at first. */
  subject: Storage;
  /** Any integer: the same seed makes the same calls. */
  seed: number;
  /** How many calls. */
  operations: number;
  /**
   * Rows are compared after every so many calls, and at the end.
   *
   * @default 500
   */
  rowsEvery?: number;
}

const A_STORAGE = having(["beginTick", "claim", "save"], "a storage");
const CHECKS: Checks<DifferentialOptions> = {
  model: A_STORAGE,
  subject: A_STORAGE,
  seed: whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  operations: whole(1, Number.MAX_SAFE_INTEGER),
  rowsEvery: whole(1, Number.MAX_SAFE_INTEGER),
};

/** What was compared. */
export interface DifferentialReport {
  /** Calls by method, second deliveries included. */
  calls: Record<string, number>;
  /** How many of them were second deliveries. */
  again: number;
  /** Rows that were compared at the end. */
  rows: number;
}

/**
 * Applies the same random calls to two storages.
 *
 * @returns what was compared, when there was no difference
 * @throws Error at the first difference: the seed, the number of the call, the request and both answers
 *
 * @example
 * ```ts
 * import { memory } from "belfry/memory";
 * import { storageDifferential } from "belfry/conformance";
 *
 * await storageDifferential({ model: memory(), subject: memory(), seed: 1, operations: 200 });
 * ```
 */
export async function storageDifferential(options: DifferentialOptions): Promise<DifferentialReport> {
  checkOptions(options, "storageDifferential", CHECKS);
  const { model, subject, seed, operations, rowsEvery = 500 } = options;
  const world = new World(seededRandom(seed));
  const report: DifferentialReport = { calls: {}, again: 0, rows: 0 };
  await model.migrate({ now: world.now });
  await subject.migrate({ now: world.now });
  for (let i = 1; i <= operations; i++) {
    const call = world.next();
    report.calls[call.method] = (report.calls[call.method] ?? 0) + 1;
    if (call.again) report.again++;
    const [right, is] = [await send(model, call), await send(subject, call)];
    const [expected, actual] = [inOrder(call, right), inOrder(call, is)];
    const path = difference(actual, expected, "reply");
    if (path !== null) throw new Error(complain(options, i, call, path, actual, expected));
    world.learn(call, right);
    if (i % rowsEvery === 0 || i === operations) report.rows = await compareRows(options, i, call);
  }
  return report;
}

/** Makes a call. */
export function send(storage: Storage, { method, request }: Call): Promise<unknown> {
  // The methods take what the world made for them; each gets a copy of its own.
  const ask = storage[method] as unknown as (request: unknown) => Promise<unknown>;
  return ask.call(storage, structuredClone(request));
}

type Fields = Record<string, unknown>;

/** Lists whose order the port leaves open. */
const UNORDERED: Partial<Record<Method, string[]>> = {
  fire: ["fired", "jobs"],
  putSchedules: ["written", "removed"],
  renew: ["kept"],
  save: ["saved"],
};

/** A reply with what the port leaves open put in order. */
export function inOrder({ method, again }: Call, reply: unknown): unknown {
  if (reply === null || typeof reply !== "object") return reply;
  if (method === "cancel" || method === "retry") return [...(reply as string[])].sort();
  if (method === "getJob") return history(reply as Fields);
  if (Array.isArray(reply)) return reply;
  const { time: _, ...fields } = reply as Fields;
  for (const field of UNORDERED[method] ?? []) fields[field] = sorted(fields[field] as unknown[]);
  if (method === "claim") return claimInOrder(fields, again);
  if (fields["claimed"]) fields["claimed"] = claimInOrder(fields["claimed"] as Fields, again);
  return fields;
}

function claimInOrder(reply: Fields, again: boolean): Fields {
  const jobs = (reply["jobs"] as Fields[]).map(history);
  // A second delivery finds the jobs, but not the order of the turns.
  return { ...reply, jobs: again ? sorted(jobs) : jobs };
}

function history(job: Fields): Fields {
  return { ...job, steps: sorted(job["steps"] as unknown[]), children: sorted(job["children"] as unknown[]) };
}

function sorted(items: unknown[]): unknown[] {
  const key = (item: unknown): string =>
    typeof item === "string" ? item : String((item as Fields)["id"] ?? (item as Fields)["name"]);
  return [...items].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Counters that may be forgotten when nothing needs them: their effects are compared by what is claimed. */
const OPEN_TABLES = new Set(["limits", "starts"]);

async function rowsOf(storage: Storage): Promise<Map<string, Fields>> {
  const rows = new Map<string, Fields>();
  let cursor: string | null = null;
  do {
    const reply: { page: StoragePage; cursor: string | null } = await storage.exportPage({ cursor, limit: 1000 });
    for (const row of reply.page.rows) {
      if (!OPEN_TABLES.has(reply.page.table)) rows.set(keyOf(reply.page.table, row), row);
    }
    cursor = reply.cursor;
  } while (cursor !== null);
  return rows;
}

function keyOf(table: string, row: Fields): string {
  const key = ["job_id", "schedule", "id", "owner", "name", "at", "key"].filter((column) =>
    KEYS[table]?.includes(column),
  );
  return [table, ...key.map((column) => row[column])].join(" | ");
}

const KEYS: Readonly<Record<string, string[]>> = {
  lease: [],
  owners: ["owner"],
  schedules: ["name"],
  occurrences: ["schedule", "at"],
  jobs: ["id"],
  steps: ["job_id", "name"],
  signals: ["job_id", "name", "key"],
  queues: ["name"],
};

async function compareRows(options: DifferentialOptions, i: number, call: Call): Promise<number> {
  const [expected, actual] = [await rowsOf(options.model), await rowsOf(options.subject)];
  for (const key of new Set([...expected.keys(), ...actual.keys()])) {
    const path = difference(actual.get(key), expected.get(key), key);
    if (path !== null) throw new Error(complain(options, i, call, `row ${path}`, actual.get(key), expected.get(key)));
  }
  return expected.size;
}

function complain(
  options: DifferentialOptions,
  i: number,
  call: Call,
  path: string,
  actual: unknown,
  expected: unknown,
): string {
  const { seed, model, subject } = options;
  return [
    `${subject.name} differs from ${model.name} at ${path}`,
    `  seed ${seed}, call ${i}: ${call.again ? "again " : ""}${call.method}(${JSON.stringify(call.request)})`,
    `  ${subject.name}: ${JSON.stringify(actual)}`,
    `  ${model.name}: ${JSON.stringify(expected)}`,
  ].join("\n");
}
