/**
 * Which held jobs are admitted? Those that the global limit of their key has room for.
 *
 * A batch that may open a limit marks its row, which also locks it, so two batches never admit to one key at once.
 * Then, for all marked keys: held jobs whose time has come become due, the room is counted (free places, and starts
 * that the rate's window still allows), the first due jobs are admitted, and `next_at` says when time alone may next
 * open the limit. In a batch that marks no key the six statements find nothing.
 */
import type { Sql } from "../driver.ts";
import type { Values } from "../each.ts";
import type { ColumnOf, Item } from "../list.ts";
import type { Templates } from "../template.ts";
import { JOBS, valuesOf } from "./lists.ts";
import { rateWindow } from "./rate_window.ts";

/** At most so many jobs of a key are admitted in one batch; the next claim admits the rest. */
const MAX_ADMITTED = 1000;

const PLACES = `CASE WHEN l.concurrency IS NULL THEN ${MAX_ADMITTED} ELSE l.concurrency - (SELECT count(*) FROM {jobs} AS j
  WHERE j.limit_key = l.key AND j.held = 0 AND j.finished_at IS NULL) END`;

const WAITING = `(SELECT count(*) FROM (SELECT 1 FROM {jobs} AS j
  WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1 LIMIT ${MAX_ADMITTED}) AS waiting)`;

const { used: USED, freeAt: FREE_AT } = rateWindow("l", "'limit:' || l.key");

/** Statements that admit held jobs to the limits that the batch has marked. */
export interface AdmissionStatements {
  /** Held jobs whose time has come become due. */
  readonly becomeDue: Sql;
  /** Counts the room of each limit: places that are free, and starts that the rate's window still allows. */
  readonly countRoom: Sql;
  /** Where a limit was lowered, more may be admitted than it has places. */
  readonly noNegativeRoom: Sql;
  /** Admits the first held jobs of each limit, as far as it has room. */
  readonly admit: Sql;
  /** Counts the admissions against the rate. */
  readonly countStarts: Sql;
  /** Takes the mark off again, and writes down when time alone may next open the limit. */
  readonly finish: Sql;
}

/** Statements of limits. */
export interface LimitStatements {
  /**
   * Marks the limits of jobs of the list `jobs` that this batch inserted; the last job of each key gives the settings
   * (trick 11).
   */
  readonly markInserted: Sql;
  /** Marks the limits of jobs that this batch ended. */
  readonly markEnded: Sql;
  /** Marks the limits of jobs of the texts `ids` that this batch put back; the last job of each key gives the settings. */
  readonly markPutBack: Sql;
  readonly admission: AdmissionStatements;
  /** The statements of admission, in order. */
  readonly admit: readonly Sql[];
}

/** Prepares the statements of admission. */
export function limitStatements(t: Templates): LimitStatements {
  const d = t.dialect;
  const upsert = (latest: string): Sql =>
    t.insert({
      into: "limits",
      rows: {
        values: {
          key: "limit_key",
          concurrency: "limit_concurrency",
          rate_count: "limit_count",
          rate_per_ms: "limit_per_ms",
          room: "0",
          next_at: "NULL",
          mark: ":mark",
        },
        from: `(${latest}) AS latest WHERE place = 1 ORDER BY limit_key`,
      },
      conflict: `(key) DO UPDATE SET concurrency = excluded.concurrency, rate_count = excluded.rate_count,
        rate_per_ms = excluded.rate_per_ms, mark = excluded.mark`,
    });
  const settings = "j.limit_key, j.limit_concurrency, j.limit_count, j.limit_per_ms";
  const admission: AdmissionStatements = {
    becomeDue: t.sql(`UPDATE {jobs} SET due = 1 WHERE held = 1 AND due = 0 AND available_at <= :now
        AND limit_key IN (SELECT key FROM {limits} WHERE mark = :mark)`),
    countRoom: t.sql(`UPDATE {limits} AS l SET room = CASE WHEN l.rate_count IS NULL THEN ${PLACES}
        ELSE ${d.least(d.least(PLACES, `l.rate_count - ${USED}`), WAITING)} END WHERE l.mark = :mark`),
    noNegativeRoom: t.sql("UPDATE {limits} SET room = 0 WHERE mark = :mark AND room < 0"),
    admit: t.sql(
      `UPDATE {jobs} SET held = 0 WHERE id IN (${d.topJobs({
        jobs: "{jobs}",
        outer: "(SELECT key, room FROM {limits} WHERE mark = :mark AND room > 0)",
        where: "limit_key = outer_row.key AND held = 1 AND due = 1",
        order: "priority DESC, available_at, id",
      })}) AND held = 1 AND due = 1`,
    ),
    countStarts: t.insert({
      into: "starts",
      rows: {
        values: { scope: "'limit:' || key", at: ":now", op: ":mark", count: "room" },
        from: "{limits} WHERE mark = :mark AND rate_count IS NOT NULL AND room > 0",
      },
      conflict: "(scope, at, op) DO UPDATE SET count = {starts}.count + excluded.count",
    }),
    finish:
      t.sql(`UPDATE {limits} AS l SET mark = NULL, next_at = CASE WHEN ${PLACES} <= 0 OR l.rate_count <= 0 THEN NULL
        WHEN EXISTS (SELECT 1 FROM {jobs} AS j WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1)
          THEN CASE WHEN l.rate_count IS NULL THEN :now ELSE COALESCE(${FREE_AT}, :now) END
        ELSE (SELECT CASE WHEN f.at IS NULL OR f.at < m.at THEN m.at ELSE f.at END FROM
          (SELECT min(j.available_at) AS at FROM {jobs} AS j WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 0) AS m,
          (SELECT CASE WHEN l.rate_count IS NULL THEN NULL ELSE ${FREE_AT} END AS at) AS f WHERE m.at IS NOT NULL)
        END WHERE l.mark = :mark`),
  };
  return {
    markInserted:
      upsert(`SELECT ${settings}, row_number() OVER (PARTITION BY j.limit_key ORDER BY item.ord DESC) AS place
      FROM ${t.list(JOBS, "jobs")} AS item JOIN {jobs} AS j ON j.id = item.id
      WHERE j.mark = :mark AND j.limit_key IS NOT NULL`),
    markPutBack: upsert(`SELECT ${settings}, row_number() OVER (PARTITION BY j.limit_key ORDER BY j.id DESC) AS place
      FROM ${d.texts("ids")} AS item JOIN {jobs} AS j ON j.id = item.value
      WHERE j.mark = :mark AND j.limit_key IS NOT NULL`),
    markEnded: t.sql(`UPDATE {limits} SET mark = :mark WHERE key IN (SELECT limit_key FROM {jobs}
      WHERE mark IN (:mark, :cascade) AND tied > 0 AND finished_at IS NOT NULL AND limit_key IS NOT NULL)`),
    admission,
    admit: Object.values(admission),
  };
}

/** Values of a row for a job to insert; a job with a limit is marked, so that its limit admits it. */
export function insertedJob(item: Item<ColumnOf<typeof JOBS>>): Values {
  return {
    ...valuesOf(JOBS, item),
    state: "'ready'",
    resuming: "0",
    attempt: "0",
    claims: "0",
    arrivals: "0",
    created_at: ":now",
    inserted_by: ":op",
    mark: `CASE WHEN ${item.limit_key} IS NULL THEN NULL ELSE :mark END`,
  };
}
