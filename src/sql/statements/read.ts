/**
 * How are schedules, outcomes, jobs and queues listed, and one job read with its history?
 *
 * The SQL of a list has only the filters that are given, so that each can use its index. All lists are bounded by
 * `limit`.
 */
import type {
  ClaimedJob,
  JobRecord,
  ListJobsRequest,
  ListOccurrencesRequest,
  ListSchedulesRequest,
  OccurrenceRecord,
  QueueChange,
  QueueRecord,
  ScheduleRecord,
  ScheduleState,
  StoredDefinition,
} from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Row, Sql } from "../driver.ts";
import { itemOf, listKind, listOf } from "../list.ts";
import { JOB_COLUMNS, jobOf, occurrenceOf, queueOf, SCHEDULE_COLUMNS, scheduleOf } from "../rows.ts";
import type { Templates } from "../template.ts";
import { addHistory, type HistoryName, type HistoryStatements, historyOf, historyStatements } from "./history.ts";
import { valuesOf } from "./lists.ts";

/** Stands for a setting that stays as it is. */
const UNCHANGED = -1;

const QUEUES = listKind<QueueChange>()({
  name: ["text", (queue) => queue.name],
  paused: ["int", ({ paused }) => (paused === undefined ? UNCHANGED : paused ? 1 : 0)],
  concurrency: ["int", ({ concurrency }) => (concurrency === undefined ? UNCHANGED : concurrency)],
  rate_count: ["int", ({ rate }) => (rate === undefined ? UNCHANGED : (rate?.count ?? null))],
  rate_per_ms: ["int", ({ rate }) => (rate === undefined ? UNCHANGED : (rate?.perMs ?? null))],
});

/** A column of a stored queue that an upsert changes only where it is given. */
const changed = (column: string): string =>
  `${column} = CASE WHEN excluded.${column} = ${UNCHANGED} THEN {queues}.${column} ELSE excluded.${column} END`;

/** Statements of reading. */
export interface ReadStatements {
  readonly t: Templates;
  readonly job: HistoryStatements;
  readonly queues: Sql;
  readonly newQueues: Sql;
  readonly putQueues: Sql;
}

/** Prepares the statements. */
export function readStatements(t: Templates): ReadStatements {
  return {
    t,
    job: historyStatements(t, "id = :id"),
    queues: t.sql("SELECT name, paused, concurrency, rate_count, rate_per_ms FROM {queues} ORDER BY name"),
    newQueues: t.insert({
      into: "queues",
      rows: {
        values: { name: "item.name", paused: "0", concurrency: "NULL", rate_count: "NULL", rate_per_ms: "NULL" },
        from: `${t.list(QUEUES, "queues")} AS item WHERE true ORDER BY item.name`,
      },
      conflict: "(name) DO NOTHING",
    }),
    // Each queue has a row by now, so this updates the newest version of it, whoever else writes at the same time.
    putQueues: t.insert({
      into: "queues",
      rows: {
        values: valuesOf(QUEUES, itemOf(QUEUES.columns, "item.")),
        from: `${t.list(QUEUES, "queues")} AS item WHERE true ORDER BY item.name`,
      },
      conflict: `(name) DO UPDATE SET ${["paused", "concurrency", "rate_count", "rate_per_ms"].map(changed).join(", ")}`,
    }),
  };
}

/** The batch that reads one job with its history; null when there is none. */
export function getJob(s: ReadStatements, id: string): Operation<ClaimedJob | null> {
  const batch = new Batch<HistoryName>({ id });
  addHistory(batch, s.job);
  return operation(batch, () => historyOf(batch)[0] ?? null);
}

/** The batch that writes settings of queues. */
export function putQueues(s: ReadStatements, queues: readonly QueueChange[]): Operation<void> {
  const last = new Map<string, QueueChange>();
  for (const queue of queues) last.set(queue.name, { ...last.get(queue.name), ...queue });
  const batch = new Batch({ queues: listOf(s.t.dialect, QUEUES, [...last.values()]) });
  batch.run(s.newQueues);
  batch.run(s.putQueues);
  return operation(batch, () => undefined);
}

/** The batch that reads the settings of all queues, by name. */
export function listQueues(s: ReadStatements): Operation<QueueRecord[]> {
  return listing(s.queues, {}, queueOf);
}

/** A batch of one selection. @param read reads a row */
function listing<T>(sql: Sql, args: Args, read: (row: Row) => T): Operation<T[]> {
  const batch = new Batch<"found">(args);
  batch.read("found", sql);
  return operation(batch, () => batch.rows("found").map(read));
}

/** Terms of a WHERE clause, for the filters that are given. */
function whereOf(terms: readonly (string | false | undefined)[]): string {
  const given = terms.filter(Boolean);
  return given.length > 0 ? `WHERE ${given.join(" AND ")}` : "";
}

/** Lists schedules in order of name. */
export function listSchedules(t: Templates, request: ListSchedulesRequest): Operation<ScheduleRecord[]> {
  const { names, owner, state, minSkips, after, limit } = request;
  const where = whereOf([
    names && `name ${t.dialect.oneOf("names")}`,
    owner !== undefined && "owner = :owner",
    // Trick 12: written out for the partial index, since every round of maintenance looks for broken ones.
    state && (state === "broken" ? "state = 'broken'" : "state = :state"),
    minSkips !== undefined && "skips >= :skips",
    after !== undefined && "name > :after",
  ]);
  const args: Args = {
    names: t.dialect.encodeTexts(names ?? []),
    owner: owner ?? null,
    state: state ?? null,
    skips: minSkips ?? null,
    after: after ?? null,
    limit,
  };
  const sql = t.sql(`SELECT ${SCHEDULE_COLUMNS} FROM {schedules} ${where} ORDER BY name LIMIT (SELECT :limit)`);
  return listing(sql, args, scheduleOf);
}

/** Lists names, definitions and states of one owner's schedules, in order of name: what a `sync` of very many compares. */
export function listDefinitions(
  t: Templates,
  request: { owner: string; after?: string; limit: number },
): Operation<StoredDefinition[]> {
  const { owner, after = null, limit } = request;
  const page = after === null ? "" : " AND name > :after";
  const sql = t.sql(
    `SELECT name, definition, state FROM {schedules} WHERE owner = :owner${page} ORDER BY name LIMIT (SELECT :limit)`,
  );
  return listing(sql, { owner, after, limit }, (row) => ({
    name: row["name"] as string,
    definition: row["definition"] as string,
    state: row["state"] as ScheduleState,
  }));
}

/** Lists outcomes of a schedule in order of time. */
export function listOccurrences(t: Templates, request: ListOccurrencesRequest): Operation<OccurrenceRecord[]> {
  const { schedule, from, to, newestFirst, limit } = request;
  const where = whereOf([
    "schedule = :schedule",
    from !== undefined && "until_at >= :since",
    to !== undefined && "at <= :till",
  ]);
  const sql = t.sql(`SELECT schedule, at, until_at, count, job_id, reason, recorded_at FROM {occurrences} ${where}
      ORDER BY at ${newestFirst ? "DESC" : "ASC"} LIMIT (SELECT :limit)`);
  return listing(sql, { schedule, since: from ?? null, till: to ?? null, limit }, occurrenceOf);
}

/** Lists jobs, newest id first. */
export function listJobs(t: Templates, request: ListJobsRequest): Operation<JobRecord[]> {
  const { states, queue, task, schedule, parentId, key, before, limit } = request;
  const where = whereOf([
    states && `state ${t.dialect.oneOf("states")}`,
    queue !== undefined && "queue = :queue",
    task !== undefined && "task = :task",
    schedule !== undefined && "schedule = :schedule",
    parentId !== undefined && "parent_id = :parent",
    key !== undefined && "key = :key",
    before !== undefined && "id < :before",
  ]);
  const args: Args = {
    states: t.dialect.encodeTexts(states ?? []),
    queue: queue ?? null,
    task: task ?? null,
    schedule: schedule ?? null,
    parent: parentId ?? null,
    key: key ?? null,
    before: before ?? null,
    limit,
  };
  const sql = t.sql(`SELECT ${JOB_COLUMNS} FROM {jobs} ${where} ORDER BY id DESC LIMIT (SELECT :limit)`);
  return listing(sql, args, jobOf);
}
