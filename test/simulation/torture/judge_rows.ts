/**
 * Are the stored rows consistent? Checks every promise that rows can show, on all rows of all tables, after all work ended.
 *
 * Rows are read as a copy reads them (`exportPage`), so that rows which the engine does not list are checked, too. The
 * schedules are those that the torture test registered: each has a known period, so that its log of outcomes can be walked
 * from the first instant to the last without a planner.
 */
import type { Storage } from "../../../src/storage/port.ts";
import { judgeResult, type Op } from "../simulator/script.ts";

/** A stored row. */
export type Row = Record<string, string | number | null>;

/** Rows by table. */
export type Rows = Record<string, Row[]>;

/** A schedule of the torture test. */
export interface KnownSchedule {
  everyMs: number;
  /** It may skip occurrences (overlap, catch-up), and must record that. */
  skips: boolean;
  /** Its instants are counted from its registration (`@every`), not from the epoch. */
  anchored: boolean;
}

/** What the storage acknowledged to clients. */
export interface Acknowledged {
  /** Ids of jobs that were enqueued. */
  jobs: Iterable<string>;
  /** The id that each key was answered with. */
  keys: ReadonlyMap<string, string>;
  /** Ids that `cancel()` returned. */
  cancelled: Iterable<string>;
  /** Signals that were accepted: job and name. */
  signals: Iterable<readonly [job: string, name: string, key: string]>;
}

const FINISHED = new Set(["completed", "failed", "cancelled", "expired"]);

/** Reads all rows of a storage. */
export async function readRows(storage: Storage): Promise<Rows> {
  const rows: Rows = {};
  let cursor: string | null = null;
  do {
    const reply: Awaited<ReturnType<Storage["exportPage"]>> = await storage.exportPage({ cursor, limit: 1000 });
    rows[reply.page.table] = [...(rows[reply.page.table] ?? []), ...reply.page.rows];
    cursor = reply.cursor;
  } while (cursor !== null);
  return rows;
}

/** Checks all rows. @returns violations */
export function judgeRows(
  rows: Rows,
  schedules: Readonly<Record<string, KnownSchedule>>,
  clients: Acknowledged,
): string[] {
  const jobs = new Map((rows["jobs"] ?? []).map((row) => [String(row["id"]), row]));
  const steps = new Map<string, Row[]>();
  for (const row of rows["steps"] ?? []) {
    const id = String(row["job_id"]);
    steps.set(id, [...(steps.get(id) ?? []), row]);
  }
  return [
    ...[...jobs.values()].flatMap((job) => judgeJob(job, steps.get(String(job["id"])) ?? [], jobs)),
    ...orphans(rows, jobs),
    ...judgeSignals(rows["signals"] ?? [], steps),
    ...Object.entries(schedules).flatMap(([name, known]) => judgeSchedule(name, known, rows, jobs)),
    ...judgePromises(clients, jobs, rows["signals"] ?? []),
  ];
}

/** Checks that a job has ended, with a result, history, children and claim that fit. */
function judgeJob(job: Row, steps: readonly Row[], jobs: ReadonlyMap<string, Row>): string[] {
  const violations: string[] = [];
  const id = String(job["id"]);
  const fail = (what: string): void => void violations.push(`job ${id} (${job["state"]}): ${what}`);
  const { state } = job;
  if (!FINISHED.has(String(state))) fail("is not over");
  if (job["finished_at"] === null) fail("ended at no time");
  if (job["claim_token"] !== null) fail("is still claimed");
  if ((job["result"] !== null) !== (state === "completed")) fail("its result does not fit its state");
  if (Number(job["claims"]) < Number(job["attempt"])) fail(`has ${job["attempt"]} attempts of ${job["claims"]} claims`);
  if (state === "completed") {
    if (Number(job["claims"]) < 1) fail("was never claimed");
    const fault = judgeResult(id, JSON.parse(String(job["input"])) as Op[], JSON.parse(String(job["result"])));
    if (fault !== null) fail(fault);
  }
  const places = steps.map((step) => step["seq"]).filter((seq) => seq !== null);
  if (new Set(places).size < places.length) fail("has two steps in one place of its history");
  for (const step of steps) {
    const over = step["state"] !== "pending";
    if (over !== (step["seq"] !== null)) fail(`step "${step["name"]}" is ${step["state"]} at place ${step["seq"]}`);
    if (!over && state === "completed") fail(`step "${step["name"]}" is not over`);
    if (step["kind"] === "invoke") judgeChild(step, jobs.get(String(step["child_id"])), fail);
    if (step["kind"] === "spawn" && step["state"] === "done" && !jobs.has(String(step["child_id"])))
      fail(`spawned ${step["child_id"]}, which is not stored`);
  }
  return violations;
}

/** Checks that a parent's record of its child's ending is how the child ended. */
function judgeChild(step: Row, child: Row | undefined, fail: (what: string) => void): void {
  if (!child) {
    fail(`invoked ${step["child_id"]}, which is not stored`);
    return;
  }
  if (child["parent_id"] !== step["job_id"])
    fail(`its child ${step["child_id"]} is the child of ${child["parent_id"]}`);
  if (step["state"] === "done") {
    if (child["state"] !== "completed")
      fail(`took its child ${step["child_id"]} for completed; it is ${child["state"]}`);
    else if (step["output"] !== child["result"])
      fail(`was told another result than that of its child ${step["child_id"]}`);
  } else if (step["state"] === "failed" && child["state"] === "completed") {
    fail(`took its child ${step["child_id"]} for failed; it is completed`);
  }
}

/** Finds rows that belong to no job, missing parents, and keys with two jobs. */
function orphans(rows: Rows, jobs: ReadonlyMap<string, Row>): string[] {
  const violations: string[] = [];
  for (const table of ["steps", "signals"]) {
    for (const row of rows[table] ?? []) {
      if (!jobs.has(String(row["job_id"])))
        violations.push(`an orphan in ${table}: "${row["name"]}" of ${row["job_id"]}`);
    }
  }
  const keys = new Map<string, unknown>();
  for (const { id, parent_id, task, key } of jobs.values() as Iterable<Row & { id: string }>) {
    if (parent_id != null && !jobs.has(String(parent_id))) violations.push(`job ${id} has no parent ${parent_id}`);
    if (key == null) continue;
    const other = keys.get(`${task} ${key}`);
    if (other !== undefined) violations.push(`key ${key} has two jobs: ${other} and ${id}`);
    keys.set(`${task} ${key}`, id);
  }
  return violations;
}

/** Checks that a signal is taken by one wait at most, and that each wait took a stored signal. */
function judgeSignals(signals: readonly Row[], steps: ReadonlyMap<string, readonly Row[]>): string[] {
  const violations: string[] = [];
  const sent = new Map(signals.map((row) => [`${row["job_id"]} ${row["name"]} ${row["key"]}`, row["payload"]]));
  const taken = new Set<string>();
  for (const [id, history] of steps) {
    for (const step of history) {
      if (step["kind"] !== "wait" || step["state"] !== "done" || step["signal_key"] === null) continue;
      const name = String(step["name"]).replace(/#\d+$/, "");
      const signal = `${id} ${name} ${step["signal_key"]}`;
      if (!sent.has(signal)) violations.push(`a wait took the signal ${signal}, which is not stored`);
      else if (sent.get(signal) !== step["output"]) violations.push(`a wait took another value than that of ${signal}`);
      if (taken.has(signal)) violations.push(`two waits took the signal ${signal}`);
      taken.add(signal);
    }
  }
  return violations;
}

/** Checks that the log of outcomes has no gap from the schedule's first instant to its last, and that each fired one has its job. */
function judgeSchedule(
  name: string,
  { everyMs, skips, anchored }: KnownSchedule,
  rows: Rows,
  jobs: ReadonlyMap<string, Row>,
): string[] {
  const violations: string[] = [];
  const fail = (what: string): void => void violations.push(`schedule ${name}: ${what}`);
  const [schedule, ...more] = (rows["schedules"] ?? []).filter((row) => row["name"] === name);
  if (!schedule || more.length > 0) return [`schedule ${name} is stored ${schedule ? "twice" : "nowhere"}`];
  const outcomes = (rows["occurrences"] ?? [])
    .filter((row) => row["schedule"] === name)
    .sort((a, b) => Number(a["at"]) - Number(b["at"]));
  const createdAt = Number(schedule["created_at"]);
  const anchor = anchored ? createdAt : 0;
  // The first instant after the registration.
  let next = anchor + (Math.floor((createdAt - anchor) / everyMs) + 1) * everyMs;
  let fired = 0;
  const withOutcome = new Set<string>();
  for (const { at, until_at, count, job_id, reason } of outcomes) {
    if (Number(at) !== next) fail(`has an outcome at ${at}, where ${next} comes next`);
    if (Number(until_at) !== Number(at) + (Number(count) - 1) * everyMs)
      fail(`${count} outcomes from ${at} to ${until_at}`);
    next = Number(until_at) + everyMs;
    if ((job_id === null) === (reason === null)) fail(`the outcome at ${at} is neither fired nor skipped`);
    if (reason !== null && !skips) fail(`left out ${count} at ${at}: ${reason}`);
    if (job_id === null) continue;
    fired++;
    withOutcome.add(String(job_id));
    const job = jobs.get(String(job_id));
    if (Number(count) !== 1) fail(`fired ${count} at ${at} as one`);
    if (!job) fail(`the job ${job_id} of ${at} is not stored`);
    else if (job["schedule"] !== name || Number(job["scheduled_at"]) !== Number(at))
      fail(`${job_id} is no job of ${at}`);
  }
  if (fired === 0) fail("never fired");
  if (Number(schedule["next_at"]) !== next) fail(`stands at ${schedule["next_at"]}; its log ends before ${next}`);
  if (Number(schedule["last_at"]) !== next - everyMs) fail(`says that ${schedule["last_at"]} was its last`);
  if (Number(schedule["fired"]) !== fired) fail(`says that it fired ${schedule["fired"]} times; its log has ${fired}`);
  for (const job of jobs.values()) {
    if (job["schedule"] === name && !withOutcome.has(String(job["id"])))
      fail(`the job ${job["id"]} of ${job["scheduled_at"]} has no outcome`);
  }
  return violations;
}

/** What clients were promised is so. */
function judgePromises(clients: Acknowledged, jobs: ReadonlyMap<string, Row>, signals: readonly Row[]): string[] {
  const violations: string[] = [];
  for (const id of clients.jobs) if (!jobs.has(id)) violations.push(`job ${id} was acknowledged and is not stored`);
  for (const [key, id] of clients.keys) {
    if (jobs.get(id)?.["key"] !== key) violations.push(`key ${key} was answered with ${id}, which has another`);
  }
  for (const id of clients.cancelled) {
    const state = jobs.get(id)?.["state"];
    if (state !== "cancelled") violations.push(`job ${id} was cancelled and is ${state}`);
  }
  const stored = new Set(signals.map((row) => `${row["job_id"]} ${row["name"]} ${row["key"]}`));
  for (const [job, name, key] of clients.signals) {
    if (!stored.has(`${job} ${name} ${key}`))
      violations.push(`signal "${name}" to ${job} was accepted and is not stored`);
  }
  return violations;
}
