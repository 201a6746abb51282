/**
 * Which tables and indexes does Belfry keep? Numbered migrations, forward only, each one batch.
 *
 * ```text
 * table        holds
 * meta         the version of the schema
 * lease        one row: who leads, until when, and the fencing token (trick 28 of docs/sql.md)
 * owners       the latest generation that each owner has synced
 * schedules    schedules
 * occurrences  outcomes of occurrences
 * jobs         jobs, finished ones too until they are purged
 * steps        steps of jobs
 * signals      signals sent to jobs
 * queues       settings of queues that have some
 * limits       settings and state of the global limits of jobs, by key
 * starts       how many jobs started when, for the rates of queues and limits
 *
 * index             serves
 * schedules_next    beginTick: due schedules, and when the next one is due; stats
 * schedules_owner   listSchedules and listDefinitions of an owner, for sync
 * schedules_broken  listSchedules of broken ones, which maintenance asks for
 * occurrences_until purge of old outcomes
 * jobs_claim        claim: the next jobs of a queue; beginTick: which queues have some; stats
 * jobs_alarm        claim: jobs that time changes; beginTick and claim: when it next does; stats
 * jobs_running      claim: jobs of a token, running jobs of a queue; stats
 * jobs_waiting      stats
 * jobs_finished     purge, oldest first, by state; stats of failed jobs
 * jobs_ended        effects of ends, cancel and purge: jobs that a batch has marked
 * jobs_schedule     beginTick and fire: unfinished jobs of a schedule; listJobs by schedule
 * jobs_key          enqueue: one job per task and key
 * jobs_parent       claim and getJob: ended children; cancel and effects of ends: descendants; listJobs by parent
 * jobs_held         admission: the next held jobs of a limit
 * jobs_later        admission: held jobs whose time has not come
 * jobs_admitted     admission: how many jobs of a limit are admitted
 * limits_next       claim and beginTick: limits that time opens
 * limits_mark       admission: limits that a batch has marked
 * ```
 *
 * Indexes are partial, so finished, future and held jobs cost a claim nothing (trick 12). Columns that the port does
 * not show:
 *
 * - `due` (jobs): 1 when the time of a `ready` job has come; a claim turns it to 1.
 * - `held` (jobs): 1 while its limit keeps the job back.
 * - `resuming` (jobs): 1 when the next claim goes on with the same attempt.
 * - `alarm_at` (jobs): when time alone changes the job (available, timeout, claim run out, expired); null: never.
 * - `tied` (jobs): bits for what the end of the job affects: 1 a schedule, 2 a parent, 4 a limit, 8 children; 0:
 *   nothing.
 * - `inserted_by` (jobs): the op that inserted it. `mark`: the op mark of the batch that last wrote the row
 *   (`op_marks.ts`).
 * - `first_at` (lease): when the first schedule was due when the lease was last taken.
 * - `room` (limits): how many jobs the running admission may still admit. `next_at`: when time alone may next open the
 *   limit.
 */
import type { ColumnType, Dialect } from "./dialect.ts";

/** Version of the schema that this code reads and writes. */
export const SCHEMA_VERSION: number = 1;

/** Bits of `jobs.tied`. */
export const TIED = { schedule: 1, parent: 2, limit: 4, children: 8 } as const;

/** A table of the newest schema. */
export interface Table {
  name: string;
  /** Name and type; `!` after the type: not null. */
  columns: readonly string[];
  key: readonly string[];
  /** Inserts may have a guard: a row whose first column is null is not inserted (trick 10). */
  guarded?: boolean;
  /** Stored in the order of its key, where the database can. */
  clustered?: boolean;
}

const TABLES_1: readonly Table[] = [
  { name: "meta", columns: ["key text!", "value text!"], key: ["key"] },
  {
    name: "lease",
    columns: ["id int!", "holder text", "token int!", "expires_at int!", "first_at int", "mark text"],
    key: ["id"],
  },
  { name: "owners", columns: ["owner text!", "generation int!", "mark text"], key: ["owner"] },
  {
    name: "schedules",
    columns: [
      "name text!",
      "definition text!",
      "state text!",
      "next_at int",
      "revision int!",
      "fired int!",
      "skips int!",
      "failures int!",
      "pause_after_failures int",
      "watches_jobs int!",
      "last_at int",
      "note text",
      "owner text",
      "created_at int!",
      "updated_at int!",
      "mark text",
    ],
    key: ["name"],
  },
  {
    name: "occurrences",
    columns: [
      "schedule text!",
      "at int!",
      "until_at int!",
      "count int!",
      "job_id text",
      "reason text",
      "recorded_at int!",
    ],
    key: ["schedule", "at"],
    guarded: true,
    clustered: true,
  },
  {
    name: "jobs",
    // Payloads come last: SQLite reads a row from its front, and what a batch decides by is in front of them.
    columns: [
      "id text!",
      "state text!",
      "due int!",
      "held int!",
      "tied int!",
      "resuming int!",
      "attempt int!",
      "claims int!",
      "arrivals int!",
      "priority int!",
      "queue text!",
      "task text!",
      "mark text",
      "inserted_by text",
      "claim_token text",
      "claim_expires_at int",
      "alarm_at int",
      "available_at int",
      "expires_at int",
      "created_at int!",
      "started_at int",
      "finished_at int",
      "schedule text",
      "scheduled_at int",
      "parent_id text",
      "limit_key text",
      "limit_concurrency int",
      "limit_count int",
      "limit_per_ms int",
      "key text",
      "worker text",
      "options text!",
      "input text!",
      "progress text",
      "notes text",
      "error text",
      "result text",
    ],
    key: ["id"],
    guarded: true,
  },
  {
    name: "steps",
    columns: [
      "job_id text!",
      "name text!",
      "kind text!",
      "state text!",
      "seq int",
      "tries int!",
      "attempt int",
      "output text",
      "error text",
      "wake_at int",
      "child_id text",
      "signal_key text",
      "started_at int!",
      "finished_at int",
    ],
    key: ["job_id", "name"],
    guarded: true,
  },
  {
    name: "signals",
    columns: ["job_id text!", "name text!", "key text!", "payload text!", "sent_at int!", "seq int!"],
    key: ["job_id", "name", "key"],
  },
  {
    name: "queues",
    columns: ["name text!", "paused int!", "concurrency int", "rate_count int", "rate_per_ms int"],
    key: ["name"],
  },
  {
    name: "limits",
    columns: [
      "key text!",
      "concurrency int",
      "rate_count int",
      "rate_per_ms int",
      "room int!",
      "next_at int",
      "mark text",
    ],
    key: ["key"],
  },
  {
    name: "starts",
    columns: ["scope text!", "at int!", "op text!", "count int!"],
    key: ["scope", "at", "op"],
    clustered: true,
  },
];

const INDEXES_1 = ({ anchor }: Dialect): readonly string[] => [
  "INDEX {schedules_next} ON {schedules} (next_at, name) WHERE state = 'active'",
  "INDEX {schedules_owner} ON {schedules} (owner, name) WHERE owner IS NOT NULL",
  "INDEX {schedules_broken} ON {schedules} (name) WHERE state = 'broken'",
  "INDEX {occurrences_until} ON {occurrences} (until_at)",
  `INDEX {jobs_claim} ON {jobs} (${anchor("due")}queue, priority DESC, available_at, id, task, held) WHERE due = 1 AND held = 0`,
  `INDEX {jobs_alarm} ON {jobs} (${anchor("finished_at")}queue, alarm_at, task) WHERE alarm_at IS NOT NULL`,
  "INDEX {jobs_running} ON {jobs} (queue, claim_token) WHERE claim_token IS NOT NULL",
  "INDEX {jobs_waiting} ON {jobs} (queue) WHERE state = 'waiting'",
  "INDEX {jobs_finished} ON {jobs} (state, finished_at, queue) WHERE finished_at IS NOT NULL",
  "INDEX {jobs_ended} ON {jobs} (mark) WHERE tied > 0 AND finished_at IS NOT NULL",
  "INDEX {jobs_schedule} ON {jobs} (schedule, finished_at, id) WHERE schedule IS NOT NULL",
  "UNIQUE INDEX {jobs_key} ON {jobs} (task, key) WHERE key IS NOT NULL",
  "INDEX {jobs_parent} ON {jobs} (parent_id) WHERE parent_id IS NOT NULL",
  "INDEX {jobs_held} ON {jobs} (limit_key, priority DESC, available_at, id) WHERE held = 1 AND due = 1",
  "INDEX {jobs_later} ON {jobs} (limit_key, available_at) WHERE held = 1 AND due = 0",
  "INDEX {jobs_admitted} ON {jobs} (limit_key) WHERE limit_key IS NOT NULL AND held = 0 AND finished_at IS NULL",
  `INDEX {limits_next} ON {limits} (${anchor("mark")}next_at) WHERE next_at IS NOT NULL`,
  "INDEX {limits_mark} ON {limits} (mark) WHERE mark IS NOT NULL",
];

/** All tables, without prefix. */
export const TABLES: readonly Table[] = TABLES_1;

/** Name and type of a table's columns. */
export function columnTypes(table: Table): (readonly [name: string, type: ColumnType])[] {
  return table.columns.map((column) => {
    const [name, type] = column.replace("!", "").split(" ") as [string, ColumnType];
    return [name, type] as const;
  });
}

/** A migration from the version before to `version`. */
export interface Migration {
  version: number;
  /** Texts of its statements, for `template.ts`. */
  templates(dialect: Dialect): string[];
}

/** All migrations, in order. */
export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    templates: (dialect) => [
      ...TABLES_1.map((table) => createTable(table, dialect)),
      ...INDEXES_1(dialect).map((index) => `CREATE ${index}`),
      "INSERT INTO {lease} (id, holder, token, expires_at) VALUES (1, NULL, 0, 0)",
    ],
  },
];

function createTable(table: Table, dialect: Dialect): string {
  const columns = table.columns.map((column, i) => {
    const [name, type] = column.split(" ") as [string, string];
    const required = type.endsWith("!") ? ` NOT NULL${table.guarded && i === 0 ? dialect.ignoreNull : ""}` : "";
    return `${name} ${dialect.types[type.replace("!", "") as "text" | "int"]}${required}`;
  });
  const options = table.clustered ? dialect.clusteredOptions : dialect.tableOptions;
  return `CREATE TABLE {${table.name}} (${columns.join(", ")}, PRIMARY KEY (${table.key.join(", ")}))${options}`;
}
