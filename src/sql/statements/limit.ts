/**
 * Which held jobs may go? Admission to the global limits of jobs, by key.
 *
 * Whatever may open a limit first marks its row, which also locks it, so that two batches never admit to one key at
 * once. Then, for all marked keys: what has become available stands in line, the room is counted (places free, and starts
 * that the rate's window still allows), the first of the line go, and `next_at` says when time alone may let more go.
 * A batch that marks no key pays six statements that find nothing.
 */
import type { Sql } from "../driver.ts";
import type { Templates } from "../template.ts";
import { columnsOf, JOBS } from "./lists.ts";

/** Most jobs of a key admitted in one batch; the next claim goes on. */
const MAX_ADMITTED = 1000;

const PLACES = `CASE WHEN l.concurrency IS NULL THEN ${MAX_ADMITTED} ELSE l.concurrency - (SELECT count(*) FROM {jobs} AS j
  WHERE j.limit_key = l.key AND j.held = 0 AND j.finished_at IS NULL) END`;

const USED = `(SELECT COALESCE(sum(s.count), 0) FROM {starts} AS s
  WHERE s.scope = 'limit:' || l.key AND s.at > :now - l.rate_per_ms)`;

const WAITING = `(SELECT count(*) FROM (SELECT 1 FROM {jobs} AS j
  WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1 LIMIT ${MAX_ADMITTED}) AS line)`;

/** The start whose leaving the window makes room: the `count`-th most recent one. */
const FREE_AT = `(SELECT w.at + l.rate_per_ms FROM (SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
  FROM {starts} AS s WHERE s.scope = 'limit:' || l.key AND s.at > :now - l.rate_per_ms) AS w
  WHERE w.running >= l.rate_count ORDER BY w.at DESC LIMIT 1)`;

/** Statements of admission. */
export interface LimitStatements {
  /** Marks the keys of the jobs of the list `jobs` that this batch inserted, with the settings of the last of each key. */
  readonly markInserted: Sql;
  /** Marks the keys of jobs that ended with this batch's marks. */
  readonly markEnded: Sql;
  /** Marks the keys of jobs in the texts `ids` that carry this batch's mark, with the settings of the job itself. */
  readonly markRevived: Sql;
  /** Admits to the marked keys; all in this order. */
  readonly admit: readonly Sql[];
}

/** Prepares the statements of admission. */
export function limitStatements(t: Templates): LimitStatements {
  const d = t.dialect;
  const upsert = (from: string): Sql =>
    t.sql(`INSERT INTO {limits} (key, concurrency, rate_count, rate_per_ms, room, next_at, mark)
      SELECT limit_key, limit_concurrency, limit_count, limit_per_ms, 0, NULL, :mark FROM (${from}) AS latest
      WHERE place = 1 ORDER BY limit_key
      ON CONFLICT (key) DO UPDATE SET concurrency = excluded.concurrency, rate_count = excluded.rate_count,
        rate_per_ms = excluded.rate_per_ms, mark = excluded.mark`);
  const settings = "j.limit_key, j.limit_concurrency, j.limit_count, j.limit_per_ms";
  return {
    markInserted:
      upsert(`SELECT ${settings}, row_number() OVER (PARTITION BY j.limit_key ORDER BY item.ord DESC) AS place
      FROM ${d.list("jobs", JOBS.columns)} AS item JOIN {jobs} AS j ON j.id = item.id
      WHERE j.mark = :mark AND j.limit_key IS NOT NULL`),
    markRevived: upsert(`SELECT ${settings}, row_number() OVER (PARTITION BY j.limit_key ORDER BY j.id DESC) AS place
      FROM ${d.texts("ids")} AS item JOIN {jobs} AS j ON j.id = item.value
      WHERE j.mark = :mark AND j.limit_key IS NOT NULL`),
    markEnded: t.sql(`UPDATE {limits} SET mark = :mark WHERE key IN (SELECT limit_key FROM {jobs}
      WHERE mark IN (:mark, :cascade) AND tied > 0 AND finished_at IS NOT NULL AND limit_key IS NOT NULL)`),
    admit: [
      t.sql(`UPDATE {jobs} SET due = 1 WHERE held = 1 AND due = 0 AND available_at <= :now
        AND limit_key IN (SELECT key FROM {limits} WHERE mark = :mark)`),
      t.sql(`UPDATE {limits} AS l SET room = CASE WHEN l.rate_count IS NULL THEN ${PLACES}
        ELSE ${d.least(d.least(PLACES, `l.rate_count - ${USED}`), WAITING)} END WHERE l.mark = :mark`),
      t.sql("UPDATE {limits} SET room = 0 WHERE mark = :mark AND room < 0"),
      t.sql(
        `UPDATE {jobs} SET held = 0 WHERE id IN (${d.topJobs({
          jobs: "{jobs}",
          outer: "(SELECT key, room FROM {limits} WHERE mark = :mark AND room > 0)",
          where: "limit_key = outer_row.key AND held = 1 AND due = 1",
          order: "priority DESC, available_at, id",
        })}) AND held = 1 AND due = 1`,
      ),
      t.sql(`INSERT INTO {starts} (scope, at, op, count) SELECT 'limit:' || key, :now, :mark, room FROM {limits}
        WHERE mark = :mark AND rate_count IS NOT NULL AND room > 0
        ON CONFLICT (scope, at, op) DO UPDATE SET count = {starts}.count + excluded.count`),
      t.sql(`UPDATE {limits} AS l SET mark = NULL, next_at = CASE WHEN ${PLACES} <= 0 OR l.rate_count <= 0 THEN NULL
        WHEN EXISTS (SELECT 1 FROM {jobs} AS j WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1)
          THEN CASE WHEN l.rate_count IS NULL THEN :now ELSE COALESCE(${FREE_AT}, :now) END
        ELSE (SELECT CASE WHEN f.at IS NULL OR f.at < m.at THEN m.at ELSE f.at END FROM
          (SELECT min(j.available_at) AS at FROM {jobs} AS j WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 0) AS m,
          (SELECT CASE WHEN l.rate_count IS NULL THEN NULL ELSE ${FREE_AT} END AS at) AS f WHERE m.at IS NOT NULL)
        END WHERE l.mark = :mark`),
    ],
  };
}

/** Columns of a job to insert. */
export const INSERTED_COLUMNS: string = `${columnsOf(JOBS)}, state, resuming, attempt, claims, wakes, created_at, born, mark`;

/** Values of {@link INSERTED_COLUMNS} from a list of jobs named `item`. */
export const INSERTED_VALUES: string = `${columnsOf(JOBS, "item")}, 'ready', 0, 0, 0, 0, :now, :op,
  CASE WHEN item.limit_key IS NULL THEN NULL ELSE :mark END`;
