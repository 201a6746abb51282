/**
 * How many jobs of each queue are ready, scheduled, held, running, waiting and failed? Counted in the partial indexes
 * that hold just those.
 */
import type { ScheduleState, StatsReply } from "../../storage/port.ts";
import { ONLY_SKIPS_FROM } from "../../storage/states.ts";
import { Batch, type Operation, operation } from "../batch.ts";
import type { Row, Sql } from "../driver.ts";
import { int, intOrNull, leaseOf } from "../rows.ts";
import type { Templates } from "../template.ts";
import { CLAIMABLE } from "./queue_state.ts";

/** Statements of the counts. */
export interface StatsStatements {
  readonly queues: Sql;
  readonly schedules: Sql;
  readonly lease: Sql;
  readonly next: Sql;
}

/** Prepares the statements. */
export function statsStatements(t: Templates): StatsStatements {
  // Trick 22: the CASTs.
  const count = (what: string, where: string, oldest = "NULL"): string =>
    `SELECT queue, '${what}' AS what, count(*) AS jobs, CAST(${oldest} AS bigint) AS oldest FROM {jobs} WHERE ${where} GROUP BY queue`;
  const later = (op: string): string =>
    `alarm_at IS NOT NULL AND state = 'ready' AND due = 0 AND held = 0 AND available_at ${op} :now`;
  return {
    queues: t.sql(
      unionOf([
        count("ready", `${CLAIMABLE} AND available_at <= :now`, "min(available_at)"),
        // Their time has come; the next claim makes them due.
        count("ready", later("<="), "min(available_at)"),
        count("scheduled", later(">")),
        // They became due before the clock was set back.
        count("scheduled", `${CLAIMABLE} AND available_at > :now`),
        count("held", "held = 1 AND due = 1 AND available_at <= :now"),
        count("scheduled", "held = 1 AND due = 1 AND available_at > :now"),
        count("held", "held = 1 AND due = 0 AND available_at <= :now"),
        count("scheduled", "held = 1 AND due = 0 AND available_at > :now"),
        count("running", "claim_token IS NOT NULL"),
        count("waiting", "state = 'waiting'"),
        count("failed", "state = 'failed' AND finished_at IS NOT NULL"),
        "SELECT name AS queue, 'paused' AS what, paused AS jobs, CAST(NULL AS bigint) AS oldest FROM {queues}",
      ]),
    ),
    schedules:
      t.sql(`SELECT state, count(*) AS schedules, sum(CASE WHEN skips >= ${ONLY_SKIPS_FROM} THEN 1 ELSE 0 END) AS skips
      FROM {schedules} GROUP BY state`),
    lease: t.sql("SELECT holder, token, expires_at FROM {lease} WHERE id = 1"),
    next: t.sql(
      `SELECT next_at FROM {schedules} WHERE state = 'active' AND next_at IS NOT NULL ORDER BY next_at LIMIT 1`,
    ),
  };
}

/** Terms of one compound SELECT (trick 25). */
const MAX_TERMS = 5;

/** All rows of some queries: a union of unions, each within the limit. */
function unionOf(queries: readonly string[]): string {
  const groups: string[] = [];
  for (let i = 0; i < queries.length; i += MAX_TERMS) {
    groups.push(`SELECT * FROM (${queries.slice(i, i + MAX_TERMS).join(" UNION ALL ")}) AS part${i}`);
  }
  return groups.join(" UNION ALL ");
}

/** The batch of the counts. */
export function stats(s: StatsStatements, now: number): Operation<StatsReply> {
  const batch = new Batch<keyof StatsStatements>({ now });
  for (const name of ["queues", "schedules", "lease", "next"] as const) batch.read(name, s[name]);
  return operation(batch, () => ({
    queues: depthsOf(batch.rows("queues")),
    ...schedulesOf(batch.rows("schedules")),
    lease: leaseOf(batch.rows("lease")[0]),
    nextAt: intOrNull(batch.rows("next")[0]?.["next_at"]),
  }));
}

type QueueDepth = StatsReply["queues"][number];

/** Depths of the queues, by name. */
function depthsOf(rows: readonly Row[]): QueueDepth[] {
  const queues = new Map<string, QueueDepth>();
  for (const row of rows) {
    const name = row["queue"] as string;
    let depth = queues.get(name);
    if (!depth) {
      depth = {
        queue: name,
        ready: 0,
        scheduled: 0,
        held: 0,
        running: 0,
        waiting: 0,
        failed: 0,
        oldestReadyAt: null,
        paused: false,
      };
      queues.set(name, depth);
    }
    const what = row["what"] as "ready" | "scheduled" | "held" | "running" | "waiting" | "failed" | "paused";
    if (what === "paused") depth.paused = int(row["jobs"]) === 1;
    else depth[what] += int(row["jobs"]);
    const oldest = intOrNull(row["oldest"]);
    if (oldest !== null) depth.oldestReadyAt = Math.min(oldest, depth.oldestReadyAt ?? oldest);
  }
  return [...queues.values()].sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

/** How many schedules are in each state, and how many of the active ones only skip. */
function schedulesOf(rows: readonly Row[]): Pick<StatsReply, "schedules" | "onlySkips"> {
  const schedules: Record<ScheduleState, number> = { active: 0, paused: 0, ended: 0, broken: 0 };
  let onlySkips = 0;
  for (const row of rows) {
    schedules[row["state"] as ScheduleState] = int(row["schedules"]);
    if (row["state"] === "active") onlySkips = int(row["skips"]);
  }
  return { schedules, onlySkips };
}
