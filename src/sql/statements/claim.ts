/**
 * How does a worker get its jobs, with all they need, in one batch?
 *
 * First time does its work: a bounded number of jobs whose alarm has gone off become ready, or expire with all that
 * follows. Then the claim: of each queue the first in line, as far as the queue has room, taken turn by turn. The caller's
 * token is the mark: steps, signals and ended children are read for just the jobs that carry it. A token that is
 * already on a job claims no more, so a claim whose reply was lost can be sent again.
 */
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../../storage/port.ts";
import { Batch, type Operation, type SentBatch } from "../batch.ts";
import type { Args, Sql, Value } from "../driver.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, type EndingEffectStatements } from "./ending_effects.ts";
import { addHistory, type HistoryName, type HistoryStatements, historyOf, historyStatements } from "./history.ts";
import { ALARMED, CLAIMABLE, earliestOf, type QueueStateStatements, roomOf } from "./queue_state.ts";

/** JSON error of a job that was not started in time. */
const EXPIRED_ERROR = '{"name":"BelfryError","code":"JOB_EXPIRED","message":"it was not started before it expired"}';

/** Alarms handled by a claim, beyond twice its limit. */
const MIN_ALARMS = 100;

/** Statements of claiming. */
export interface ClaimStatements {
  readonly t: Templates;
  readonly effects: EndingEffectStatements;
  readonly queueState: QueueStateStatements;
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
export function claimStatements(
  t: Templates,
  effects: EndingEffectStatements,
  queueState: QueueStateStatements,
): ClaimStatements {
  const d = t.dialect;
  const taken = `queue ${d.oneOf("queues")} AND claim_token = :token`;
  const takes = new Map<string, Sql>();
  const firstAlarm = (where: string): string =>
    `(SELECT j.queue FROM {jobs} AS j WHERE ${ALARMED}${where} ORDER BY j.queue LIMIT 1)`;
  const expires = "j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= :now";
  const lockToken = d.lockText("token");
  return {
    t,
    effects,
    queueState,
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
        error = CASE WHEN ${expires} THEN :expired ELSE j.error END,
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

/** A claim in two parts: its locks come first, also where other work comes between. */
export interface ClaimOperation extends Operation<ClaimReply> {
  readonly locks: SentBatch;
  readonly claim: SentBatch;
}

/** The batch of a claim. */
export function claim(s: ClaimStatements, request: ClaimRequest, marks: Args): ClaimOperation {
  const { tasks, token, now, limit } = request;
  const queues = [...new Set(request.queues)];
  const { encodeTexts } = s.t.dialect;
  const args: Record<string, Value> = {
    ...marks,
    token,
    worker: request.worker,
    now,
    until: now + request.claimMs,
    limit,
    alarms: Math.max(MIN_ALARMS, 2 * limit),
    queues: encodeTexts(queues),
    tasks: tasks && encodeTexts(tasks),
    expired: EXPIRED_ERROR,
    error: null,
  };
  for (const [i, queue] of queues.entries()) args[`queue${i}`] = queue;
  const locks = new Batch(args);
  if (s.lockToken) locks.run(s.lockToken, s.lockQueues);
  const batch = new Batch<HistoryName | "queues">(args);
  batch.run(s.alarm, s.openLimits);
  addEndingEffects(batch, s.effects);
  batch.run(s.take(queues.length, tasks !== null), s.countStarts);
  addHistory(batch, s.history);
  batch.read("queues", tasks ? s.queueState.askedTasks : s.queueState.asked);
  const reply = (): ClaimReply => ({
    jobs: inTurns(historyOf(batch), queues),
    nextAt: earliestOf(batch.rows("queues"), now),
  });
  return { batches: [locks, batch], args, reply, locks, claim: batch };
}

/**
 * An operation with a piggybacked claim behind it. The claim's locks go first: every batch that claims locks queues before
 * jobs and limits.
 *
 * @param claim null: the operation as it is
 */
export function withClaim<Reply extends object>(
  own: Operation<Reply>,
  claim: ClaimOperation | null,
): Operation<Reply & { claimed?: ClaimReply }> {
  if (!claim) return own;
  return {
    batches: [claim.locks, ...own.batches, claim.claim],
    args: own.args,
    reply: () => ({ ...own.reply(), claimed: claim.reply() }),
  };
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
