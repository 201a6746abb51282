/**
 * How does a worker get its jobs, with all they need, in one batch?
 *
 * First time does its work: a bounded number of jobs whose alarm has gone off become ready, or expire with all that
 * follows. Then the claim: of each queue the first in line, as far as the queue has room, taken turn by turn. The caller's
 * token is the mark: steps, signals and ended children are read for just the jobs that carry it. A token that is
 * already on a job claims no more, so a claim whose reply was lost can be sent again.
 */
import type {
  ChildOutcome,
  ClaimedJob,
  ClaimReply,
  ClaimRequest,
  SignalRecord,
  StepRecord,
} from "../../storage/port.ts";
import type { Args, Query, Row, Sql, Value } from "../driver.ts";
import { childOf, JOB_COLUMNS, jobOf, signalOf, stepOf } from "../rows.ts";
import type { Templates } from "../template.ts";
import { type ConsequenceStatements, consequences } from "./consequence.ts";
import { ALARMED, CLAIMABLE, earliestOf, type LineStatements, roomOf } from "./line.ts";

/** JSON error of a job that was not started in time. */
const EXPIRED_ERROR = '{"name":"BelfryError","code":"JOB_EXPIRED","message":"it was not started before it expired"}';

/** Alarms handled by a claim, beyond twice its limit. */
const MIN_ALARMS = 100;

/** Statements that read jobs with their history. */
export interface HistoryStatements {
  readonly jobs: Sql;
  readonly steps: Sql;
  readonly signals: Sql;
  readonly children: Sql;
}

/** Prepares the statements that read the jobs of a selection and their history. */
export function historyStatements(t: Templates, where: string): HistoryStatements {
  const ids = `(SELECT id FROM {jobs} WHERE ${where})`;
  return {
    jobs: t.sql(`SELECT ${JOB_COLUMNS} FROM {jobs} WHERE ${where}`),
    steps: t.sql(`SELECT job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id, signal_key,
        started_at, finished_at
      FROM {steps} WHERE job_id IN ${ids}`),
    signals: t.sql(`SELECT job_id, name, key, payload, sent_at, seq FROM {signals} WHERE job_id IN ${ids}
      ORDER BY job_id, seq`),
    children: t.sql(`SELECT parent_id, id, state, result, error, finished_at FROM {jobs}
      WHERE parent_id IN ${ids} AND finished_at IS NOT NULL`),
  };
}

/** Puts jobs and their history together. */
export function jobsWithHistory(jobs: readonly Row[], history: readonly (readonly Row[])[]): ClaimedJob[] {
  const [steps, signals, children] = history as [Row[], Row[], Row[]];
  const byJob = <T>(rows: readonly Row[], key: string, read: (row: Row) => T): Map<string, T[]> => {
    const groups = new Map<string, T[]>();
    for (const row of rows) {
      const id = row[key] as string;
      const group = groups.get(id);
      if (group) group.push(read(row));
      else groups.set(id, [read(row)]);
    }
    return groups;
  };
  const stepsOf: Map<string, StepRecord[]> = byJob(steps, "job_id", stepOf);
  const signalsOf: Map<string, SignalRecord[]> = byJob(signals, "job_id", signalOf);
  const childrenOf: Map<string, ChildOutcome[]> = byJob(children, "parent_id", childOf);
  return jobs.map((row) => {
    const job = jobOf(row) as ClaimedJob;
    job.steps = stepsOf.get(job.id) ?? [];
    job.signals = signalsOf.get(job.id) ?? [];
    job.children = childrenOf.get(job.id) ?? [];
    return job;
  });
}

/** Statements of claiming. */
export interface ClaimStatements {
  readonly lockQueues: Sql;
  readonly lockToken: Sql | null;
  readonly alarm: Sql;
  /** Marks the limits that time has opened. */
  readonly openLimits: Sql;
  readonly countStarts: Sql;
  readonly history: HistoryStatements;
  /** The claim itself, for a number of queues. */
  take(queues: number, tasks: boolean): Sql;
}

/** Prepares the statements. */
export function claimStatements(t: Templates): ClaimStatements {
  const d = t.dialect;
  const taken = `queue ${d.oneOf("queues")} AND claim_token = :token`;
  const takes = new Map<string, Sql>();
  const firstAlarm = (where: string): string =>
    `(SELECT j.queue FROM {jobs} AS j WHERE ${ALARMED}${where} ORDER BY j.queue LIMIT 1)`;
  const expires = "j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= :now";
  const lockToken = d.lockText("token");
  return {
    lockQueues: t.sql(`SELECT name FROM {queues} WHERE name ${d.oneOf("queues")}
      AND (concurrency IS NOT NULL OR rate_count IS NOT NULL) ORDER BY name${d.forUpdate}`),
    lockToken: lockToken === null ? null : t.sql(lockToken),
    alarm: t.sql(`WITH RECURSIVE waiting (queue) AS (SELECT ${firstAlarm("")} UNION ALL
        SELECT ${firstAlarm(" AND j.queue > w.queue")} FROM waiting AS w WHERE w.queue IS NOT NULL),
      due AS MATERIALIZED (SELECT j.id FROM waiting AS w CROSS JOIN {jobs} AS j
        WHERE j.queue = w.queue AND j.finished_at IS NULL AND j.alarm_at IS NOT NULL AND j.alarm_at <= :now AND NOT EXISTS (SELECT 1 FROM {jobs} WHERE ${taken})
        ORDER BY j.alarm_at LIMIT (SELECT :alarms)${d.skipLockedOf("j")})
      UPDATE {jobs} AS j SET
        state = CASE WHEN ${expires} THEN 'expired' ELSE 'ready' END,
        mark = CASE WHEN ${expires} THEN :mark ELSE j.mark END,
        finished_at = CASE WHEN ${expires} THEN :now END,
        error = CASE WHEN ${expires} THEN :error ELSE j.error END,
        held = CASE WHEN ${expires} THEN 0 ELSE j.held END,
        due = CASE WHEN ${expires} THEN 0 ELSE 1 END,
        resuming = CASE j.state WHEN 'waiting' THEN 1 WHEN 'running' THEN 0 ELSE j.resuming END,
        available_at = CASE WHEN ${expires} THEN NULL WHEN j.state = 'running' THEN :now ELSE j.available_at END,
        alarm_at = CASE WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at > :now THEN j.expires_at END,
        claim_token = NULL, claim_expires_at = NULL
      WHERE j.id IN (SELECT id FROM due) AND j.alarm_at <= :now`),
    openLimits: t.sql(`UPDATE {limits} SET mark = :mark WHERE next_at <= :now
      AND NOT EXISTS (SELECT 1 FROM {jobs} WHERE ${taken})`),
    countStarts: t.insert({
      into: "starts",
      rows: {
        values: { scope: "'queue:' || q.name", at: ":now", op: ":token", count: "count(*)" },
        from: `{queues} AS q JOIN {jobs} AS j ON j.queue = q.name
          WHERE q.rate_count IS NOT NULL AND q.name ${d.oneOf("queues")} AND j.claim_token = :token AND j.mark = :mark
          GROUP BY q.name`,
      },
      conflict: "DO NOTHING",
    }),
    history: historyStatements(t, taken),
    take(queues, tasks) {
      const name = `${queues} ${tasks}`;
      let take = takes.get(name);
      if (!take) {
        take = t.sql(takeTemplate(t, queues, tasks, taken));
        takes.set(name, take);
      }
      return take;
    },
  };
}

function takeTemplate(t: Templates, queues: number, tasks: boolean, taken: string): string {
  const d = t.dialect;
  const known = tasks ? ` AND task ${d.oneOf("tasks")}` : "";
  // The first of each queue, as far as it has room; a token that is on a job already gets none.
  const line = (i: number): string => {
    const room = `SELECT ${roomOf(t, "CAST(:limit AS bigint)")} AS room FROM {queues} AS q WHERE q.name = :queue${i}`;
    return `SELECT id, priority, available_at FROM {jobs} WHERE queue = :queue${i} AND ${CLAIMABLE}${known}
      ORDER BY priority DESC, available_at, id LIMIT (SELECT CASE WHEN EXISTS (SELECT 1 FROM {jobs} WHERE ${taken}) THEN 0
        ELSE COALESCE((SELECT CASE WHEN room > 0 THEN room ELSE 0 END FROM (${room}) AS known_queue), :limit) END)${d.skipLocked}`;
  };
  const turns = Array.from(
    { length: queues },
    (_, i) => `SELECT id, ${i} AS place, row_number() OVER (ORDER BY priority DESC, available_at, id) AS turn
      FROM (${line(i)}) AS line${i}`,
  );
  const chosen =
    queues === 1
      ? `WITH chosen AS MATERIALIZED (${line(0)})`
      : `WITH line AS MATERIALIZED (${turns.join(" UNION ALL ")}),
          chosen AS MATERIALIZED (SELECT id FROM line ORDER BY turn, place LIMIT (SELECT :limit))`;
  // Asked once more in a form that no index serves, since the rows are to be found by id.
  return `${chosen}
    UPDATE {jobs} SET state = 'running', due = 0, attempt = attempt + 1 - resuming, resuming = 0, claims = claims + 1,
      claim_token = :token, claim_expires_at = :until, alarm_at = :until, worker = :worker,
      started_at = COALESCE(started_at, :now), mark = :mark
    WHERE id IN (SELECT id FROM chosen) AND due - held = 1`;
}

/** The batch of a claim in two parts: locks come first, also where other work comes between. */
export interface ClaimBatch {
  locks: Query[];
  rest: Query[];
}

/** The batch of a claim. */
export function claim(
  s: ClaimStatements,
  c: ConsequenceStatements,
  lines: LineStatements,
  t: Templates,
  request: ClaimRequest & { queues: readonly string[] },
  marks: Args,
): ClaimBatch {
  const { queues, tasks, token, now, limit } = request;
  const args: Record<string, Value> = {
    ...marks,
    token,
    worker: request.worker,
    now,
    until: now + request.claimMs,
    limit,
    alarms: Math.max(MIN_ALARMS, 2 * limit),
    queues: t.dialect.encodeTexts(queues),
    tasks: tasks && t.dialect.encodeTexts(tasks),
    error: EXPIRED_ERROR,
  };
  for (const [i, queue] of queues.entries()) args[`queue${i}`] = queue;
  const query = (sql: Sql): Query => ({ sql, args });
  return {
    locks: s.lockToken ? [query(s.lockToken), query(s.lockQueues)] : [],
    rest: [
      query(s.alarm),
      query(s.openLimits),
      ...consequences(c, args),
      query(s.take(queues.length, tasks !== null)),
      query(s.countStarts),
      query(s.history.jobs),
      query(s.history.steps),
      query(s.history.signals),
      query(s.history.children),
      query(tasks ? lines.askedTasks : lines.asked),
    ],
  };
}

/**
 * Appends a piggybacked claim to a batch. The claim's locks go first: whoever claims locks queues before jobs and limits.
 */
export function withClaim(own: readonly Query[], claim: ClaimBatch): Query[] {
  const { locks, rest } = claim;
  const moved = own.map((query) => {
    const { unless } = query;
    return unless ? { ...query, unless: { ...unless, query: unless.query + locks.length } } : query;
  });
  return [...locks, ...moved, ...rest];
}

/** Reads the reply of {@link claim}. */
export function claimReply(rows: readonly Row[][], request: ClaimRequest): ClaimReply {
  const [jobRows, ...rest] = rows.slice(-5) as [Row[], Row[], Row[], Row[], Row[]];
  const jobs = jobsWithHistory(jobRows, rest.slice(0, 3));
  return { jobs: inTurns(jobs, request.queues), nextAt: earliestOf(rest[3]!, request.now) };
}

/** The order in which jobs should start: each queue's by rank, the queues turn by turn. */
function inTurns(jobs: ClaimedJob[], queues: readonly string[]): ClaimedJob[] {
  const turns = new Map<string, number>();
  const placed = jobs
    .sort((a, b) => b.priority - a.priority || a.availableAt! - b.availableAt! || (a.id < b.id ? -1 : 1))
    .map((job) => {
      const turn = turns.get(job.queue) ?? 0;
      turns.set(job.queue, turn + 1);
      return { job, turn, place: queues.indexOf(job.queue) };
    });
  return placed.sort((a, b) => a.turn - b.turn || a.place - b.place).map(({ job }) => job);
}
