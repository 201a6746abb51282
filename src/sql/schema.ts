/**
 * Which tables and indexes does Belfry keep? Numbered migrations, forward only, each one batch.
 *
 * Indexes are partial and serve exactly one question each, so that what is finished, later or held costs a claim
 * nothing. Columns that only storages see, of jobs but for one:
 *
 * - `due`: 0 while `available_at` lies ahead, or the job is not `ready`; a claim turns it to 1 when the time has come.
 * - `held`: not admitted by its limit.
 * - `resuming`: the next claim goes on with the same attempt.
 * - `alarm_at`: when time alone changes something (available, timeout, claim run out, expiry); null: never.
 * - `tied`: bits for what its end concerns: 1 a schedule, 2 a parent, 4 a limit, 8 children. 0: nobody.
 * - `first_at` of the lease: when the first schedule was due as it was last taken.
 * - `born`: the op that inserted it; `mark`: the batch that last wrote it (see `marks.ts`).
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
  /** Rows are inserted behind questions: one whose first column comes as null is left out. */
  asks?: boolean;
  /** Clustered by its key where the database can. */
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
    asks: true,
    clustered: true,
  },
  {
    name: "jobs",
    // Payloads come last: what a batch decides by is read without walking past them.
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
      "born text",
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
    asks: true,
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
    asks: true,
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

/** A migration: what takes the schema from the version before to `version`. */
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
    const required = type.endsWith("!") ? ` NOT NULL${table.asks && i === 0 ? dialect.leavesOut : ""}` : "";
    return `${name} ${dialect.types[type.replace("!", "") as "text" | "int"]}${required}`;
  });
  const options = table.clustered ? dialect.clusteredOptions : dialect.tableOptions;
  return `CREATE TABLE {${table.name}} (${columns.join(", ")}, PRIMARY KEY (${table.key.join(", ")}))${options}`;
}
