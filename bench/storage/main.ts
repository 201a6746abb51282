/**
 * How fast is Belfry on a SQLite file, against the same rows written raw by the same client in the same run?
 *
 * Three ratios at synchronous FULL: firing 10,000 due schedules (time, at most 2x raw), enqueueing in batches of 100 and
 * claiming and settling in batches of 100 (throughput, at least 0.5x and 0.4x raw). Raw writes the same rows into the same
 * tables as a program without Belfry would: prepared statements, one transaction per batch, the key and one index to
 * find work, no history, limits, wake-ups or expiry to look after. Each variant runs in a fresh process, the order alternates,
 * medians count. Beside the time stands the ratio of CPU time of the thread, which neighbours on the machine change less.
 *
 *     npm run bench -- storage [rounds]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { sqlite } from "../../adapters/sqlite.ts";
import { TABLES } from "../../src/sql/schema.ts";
import type { NewJob, ScheduleRecord } from "../../src/storage/port.ts";

const SCHEDULES = 10_000;
const CHUNK = 1000;
const JOBS = 20_000;
const BATCH = 100;
const NOW = 1_800_000_000_000;
const INPUT = JSON.stringify({ userId: 123, name: "report", parts: ["list", "read", "write"] });
const OPTIONS = JSON.stringify({ retry: { attempts: 3 }, timeoutMs: 60_000 });

function job(i: number, schedule: string | null): NewJob {
  return {
    id: `01890000-0000-7000-8000-${String(i).padStart(12, "0")}`,
    task: "report",
    queue: "default",
    priority: 0,
    availableAt: NOW,
    expiresAt: null,
    key: null,
    input: INPUT,
    options: OPTIONS,
    schedule,
    scheduledAt: schedule === null ? null : NOW,
    parentId: null,
    limit: null,
  };
}

function schedule(i: number): ScheduleRecord {
  return {
    name: `schedule-${i}`,
    definition: JSON.stringify({ expression: "0 9 * * *", task: "report", input: INPUT }),
    state: "active",
    nextAt: NOW,
    revision: 1,
    fired: 0,
    skips: 0,
    failures: 0,
    pauseAfterFailures: null,
    watchesJobs: false,
    lastAt: null,
    note: null,
    owner: null,
    createdAt: 0,
    updatedAt: 0,
  };
}

/** What a round measured, in ms: time, and CPU time of the thread. */
interface Times {
  fire: Spent;
  enqueue: Spent;
  settle: Spent;
}

interface Spent {
  wall: number;
  cpu: number;
}

/** Starts a watch. @returns what was spent since */
function watch(): () => Spent {
  const now = (): Spent => {
    const { user, system } = process.threadCpuUsage();
    return { wall: performance.now(), cpu: (user + system) / 1000 };
  };
  const start = now();
  return () => {
    const end = now();
    return { wall: end.wall - start.wall, cpu: end.cpu - start.cpu };
  };
}

async function belfry(path: string): Promise<Times> {
  const storage = sqlite(path);
  await storage.migrate({ now: NOW });
  for (let i = 0; i < SCHEDULES; i += CHUNK) {
    const puts = Array.from({ length: CHUNK }, (_, j) => ({
      revision: null,
      record: schedule(i + j),
      jobs: [],
      occurrences: [],
    }));
    await storage.putSchedules({ op: `put${i}`, now: NOW, puts, removes: [], owner: null });
  }
  let spent = watch();
  let token: number | null = null;
  for (let n = 0; ; ) {
    const tick = await storage.beginTick({
      holder: "a",
      token,
      now: NOW,
      ttlMs: 15_000,
      maxDue: CHUNK,
      resignIfIdle: false,
    });
    token = tick.lease!.token;
    if (tick.due.length === 0) break;
    const firings = tick.due.map((due) => {
      const fired = job(n++, due.name);
      return {
        name: due.name,
        revision: due.revision,
        state: due.state,
        nextAt: NOW + 86_400_000,
        fired: 1,
        skips: 0,
        lastAt: NOW,
        note: null,
        cancelUnfinished: false,
        jobs: [fired],
        occurrences: [
          { schedule: due.name, at: NOW, untilAt: NOW, count: 1, jobId: fired.id, reason: null, recordedAt: NOW },
        ],
      };
    });
    await storage.fire({ op: `fire${n}`, now: NOW, lease: { holder: "a", token }, firings, resign: false });
  }
  const fire = spent();
  await storage.close();

  const other = sqlite(`${path}.2`);
  await other.migrate({ now: NOW });
  spent = watch();
  for (let i = 0; i < JOBS; i += BATCH) {
    const jobs = Array.from({ length: BATCH }, (_, j) => job(i + j, null));
    await other.enqueue({ op: `e${i}`, now: NOW, jobs });
  }
  const enqueue = spent();
  spent = watch();
  for (let i = 0; ; i++) {
    const { jobs } = await other.claim({
      token: `token-${i}`,
      worker: "w",
      queues: ["default"],
      tasks: ["report"],
      limit: BATCH,
      now: NOW,
      claimMs: 30_000,
    });
    if (jobs.length === 0) break;
    const writes = jobs.map(({ id }) => ({
      id,
      token: `token-${i}`,
      steps: [],
      forget: [],
      children: [],
      transition: { to: "completed" as const, result: "42" },
    }));
    await other.save({ op: `s${i}`, now: NOW, claimMs: 30_000, writes });
  }
  const settle = spent();
  await other.close();
  return { fire, enqueue, settle };
}

/** A table of Belfry's schema with its key, and none of its other indexes. */
function table(name: string): string {
  const { columns, key, clustered } = TABLES.find((candidate) => candidate.name === name)!;
  const defined = columns.map((column) => column.replace("!", " NOT NULL").replace(" int", " INTEGER"));
  return `CREATE TABLE ${name} (${defined.join(", ")}, PRIMARY KEY (${key.join(", ")})) STRICT${clustered ? ", WITHOUT ROWID" : ""};`;
}

const RAW_JOBS = `${table("jobs")}
  CREATE INDEX jobs_ready ON jobs (queue, priority DESC, available_at) WHERE state = 'ready';`;
const RAW_SCHEDULES = `${table("schedules")} ${table("occurrences")}
  CREATE INDEX schedules_next ON schedules (next_at) WHERE state = 'active';`;

function open(path: string, schema: string): DatabaseSync {
  const db = new DatabaseSync(path);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
  db.exec(schema);
  return db;
}

/** Inserts jobs with all that Belfry stores of them. */
function inserter(db: DatabaseSync): (job: NewJob, op: string) => void {
  const insert = db.prepare(`INSERT INTO jobs (id, task, queue, priority, available_at, expires_at, key, input, options,
    schedule, scheduled_at, parent_id, tied, held, due, alarm_at, state, resuming, attempt, claims, arrivals, created_at, inserted_by)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, NULL, 'ready', 0, 0, 0, 0, ?, ?)`);
  return (j, op) => {
    const tied = j.schedule === null ? 0 : 1;
    insert.run(
      ...[j.id, j.task, j.queue, j.priority, j.availableAt, j.expiresAt, j.key, j.input, j.options, j.schedule],
      ...[j.scheduledAt, j.parentId, tied, NOW, op],
    );
  };
}

function raw(path: string): Times {
  const db = open(path, `${RAW_JOBS} ${RAW_SCHEDULES}`);
  const put =
    db.prepare(`INSERT INTO schedules (name, definition, state, next_at, revision, fired, failures, watches_jobs,
    created_at, updated_at, mark) VALUES (?, ?, 'active', ?, 1, 0, 0, 0, 0, 0, ?)`);
  db.exec("BEGIN");
  for (let i = 0; i < SCHEDULES; i++) put.run(schedule(i).name, schedule(i).definition, NOW, `put#${i}`);
  db.exec("COMMIT");
  let spent = watch();
  const due =
    db.prepare(`SELECT name, definition, revision, fired FROM schedules WHERE state = 'active' AND next_at <= ?
    ORDER BY next_at LIMIT ?`);
  const move = db.prepare(`UPDATE schedules SET next_at = ?, last_at = ?, fired = ?, note = NULL, revision = ?,
    updated_at = ?, mark = ? WHERE name = ? AND revision = ?`);
  const record = db.prepare("INSERT INTO occurrences VALUES (?, ?, ?, 1, ?, NULL, ?)");
  const add = inserter(db);
  for (let n = 0; ; ) {
    const rows = due.all(NOW, CHUNK) as { name: string; revision: number; fired: number }[];
    if (rows.length === 0) break;
    db.exec("BEGIN IMMEDIATE");
    for (const { name, revision, fired } of rows) {
      const made = job(n++, name);
      move.run(NOW + 86_400_000, NOW, fired + 1, revision + 1, NOW, `fire${n}#12345678ab`, name, revision);
      record.run(name, NOW, NOW, made.id, NOW);
      add(made, `fire${n}`);
    }
    db.exec("COMMIT");
  }
  const fire = spent();
  db.close();

  const other = open(`${path}.2`, RAW_JOBS);
  const addOther = inserter(other);
  spent = watch();
  for (let i = 0; i < JOBS; i += BATCH) {
    other.exec("BEGIN IMMEDIATE");
    for (let k = 0; k < BATCH; k++) addOther(job(i + k, null), `e${i}`);
    other.exec("COMMIT");
  }
  const enqueue = spent();
  spent = watch();
  const claim = other.prepare(`UPDATE jobs SET state = 'running', due = 0, attempt = attempt + 1, claims = claims + 1,
    claim_token = ?, claim_expires_at = ?, alarm_at = ?, worker = ?, started_at = ?, mark = ?
    WHERE id IN (SELECT id FROM jobs WHERE queue = ? AND state = 'ready' ORDER BY priority DESC, available_at LIMIT ?)
    RETURNING id, task, queue, priority, available_at, key, input, options, schedule, scheduled_at, attempt, claims, arrivals,
      created_at, started_at`);
  const settle = other.prepare(`UPDATE jobs SET state = 'completed', result = ?, error = NULL, finished_at = ?,
    claim_token = NULL, claim_expires_at = NULL, alarm_at = NULL, available_at = NULL, mark = ? WHERE id = ? AND claim_token = ?`);
  for (let i = 0; ; i++) {
    const [token, until] = [`token-${i}`, NOW + 30_000];
    other.exec("BEGIN IMMEDIATE");
    const jobs = claim.all(token, until, until, "w", NOW, `${token}#12345678ab`, "default", BATCH) as { id: string }[];
    other.exec("COMMIT");
    if (jobs.length === 0) break;
    other.exec("BEGIN IMMEDIATE");
    for (const { id } of jobs) settle.run("42", NOW, `s${i}#12345678ab`, id, token);
    other.exec("COMMIT");
  }
  const settleMs = spent();
  other.close();
  return { fire, enqueue, settle: settleMs };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

async function main(): Promise<void> {
  const [variant, path] = process.argv.slice(2);
  if (path !== undefined) {
    console.log(JSON.stringify(variant === "raw" ? raw(path) : await belfry(path)));
    return;
  }
  const rounds = Number(variant ?? 5);
  const times: Record<"raw" | "belfry", Times[]> = { raw: [], belfry: [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? (["raw", "belfry"] as const) : (["belfry", "raw"] as const)) {
      const folder = mkdtempSync(join(tmpdir(), "belfry-bench-"));
      const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), name, join(folder, "b.db")], {
        encoding: "utf8",
      });
      times[name].push(JSON.parse(output) as Times);
      rmSync(folder, { recursive: true });
    }
  }
  const of = (name: "raw" | "belfry", what: keyof Times, spent: keyof Spent = "wall"): number =>
    median(times[name].map((t) => t[what][spent]));
  const perSecond = (count: number, ms: number): string => `${Math.round((count / ms) * 1000).toLocaleString("en")}/s`;
  console.log(`SQLite file, synchronous FULL, Node ${process.version}, median of ${rounds}`);
  console.log(
    `fire ${SCHEDULES} due    raw ${of("raw", "fire").toFixed(0)} ms   belfry ${of("belfry", "fire").toFixed(0)} ms   ` +
      `${(of("belfry", "fire") / of("raw", "fire")).toFixed(2)}x the time (goal <= 2), ` +
      `${(of("belfry", "fire", "cpu") / of("raw", "fire", "cpu")).toFixed(2)}x the CPU time`,
  );
  for (const [what, title, goal] of [
    ["enqueue", `enqueue in ${BATCH}s   `, 0.5],
    ["settle", `claim+settle in ${BATCH}s`, 0.4],
  ] as const) {
    const [r, b] = [of("raw", what), of("belfry", what)];
    console.log(
      `${title}  raw ${perSecond(JOBS, r)}   belfry ${perSecond(JOBS, b)}   ${(r / b).toFixed(2)}x raw (goal >= ${goal}), ` +
        `${(of("raw", what, "cpu") / of("belfry", what, "cpu")).toFixed(2)}x by CPU time`,
    );
  }
}

await main();
