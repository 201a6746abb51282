/**
 * Who leads, and what is due? One write takes or renews the lease, one read finds what is due (tricks 17 and 28 of
 * docs/sql.md).
 */
import type { BeginTickReply, BeginTickRequest } from "../../storage/port.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Args, Row, Sql } from "../driver.ts";
import { dueScheduleOf, int, intOrNull, leaseOf, SCHEDULE_COLUMNS } from "../rows.ts";
import type { Templates } from "../template.ts";
import { jobsAt, LIMIT_AT, one } from "./queue_state.ts";

/** A tick that keeps the lease, or one that gives it up at once where nothing is due. */
interface TickStatements {
  readonly acquire: Sql;
  /** The lease, the next instants at which there is work, and each due schedule: a row per schedule, or one without. */
  readonly found: Sql;
}

/** Statements of the lease. */
export interface LeaseStatements {
  readonly keeping: TickStatements;
  readonly resigning: TickStatements;
  readonly resign: Sql;
}

/** Earlier than any instant. */
const EARLIEST = Number.MIN_SAFE_INTEGER;

/** Prepares the statements. @param notification text of a SELECT that notifies others of a lease given up; null: none */
export function leaseStatements(t: Templates, notification: string | null): LeaseStatements {
  const nextAfter = (bound: string): string =>
    `(SELECT next_at FROM {schedules} WHERE state = 'active' AND next_at ${bound} ORDER BY next_at LIMIT 1)`;
  const acquire = (holder: string): Sql =>
    t.sql(`UPDATE {lease} SET token = CASE WHEN holder = :holder AND token = :term THEN token ELSE token + 1 END,
      (holder, first_at) = (SELECT ${holder}, min(next_at) FROM {schedules} WHERE state = 'active' AND next_at IS NOT NULL),
      expires_at = :until, mark = :mark WHERE id = 1 AND (holder IS NULL OR expires_at <= :now
        OR (holder = :holder AND (:term IS NULL OR token = :term)))`);
  // Trick 14: the bound is null, so that no schedule is read, where the caller does not lead or nothing is due.
  const due = t.dialect.firstOf({
    table: "{schedules}",
    alias: "s",
    where: `s.state = 'active' AND s.next_at <= :now
      AND s.next_at >= CASE WHEN l.mark = :mark AND l.first_at <= :now THEN ${EARLIEST} END`,
    order: "s.next_at, s.name",
    limit: "(SELECT :most)",
  });
  const found = (notified: string): Sql =>
    t.sql(`SELECT l.holder, l.token, l.expires_at, CASE WHEN l.mark = :mark THEN 1 ELSE 0 END AS leads,
        CASE WHEN l.mark = :mark THEN CASE WHEN l.first_at <= :now THEN ${nextAfter("> :now")} ELSE l.first_at END
          ELSE ${nextAfter("IS NOT NULL")} END AS later_at,
        ${LIMIT_AT} AS limit_at, ${jobsAt(t)} AS jobs_at${notified}, ${SCHEDULE_COLUMNS},
        CASE WHEN s.watches_jobs = 1 THEN ${one("{jobs} AS j WHERE j.schedule = s.name AND j.finished_at IS NULL")} ELSE 0 END AS busy
      FROM {lease} AS l ${due.join} WHERE l.id = 1 ${due.end}`);
  const givenUp = `, CASE WHEN l.mark = :mark AND l.holder IS NULL THEN (${notification}) END AS notified`;
  return {
    keeping: { acquire: acquire(":holder"), found: found("") },
    resigning: {
      acquire: acquire("CASE WHEN min(next_at) <= :now THEN :holder END"),
      found: found(notification === null ? "" : givenUp),
    },
    resign: t.sql(
      "UPDATE {lease} SET holder = NULL WHERE id = 1 AND holder = :holder AND token = :term RETURNING token",
    ),
  };
}

/** The batch of a beginTick. */
export function beginTick(s: LeaseStatements, request: BeginTickRequest, marks: Args): Operation<BeginTickReply> {
  const { holder, token, now, ttlMs, maxDue } = request;
  const { acquire, found } = request.resignIfIdle ? s.resigning : s.keeping;
  const batch = new Batch<"found">({ ...marks, holder, term: token, now, until: now + ttlMs, most: maxDue + 1 });
  batch.run(acquire);
  batch.read("found", found);
  return operation(batch, () => beginTickReply(batch.rows("found"), request));
}

/** Reads the reply of {@link beginTick}. @param found the lease beside each due schedule; one row where none is due */
function beginTickReply(found: readonly Row[], { now, maxDue }: BeginTickRequest): BeginTickReply {
  const lease = found[0]!;
  const due = found.filter((row) => row["name"] !== null);
  const more = due[maxDue];
  const instants = [lease["limit_at"], lease["jobs_at"]].map(intOrNull).filter((at) => at !== null);
  return {
    lease: leaseOf(lease),
    leads: int(lease["leads"]) === 1,
    due: due.slice(0, maxDue).map(dueScheduleOf),
    nextAt: intOrNull(more ? more["next_at"] : lease["later_at"]),
    jobsAt: instants.length > 0 ? Math.max(now, Math.min(...instants)) : null,
  };
}

/** The batch of a resign. @returns whether the lease was given up */
export function resign(s: LeaseStatements, request: { holder: string; token: number }): Operation<boolean> {
  const batch = new Batch<"resigned">({ holder: request.holder, term: request.token });
  batch.read("resigned", s.resign);
  return operation(batch, () => batch.rows("resigned").length > 0);
}
