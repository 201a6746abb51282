/**
 * How are schedules created, changed and removed? Each only from the revision that was read.
 *
 * In the batch of a `sync` the first statement records the owner's generation, unless a later one is recorded, and
 * marks the owner's row. Everything else asks for that mark, so a process with an older list writes nothing at all.
 */
import type { PutSchedulesReply, PutSchedulesRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Row, Sql } from "../driver.ts";
import { itemOf, listKind, listOf } from "../list.ts";
import type { Templates } from "../template.ts";
import type { FireStatements } from "./fire.ts";
import { JOBS, OCCURRENCES, SCHEDULES, valuesOf } from "./lists.ts";

const REMOVES = listKind<{ name: string; revision: number }>()({
  name: ["text", ({ name }) => name],
  expected: ["int", ({ revision }) => revision],
});

/** Statements of one batch of puts, with or without an owner. */
interface PutStatements {
  readonly create: Sql;
  readonly replace: Sql;
  readonly remove: Sql;
}

/** Statements of writing schedules. */
export interface ScheduleStatements {
  readonly t: Templates;
  /** Those of firing: outcomes and jobs are inserted by the same statements. */
  readonly fire: FireStatements;
  readonly claimOwner: Sql;
  readonly generation: Sql;
  readonly free: PutStatements;
  readonly owned: PutStatements;
  readonly written: Sql;
}

/** Prepares the statements. */
export function scheduleStatements(t: Templates, fire: FireStatements): ScheduleStatements {
  const d = t.dialect;
  const list = t.list(SCHEDULES, "puts");
  const { expected: _, ...values } = valuesOf(SCHEDULES, itemOf(SCHEDULES.columns, "item."));
  const assigned = Object.entries(values)
    .filter(([column]) => column !== "name")
    .map(([column, value]) => `${column} = ${value}`)
    .join(", ");
  const puts = (guard: string): PutStatements => ({
    create: t.insert({
      into: "schedules",
      rows: {
        values: { ...values, revision: "1", mark: ":mark" },
        from: `${list} AS item WHERE item.expected IS NULL${guard} ORDER BY item.name`,
      },
      conflict: "DO NOTHING",
    }),
    replace: t.sql(`UPDATE {schedules} AS s SET ${assigned}, revision = s.revision + 1, mark = :mark
      FROM ${list} AS item WHERE s.name = item.name AND s.revision = item.expected${guard}`),
    remove: t.sql(`DELETE FROM {schedules} WHERE name IN (SELECT item.name FROM ${t.list(REMOVES, "removes")} AS item
        JOIN {schedules} AS s ON s.name = item.name WHERE s.revision = item.expected${guard}${d.forUpdateOf("s")})
      RETURNING name`),
  });
  return {
    t,
    fire,
    claimOwner: t.insert({
      into: "owners",
      rows: { values: { owner: ":owner", generation: ":generation", mark: ":mark" } },
      conflict: `(owner) DO UPDATE SET generation = excluded.generation, mark = excluded.mark
        WHERE {owners}.generation <= excluded.generation`,
    }),
    generation: t.sql("SELECT generation FROM {owners} WHERE owner = :owner"),
    free: puts(""),
    owned: puts(" AND EXISTS (SELECT 1 FROM {owners} AS o WHERE o.owner = :owner AND o.mark = :mark)"),
    written: t.sql(`SELECT s.name FROM ${list} AS item JOIN {schedules} AS s ON s.name = item.name
      WHERE s.mark >= :from AND s.mark < :to ORDER BY item.ord`),
  };
}

/** The batch of a putSchedules. */
export function putSchedules(
  s: ScheduleStatements,
  request: PutSchedulesRequest,
  marks: Args,
): Operation<PutSchedulesReply> {
  const { puts, removes, owner, now } = request;
  const { dialect } = s.t;
  const { limits } = s.fire.effects;
  const jobs = puts.flatMap((put) => put.jobs);
  const outcomes = puts.flatMap((put) => put.occurrences);
  const batch = new Batch<"removed" | "generation" | "written">({
    ...marks,
    now,
    owner: owner?.owner ?? null,
    generation: owner?.generation ?? null,
    puts: listOf(dialect, SCHEDULES, puts),
    removes: listOf(dialect, REMOVES, removes),
    jobs: listOf(dialect, JOBS, jobs, now),
    occurrences: listOf(dialect, OCCURRENCES, outcomes),
  });
  const statements = owner ? s.owned : s.free;
  if (owner) batch.run(s.claimOwner);
  if (removes.length > 0) batch.read("removed", statements.remove);
  if (puts.some((put) => put.revision === null)) batch.run(statements.create);
  if (puts.some((put) => put.revision !== null)) batch.run(statements.replace);
  if (jobs.length > 0) batch.run(s.fire.insertJobs);
  if (outcomes.length > 0) batch.run(s.fire.record);
  if (jobs.some((job) => job.limit)) batch.run(limits.markInserted, ...limits.admit);
  if (owner) batch.read("generation", s.generation);
  batch.read("written", s.written);
  return operation(batch, () => {
    const namesOf = (rows: readonly Row[]): string[] => rows.map((row) => row["name"] as string);
    const current = owner === null || Number(batch.rows("generation")[0]?.["generation"]) <= owner.generation;
    return {
      current,
      // One that is sent again after a later generation synced is out of date, whatever it wrote the first time.
      written: current ? namesOf(batch.rows("written")) : [],
      removed: namesOf(batch.rows("removed")),
    };
  });
}
