/**
 * Who leads, and what is due? The batch of an idle tick: one write of the lease, and reads that stop at the first row.
 *
 * The lease is one row that always exists; `holder` is null when nobody leads, and the token stays, so that it only
 * grows. An idle tick reads the lease twice and one schedule; whoever does not lead drops what is due.
 */
import type { BeginTickReply, BeginTickRequest } from "../../storage.ts";
import type { Args, Query, Row, Sql } from "../driver.ts";
import { dueScheduleOf, intOrNull, leaseOf, SCHEDULE_COLUMNS } from "../rows.ts";
import type { Templates } from "../template.ts";
import { earliestOf, LIMIT_AT, type LineStatements } from "./line.ts";

/** Statements of the lease. */
export interface LeaseStatements {
  readonly acquire: Sql;
  readonly due: Sql;
  /** The lease, and when time next brings something. */
  readonly state: Sql;
  readonly resignIfIdle: Sql;
  readonly resign: Sql;
}

/** Prepares the statements. */
export function leaseStatements(t: Templates): LeaseStatements {
  return {
    acquire:
      t.sql(`UPDATE {lease} SET token = CASE WHEN holder = :holder AND token = :term THEN token ELSE token + 1 END,
      holder = :holder, expires_at = :until, mark = :mark WHERE id = 1 AND (holder IS NULL OR expires_at <= :now
        OR (holder = :holder AND (:term IS NULL OR token = :term))) RETURNING token`),
    due: t.sql(`SELECT ${SCHEDULE_COLUMNS}, CASE WHEN s.watches_jobs = 1 AND EXISTS (SELECT 1 FROM {jobs} AS j
        WHERE j.schedule = s.name AND j.finished_at IS NULL) THEN 1 ELSE 0 END AS busy
      FROM {schedules} AS s WHERE state = 'active' AND next_at <= :now
      ORDER BY next_at, name LIMIT (SELECT :most)`),
    state: t.sql(`SELECT l.holder, l.token, l.expires_at, CASE WHEN l.mark = :mark THEN
        (SELECT next_at FROM {schedules} WHERE state = 'active' AND next_at > :now ORDER BY next_at LIMIT 1) ELSE
        (SELECT next_at FROM {schedules} WHERE state = 'active' AND next_at IS NOT NULL ORDER BY next_at LIMIT 1)
      END AS next_at, ${LIMIT_AT} AS limit_at FROM {lease} AS l WHERE l.id = 1`),
    resignIfIdle: t.sql(`UPDATE {lease} SET holder = NULL WHERE id = 1 AND mark = :mark
      AND NOT EXISTS (SELECT 1 FROM {schedules} WHERE state = 'active' AND next_at <= :now)
      RETURNING token`),
    resign: t.sql(
      "UPDATE {lease} SET holder = NULL WHERE id = 1 AND holder = :holder AND token = :term RETURNING token",
    ),
  };
}

/** The batch of a beginTick. */
export function beginTick(s: LeaseStatements, lines: LineStatements, request: BeginTickRequest, marks: Args): Query[] {
  const { holder, token, now, ttlMs, maxDue } = request;
  const args = { ...marks, holder, term: token, now, until: now + ttlMs, most: maxDue + 1 };
  const sqls = [s.acquire, s.due, s.state, lines.all, ...(request.resignIfIdle ? [s.resignIfIdle] : [])];
  return sqls.map((sql) => ({ sql, args }));
}

/** Reads the reply of {@link beginTick}. */
export function beginTickReply(rows: readonly Row[][], request: BeginTickRequest): BeginTickReply {
  const [acquired, dueRows, [state], lineRows, resigned = []] = rows as [Row[], Row[], Row[], Row[], Row[]?];
  const leads = acquired.length > 0;
  const due = leads ? dueRows.slice(0, request.maxDue).map(dueScheduleOf) : [];
  const more = leads ? dueRows[request.maxDue] : undefined;
  return {
    lease: resigned.length > 0 ? null : leaseOf(state),
    leads,
    due,
    nextAt: intOrNull((more ?? state!)["next_at"]),
    jobsAt: earliestOf(lineRows, request.now, intOrNull(state!["limit_at"])),
  };
}
