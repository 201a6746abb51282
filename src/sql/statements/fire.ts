/**
 * How does an occurrence become exactly one job? The batch of a fire, and that of writing schedules.
 *
 * Statement 1 moves the schedules that stand at the revision that was read, all of them only under the lease, and marks
 * them. Jobs of marked schedules are inserted where their occurrence has no outcome yet, then the outcomes are recorded:
 * a schedule's row is locked by its mark, so nobody records for it in between.
 */
import type { FireReply, FireRequest, Firing } from "../../storage.ts";
import type { Args, Query, Row, Sql } from "../driver.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences, ENDED } from "./consequence.ts";
import { INSERTED_COLUMNS, INSERTED_VALUES } from "./limit.ts";
import { columnsOf, encode, JOBS, type ListKind, OCCURRENCES } from "./lists.ts";

/** JSON error of jobs that their schedule's next occurrence cancelled. */
const OVERLAP_ERROR =
  '{"name":"BelfryError","code":"JOB_CANCELLED","message":"the next occurrence of its schedule cancelled it"}';

const FIRINGS: ListKind<Firing> = {
  columns: [
    ["name", "text"],
    ["expected", "int"],
    ["state", "text"],
    ["next_at", "int"],
    ["fired", "int"],
    ["last_at", "int"],
    ["note", "text"],
    ["cancels", "int"],
  ],
  cells: (f) => [f.name, f.revision, f.state, f.nextAt, f.fired, f.lastAt, f.note, f.cancelUnfinished ? 1 : 0],
};

/** Statements of a fire. */
export interface FireStatements {
  readonly move: Sql;
  readonly moveLeased: Sql;
  readonly cancelUnfinished: Sql;
  readonly insertJobs: Sql;
  readonly record: Sql;
  readonly resign: Sql;
  readonly leads: Sql;
  readonly fired: Sql;
  readonly jobs: Sql;
}

/** Prepares the statements. */
export function fireStatements(t: Templates): FireStatements {
  const d = t.dialect;
  const list = d.list("firings", FIRINGS.columns);
  const move = (lease: string): Sql =>
    t.sql(`UPDATE {schedules} AS s SET mark = :mark, revision = s.revision + 1, updated_at = :now, state = f.state,
        next_at = f.next_at, fired = f.fired, last_at = f.last_at, note = f.note
      FROM ${list} AS f WHERE s.name = f.name AND s.revision = f.expected${lease}`);
  return {
    move: move(""),
    moveLeased: move(
      ` AND EXISTS (SELECT 1 FROM {lease} WHERE id = 1 AND holder = :holder AND token = :token${d.forShare})`,
    ),
    cancelUnfinished: t.sql(`UPDATE {jobs} SET state = 'cancelled', mark = :mark, error = :error, ${ENDED}
      WHERE finished_at IS NULL AND schedule IN (SELECT f.name FROM ${list} AS f JOIN {schedules} AS s ON s.name = f.name
        WHERE f.cancels = 1 AND s.mark = :mark)`),
    insertJobs: t.sql(`INSERT INTO {jobs} (${INSERTED_COLUMNS}) SELECT ${INSERTED_VALUES}
      FROM ${d.list("jobs", JOBS.columns)} AS item JOIN {schedules} AS s ON s.name = item.schedule
      WHERE s.mark = :mark AND NOT EXISTS
        (SELECT 1 FROM {occurrences} AS o WHERE o.schedule = item.schedule AND o.at = item.scheduled_at)
      ORDER BY item.ord ON CONFLICT DO NOTHING`),
    record: t.sql(`INSERT INTO {occurrences} (${columnsOf(OCCURRENCES)}) SELECT ${columnsOf(OCCURRENCES, "item")}
      FROM ${d.list("occurrences", OCCURRENCES.columns)} AS item JOIN {schedules} AS s ON s.name = item.schedule
      WHERE s.mark = :mark ORDER BY item.ord ON CONFLICT DO NOTHING`),
    resign: t.sql("UPDATE {lease} SET holder = NULL WHERE id = 1 AND holder = :holder AND token = :token"),
    leads: t.sql("SELECT 1 AS leads FROM {lease} WHERE id = 1 AND holder = :holder AND token = :token"),
    fired: t.sql(`SELECT s.name FROM ${list} AS f JOIN {schedules} AS s ON s.name = f.name
      WHERE s.mark >= :from AND s.mark < :to ORDER BY f.ord`),
    jobs: t.sql(`SELECT j.id FROM ${d.list("jobs", JOBS.columns)} AS item JOIN {jobs} AS j ON j.id = item.id
      WHERE j.born = :op ORDER BY item.ord`),
  };
}

/** The batch of a fire. */
export function fire(
  s: FireStatements,
  c: ConsequenceStatements,
  t: Templates,
  request: FireRequest,
  marks: Args,
): Query[] {
  const { now, lease, firings } = request;
  const jobs = firings.flatMap((firing) => firing.jobs);
  const outcomes = firings.flatMap((firing) => firing.occurrences);
  const args: Args = {
    ...marks,
    now,
    holder: lease?.holder ?? null,
    token: lease?.token ?? null,
    firings: encode(t.dialect, FIRINGS, firings),
    jobs: encode(t.dialect, JOBS, jobs),
    occurrences: encode(t.dialect, OCCURRENCES, outcomes),
    error: OVERLAP_ERROR,
  };
  const queries: Query[] = [];
  const add = (...sqls: readonly Sql[]): void => {
    for (const sql of sqls) queries.push({ sql, args });
  };
  add(lease ? s.moveLeased : s.move);
  if (firings.some((firing) => firing.cancelUnfinished)) {
    add(s.cancelUnfinished);
    queries.push(...consequences(c, args, OVERLAP_ERROR));
  }
  if (jobs.length > 0) add(s.insertJobs);
  if (outcomes.length > 0) add(s.record);
  if (jobs.some((job) => job.limit)) add(c.limits.markInserted, ...c.limits.admit);
  if (jobs.length > 0) add(s.jobs);
  if (lease) add(s.leads);
  if (lease && request.resign) add(s.resign);
  add(s.fired);
  return queries;
}

/** Reads the reply of {@link fire}. */
export function fireReply(s: FireStatements, queries: readonly Query[], rows: readonly Row[][]): FireReply {
  const rowsOf = (sql: Sql): Row[] => rows[queries.findIndex((query) => query.sql === sql)] ?? [];
  const fired = rowsOf(s.fired).map((row) => row["name"] as string);
  const leased = queries[0]!.sql === s.moveLeased;
  return {
    // A fire that resigned and is sent again leads no more, but it did.
    leads: !leased || fired.length > 0 || rowsOf(s.leads).length > 0,
    fired,
    jobs: rowsOf(s.jobs).map((row) => row["id"] as string),
  };
}
