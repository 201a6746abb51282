/**
 * How are schedules created, changed and removed? Each only from the state that was read.
 *
 * In the batch of a `sync` statement 1 records the owner's generation, unless a later one was here, and marks the
 * owner's row; then everything else asks for that mark, so that an old pod writes nothing at all.
 */
import type { PutSchedulesReply, PutSchedulesRequest } from "../../storage/port.ts";
import type { Args, Query, Row, Sql } from "../driver.ts";
import type { Templates } from "../template.ts";
import type { ConsequenceStatements } from "./consequence.ts";
import type { FireStatements } from "./fire.ts";
import { columnsOf, JOBS, type ListKind, listOf, OCCURRENCES, SCHEDULES } from "./lists.ts";

const REMOVES: ListKind<{ name: string; revision: number }> = {
  columns: [
    ["name", "text"],
    ["expected", "int"],
  ],
  cells: ({ name, revision }) => [name, revision],
};

/** Statements of one batch of puts, with or without an owner. */
interface PutStatements {
  readonly create: Sql;
  readonly replace: Sql;
  readonly remove: Sql;
}

/** Statements of writing schedules. */
export interface ScheduleStatements {
  readonly claimOwner: Sql;
  readonly generation: Sql;
  readonly free: PutStatements;
  readonly owned: PutStatements;
  readonly written: Sql;
}

/** Prepares the statements. */
export function scheduleStatements(t: Templates): ScheduleStatements {
  const d = t.dialect;
  const list = d.list("puts", SCHEDULES.columns);
  const columns = columnsOf(SCHEDULES).replace(" expected,", "");
  const values = columnsOf(SCHEDULES, "p").replace(" p.expected,", "");
  const assigned = SCHEDULES.columns
    .filter(([name]) => name !== "name" && name !== "expected")
    .map(([name]) => `${name} = p.${name}`)
    .join(", ");
  const puts = (guard: string): PutStatements => ({
    create: t.sql(`INSERT INTO {schedules} (${columns}, revision, mark) SELECT ${values}, 1, :mark FROM ${list} AS p
      WHERE p.expected IS NULL${guard} ORDER BY p.name ON CONFLICT DO NOTHING`),
    replace: t.sql(`UPDATE {schedules} AS s SET ${assigned}, revision = s.revision + 1, mark = :mark
      FROM ${list} AS p WHERE s.name = p.name AND s.revision = p.expected${guard}`),
    remove: t.sql(`DELETE FROM {schedules} WHERE name IN (SELECT r.name FROM ${d.list("removes", REMOVES.columns)} AS r
        JOIN {schedules} AS s ON s.name = r.name WHERE s.revision = r.expected${guard}${d.forUpdateOf("s")})
      RETURNING name`),
  });
  return {
    claimOwner: t.sql(`INSERT INTO {owners} (owner, generation, mark) VALUES (:owner, :generation, :mark)
      ON CONFLICT (owner) DO UPDATE SET generation = excluded.generation, mark = excluded.mark
        WHERE {owners}.generation <= excluded.generation`),
    generation: t.sql("SELECT generation FROM {owners} WHERE owner = :owner"),
    free: puts(""),
    owned: puts(" AND EXISTS (SELECT 1 FROM {owners} AS o WHERE o.owner = :owner AND o.mark = :mark)"),
    written: t.sql(`SELECT s.name FROM ${list} AS p JOIN {schedules} AS s ON s.name = p.name
      WHERE s.mark >= :from AND s.mark < :to ORDER BY p.ord`),
  };
}

/** The batch of a putSchedules. */
export function putSchedules(
  s: ScheduleStatements,
  f: FireStatements,
  c: ConsequenceStatements,
  t: Templates,
  request: PutSchedulesRequest,
  marks: Args,
): Query[] {
  const { puts, removes, owner, now } = request;
  const jobs = puts.flatMap((put) => put.jobs);
  const outcomes = puts.flatMap((put) => put.occurrences);
  const args: Args = {
    ...marks,
    now,
    owner: owner?.owner ?? null,
    generation: owner?.generation ?? null,
    puts: listOf(t.dialect, SCHEDULES, puts),
    removes: listOf(t.dialect, REMOVES, removes),
    jobs: listOf(t.dialect, JOBS, jobs, now),
    occurrences: listOf(t.dialect, OCCURRENCES, outcomes),
  };
  const sqls: Sql[] = [];
  const statements = owner ? s.owned : s.free;
  if (owner) sqls.push(s.claimOwner);
  if (removes.length > 0) sqls.push(statements.remove);
  if (puts.some((put) => put.revision === null)) sqls.push(statements.create);
  if (puts.some((put) => put.revision !== null)) sqls.push(statements.replace);
  if (jobs.length > 0) sqls.push(f.insertJobs);
  if (outcomes.length > 0) sqls.push(f.record);
  if (jobs.some((job) => job.limit)) sqls.push(c.limits.markInserted, ...c.limits.admit);
  if (owner) sqls.push(s.generation);
  sqls.push(s.written);
  return sqls.map((sql) => ({ sql, args }));
}

/** Reads the reply of {@link putSchedules}. */
export function putSchedulesReply(
  s: ScheduleStatements,
  request: PutSchedulesRequest,
  queries: readonly Query[],
  rows: readonly Row[][],
): PutSchedulesReply {
  const rowsOf = (sql: Sql): Row[] => rows[queries.findIndex((query) => query.sql === sql)] ?? [];
  const { owner } = request;
  const current = owner === null || Number(rowsOf(s.generation)[0]?.["generation"]) <= owner.generation;
  return {
    current,
    // Sent again after a later generation was here, it is out of date, whatever it wrote before.
    written: current ? rowsOf(s.written).map((row) => row["name"] as string) : [],
    removed: rowsOf((owner ? s.owned : s.free).remove).map((row) => row["name"] as string),
  };
}
