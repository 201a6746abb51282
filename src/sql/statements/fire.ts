/**
 * How does an occurrence become exactly one job? In the batch of a fire.
 *
 * The first statement moves and marks the schedules that still have the revision that was read, and only under the
 * lease (trick 1 of docs/sql.md). Jobs of marked schedules are inserted where their occurrence has no outcome yet; then
 * the outcomes are recorded. No other batch can record one in between, since the row of the schedule is locked.
 */
import type { FireReply, FireRequest, Firing } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Row, Sql } from "../driver.ts";
import { listKind, listOf } from "../list.ts";
import { int } from "../rows.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, ENDED, type EndingEffectStatements } from "./ending_effects.ts";
import { insertedJob } from "./limit.ts";
import { JOBS, OCCURRENCES, valuesOf } from "./lists.ts";

/** JSON error of a job that was cancelled because the next occurrence of its schedule fired. */
const OVERLAP_ERROR =
  '{"name":"BelfryError","code":"JOB_CANCELLED","message":"the next occurrence of its schedule cancelled it"}';

const FIRINGS = listKind<Firing>()({
  name: ["text", (firing) => firing.name],
  expected: ["int", (firing) => firing.revision],
  state: ["text", (firing) => firing.state],
  next_at: ["int", (firing) => firing.nextAt],
  fired: ["int", (firing) => firing.fired],
  skips: ["int", (firing) => firing.skips],
  last_at: ["int", (firing) => firing.lastAt],
  note: ["text", (firing) => firing.note],
  cancels: ["int", (firing) => (firing.cancelUnfinished ? 1 : 0)],
});

/** Statements of a fire. */
export interface FireStatements {
  readonly t: Templates;
  readonly effects: EndingEffectStatements;
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
  readonly notInserted: Sql;
}

/** Prepares the statements. */
export function fireStatements(t: Templates, effects: EndingEffectStatements): FireStatements {
  const d = t.dialect;
  const move = (lease: string): Sql =>
    t.update({
      update: "{schedules} AS s",
      list: FIRINGS,
      param: "firings",
      set: (item) => `mark = :mark, revision = s.revision + 1, updated_at = :now, state = ${item.state},
        next_at = ${item.next_at}, fired = ${item.fired}, skips = ${item.skips}, last_at = ${item.last_at}, note = ${item.note}`,
      where: (item) => `s.name = ${item.name} AND s.revision = ${item.expected}${lease}`,
    });
  return {
    t,
    effects,
    move: move(""),
    moveLeased: move(
      ` AND EXISTS (SELECT 1 FROM {lease} WHERE id = 1 AND holder = :holder AND token = :term${d.forShare})`,
    ),
    cancelUnfinished: t.sql(`UPDATE {jobs} SET state = 'cancelled', mark = :mark, error = :error, ${ENDED}
      WHERE finished_at IS NULL AND schedule IN (SELECT item.name FROM ${t.list(FIRINGS, "firings")} AS item
        JOIN {schedules} AS s ON s.name = item.name WHERE item.cancels = 1 AND s.mark = :mark)`),
    insertJobs: t.insert({
      into: "jobs",
      rows: {
        list: JOBS,
        param: "jobs",
        values: insertedJob,
        guard: (item) => ({
          from: "{schedules} AS s",
          where: `s.name = ${item.schedule} AND s.mark = :mark AND NOT EXISTS (SELECT 1 FROM {occurrences} AS o
            WHERE o.schedule = ${item.schedule} AND o.at = ${item.scheduled_at})`,
        }),
      },
      conflict: "DO NOTHING",
    }),
    record: t.insert({
      into: "occurrences",
      rows: {
        list: OCCURRENCES,
        param: "occurrences",
        values: (item) => valuesOf(OCCURRENCES, item),
        guard: (item) => ({ from: "{schedules} AS s", where: `s.name = ${item.schedule} AND s.mark = :mark` }),
      },
      conflict: "DO NOTHING",
    }),
    resign: t.sql("UPDATE {lease} SET holder = NULL WHERE id = 1 AND holder = :holder AND token = :term"),
    leads: t.sql("SELECT 1 AS leads FROM {lease} WHERE id = 1 AND holder = :holder AND token = :term"),
    unmoved: t.select({
      list: FIRINGS,
      param: "firings",
      select: (item) => `${item.ord} AS ord`,
      join: (item) => `LEFT JOIN {schedules} AS s ON s.name = ${item.name}`,
      where: () => "s.mark IS NULL OR s.mark < :from OR s.mark >= :to",
    }),
    notInserted: t.select({
      list: JOBS,
      param: "jobs",
      select: (item) => `${item.ord} AS ord`,
      join: (item) => `LEFT JOIN {jobs} AS j ON j.id = ${item.id}`,
      where: () => "j.inserted_by IS NULL OR j.inserted_by <> :op",
    }),
  };
}

/** The batch of a fire. */
export function fire(s: FireStatements, request: FireRequest, marks: Args): Operation<FireReply> {
  const { now, lease, firings } = request;
  const { dialect } = s.t;
  const { effects } = s;
  const jobs = firings.flatMap((firing) => firing.jobs);
  const outcomes = firings.flatMap((firing) => firing.occurrences);
  const batch = new Batch<"notInserted" | "leads" | "unmoved">({
    ...marks,
    now,
    holder: lease?.holder ?? null,
    term: lease?.token ?? null,
    firings: listOf(dialect, FIRINGS, firings),
    jobs: listOf(dialect, JOBS, jobs, now),
    occurrences: listOf(dialect, OCCURRENCES, outcomes),
    error: OVERLAP_ERROR,
  });
  const move = lease ? s.moveLeased : s.move;
  batch.run(move);
  const cancels = firings.some((firing) => firing.cancelUnfinished);
  if (cancels) batch.run(s.cancelUnfinished);
  if (jobs.length > 0) {
    batch.run(s.insertJobs);
    batch.read("notInserted", s.notInserted, { sql: s.insertJobs, changes: jobs.length });
  }
  if (outcomes.length > 0) batch.run(s.record);
  const limited = jobs.some((job) => job.limit);
  if (limited) batch.run(effects.limits.markInserted);
  // Cancelled jobs make room for the inserted ones: admission runs once, after both.
  if (cancels) addEndingEffects(batch, effects);
  else if (limited) batch.run(...effects.limits.admit);
  if (lease) batch.read("leads", s.leads);
  if (lease && request.resign) batch.run(s.resign);
  batch.read("unmoved", s.unmoved, { sql: move, changes: firings.length });
  return operation(batch, () => {
    const fired = without(
      firings.map(({ name }) => name),
      batch.rows("unmoved"),
    );
    const inserted = without(
      jobs.map(({ id }) => id),
      batch.rows("notInserted"),
    );
    // A fire that gave up the lease and is sent again finds it gone, but had it when it moved its schedules.
    const leads = lease === null || fired.length > 0 || batch.rows("leads").length > 0;
    return { leads, fired, jobs: inserted };
  });
}

/** Names without those whose place in the list a row names. */
function without(names: string[], rows: readonly Row[]): string[] {
  const missing = new Set(rows.map((row) => int(row["ord"])));
  return missing.size === 0 ? names : names.filter((_, place) => !missing.has(place));
}
