/**
 * How does an occurrence become exactly one job? The batch of a fire, and that of writing schedules.
 *
 * Statement 1 moves the schedules that stand at the revision that was read, all of them only under the lease, and marks
 * them. Jobs of marked schedules are inserted where their occurrence has no outcome yet, then the outcomes are recorded:
 * a schedule's row is locked by its mark, so nobody records for it in between.
 */
import type { FireReply, FireRequest, Firing } from "../../storage/port.ts";
import type { Args, Query, Row, Sql } from "../driver.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences, ENDED } from "./consequence.ts";
import { INSERTED_COLUMNS, INSERTED_VALUES } from "./limit.ts";
import { columnsOf, JOBS, type ListKind, listOf, OCCURRENCES } from "./lists.ts";

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
  /** Places of the firings whose schedules did not move. */
  readonly unmoved: Sql;
  /** Places of the jobs that were not inserted. */
  readonly others: Sql;
}

/** Prepares the statements. */
export function fireStatements(t: Templates): FireStatements {
  const d = t.dialect;
  const list = d.list("firings", FIRINGS.columns);
  const move = (lease: string): Sql =>
    t.each(
      FIRINGS.columns,
      `UPDATE {schedules} AS s SET mark = :mark, revision = s.revision + 1, updated_at = :now,
        state = f.state, next_at = f.next_at, fired = f.fired, last_at = f.last_at, note = f.note
      FROM [[firings f]] WHERE s.name = f.name AND s.revision = f.expected${lease}`,
    );
  return {
    move: move(""),
    moveLeased: move(
      ` AND EXISTS (SELECT 1 FROM {lease} WHERE id = 1 AND holder = :holder AND token = :term${d.forShare})`,
    ),
    cancelUnfinished: t.sql(`UPDATE {jobs} SET state = 'cancelled', mark = :mark, error = :error, ${ENDED}
      WHERE finished_at IS NULL AND schedule IN (SELECT f.name FROM ${list} AS f JOIN {schedules} AS s ON s.name = f.name
        WHERE f.cancels = 1 AND s.mark = :mark)`),
    insertJobs: t.each(
      JOBS.columns,
      `INSERT INTO {jobs} (${INSERTED_COLUMNS}) SELECT ${INSERTED_VALUES}
      FROM [[jobs item]], {schedules} AS s WHERE s.name = item.schedule AND s.mark = :mark AND NOT EXISTS
        (SELECT 1 FROM {occurrences} AS o WHERE o.schedule = item.schedule AND o.at = item.scheduled_at)
      ORDER BY item.ord ON CONFLICT DO NOTHING`,
    ),
    record: t.each(
      OCCURRENCES.columns,
      `INSERT INTO {occurrences} (${columnsOf(OCCURRENCES)})
      SELECT ${columnsOf(OCCURRENCES, "item")} FROM [[occurrences item]], {schedules} AS s
      WHERE s.name = item.schedule AND s.mark = :mark ORDER BY item.ord ON CONFLICT DO NOTHING`,
    ),
    resign: t.sql("UPDATE {lease} SET holder = NULL WHERE id = 1 AND holder = :holder AND token = :term"),
    leads: t.sql("SELECT 1 AS leads FROM {lease} WHERE id = 1 AND holder = :holder AND token = :term"),
    unmoved: t.each(
      FIRINGS.columns,
      `SELECT f.ord AS ord FROM [[firings f]] LEFT JOIN {schedules} AS s ON s.name = f.name
      WHERE s.mark IS NULL OR s.mark < :from OR s.mark >= :to`,
    ),
    others: t.each(
      JOBS.columns,
      `SELECT item.ord AS ord FROM [[jobs item]] LEFT JOIN {jobs} AS j ON j.id = item.id
      WHERE j.born IS NULL OR j.born <> :op`,
    ),
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
    term: lease?.token ?? null,
    firings: listOf(t.dialect, FIRINGS, firings),
    jobs: listOf(t.dialect, JOBS, jobs, now),
    occurrences: listOf(t.dialect, OCCURRENCES, outcomes),
    error: OVERLAP_ERROR,
  };
  const queries: Query[] = [];
  const add = (...sqls: readonly Sql[]): void => {
    for (const sql of sqls) queries.push({ sql, args });
  };
  add(lease ? s.moveLeased : s.move);
  const cancels = firings.some((firing) => firing.cancelUnfinished);
  if (cancels) add(s.cancelUnfinished);
  if (jobs.length > 0) {
    const query = queries.push({ sql: s.insertJobs, args }) - 1;
    queries.push({ sql: s.others, args, unless: { query, changes: jobs.length } });
  }
  if (outcomes.length > 0) add(s.record);
  const limited = jobs.some((job) => job.limit);
  if (limited) add(c.limits.markInserted);
  // What ended makes room for what came in: both stand in one line, from which is admitted once.
  if (cancels) queries.push(...consequences(c, args, OVERLAP_ERROR));
  else if (limited) add(...c.limits.admit);
  if (lease) add(s.leads);
  if (lease && request.resign) add(s.resign);
  queries.push({ sql: s.unmoved, args, unless: { query: 0, changes: firings.length } });
  return queries;
}

/** Reads the reply of {@link fire}. */
export function fireReply(
  s: FireStatements,
  request: FireRequest,
  queries: readonly Query[],
  rows: readonly Row[][],
): FireReply {
  const { firings } = request;
  const rowsOf = (sql: Sql): Row[] => rows[queries.findIndex((query) => query.sql === sql)] ?? [];
  const without = (names: string[], sql: Sql): string[] => {
    const missing = new Set(rowsOf(sql).map((row) => int(row["ord"])));
    return missing.size === 0 ? names : names.filter((_, place) => !missing.has(place));
  };
  const fired = without(
    firings.map(({ name }) => name),
    s.unmoved,
  );
  const jobs = without(
    firings.flatMap((firing) => firing.jobs.map(({ id }) => id)),
    s.others,
  );
  // A fire that resigned and is sent again leads no more, but it did.
  const leads = request.lease === null || fired.length > 0 || rowsOf(s.leads).length > 0;
  return { leads, fired, jobs };
}
