/**
 * How does a worker get its jobs, with all they need, in one batch?
 *
 * First a bounded number of jobs whose alarm has come become ready, or expire with all effects of that. Then the next
 * jobs of each queue are claimed, as many as the queue has room for, taking turns between the queues. The caller's
 * token tells which: steps, signals and ended children are read for the jobs that have it. A token that is on a job
 * already claims no more, so a claim whose reply was lost can be sent again.
 */
import type { ClaimedJob, ClaimReply, ClaimRequest } from "../../storage/port.ts";
import { Batch, type Operation, type SentBatch } from "../batch.ts";
import type { Args, Sql, Value } from "../driver.ts";
import type { Templates } from "../template.ts";
import { addEndingEffects, type EndingEffectStatements } from "./ending_effects.ts";
import { addHistory, type HistoryName, type HistoryStatements, historyOf, historyStatements } from "./history.ts";
import { ALARMED, CLAIMABLE, earliestOf, type QueueStateStatements, roomOf, walkQueues } from "./queue_state.ts";

/** JSON error of a job that was not started in time. */
const EXPIRED_ERROR = '{"name":"BelfryError","code":"JOB_EXPIRED","message":"it was not started before it expired"}';

/** A claim handles at least so many alarms, and at least twice its limit. */
const MIN_ALARMS = 100;

/** Statements of claiming. */
export interface ClaimStatements {
  readonly t: Templates;
  readonly effects: EndingEffectStatements;
  readonly queueState: QueueStateStatements;
  /** Locks the settings of limited queues, so that running jobs are counted by one claim at a time. */
  readonly lockQueues: Sql;
  /** Makes two sends of one claim wait for each other; null where all batches do. */
  readonly lockToken: Sql | null;
  /** Makes jobs whose alarm has come ready, frees claims that have run out, and expires jobs. */
  readonly alarm: Sql;
  /** Marks the limits that time has opened. */
  readonly openLimits: Sql;
  /** Counts the claimed jobs against the rates of their queues. */
  readonly countStarts: Sql;
  readonly history: HistoryStatements;
  /** Claims from a number of queues. @param tasks whether only some tasks are known */
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
  const expires = "j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= :now";
  const lockToken = d.lockText("token");
  return {
    t,
    effects,
    queueState,
    lockQueues: t.sql(`SELECT name FROM {queues} WHERE name ${d.oneOf("queues")}
      AND (concurrency IS NOT NULL OR rate_count IS NOT NULL) ORDER BY name${d.forUpdate}`),
    lockToken: lockToken === null ? null : t.sql(lockToken),
    alarm: t.sql(`WITH RECURSIVE ${walkQueues("alarmed", ALARMED)},
      due AS MATERIALIZED (SELECT j.id FROM alarmed AS w CROSS JOIN {jobs} AS j
        WHERE j.queue = w.queue AND j.finished_at IS NULL AND j.alarm_at IS NOT NULL AND j.alarm_at <= :now
          AND NOT EXISTS (SELECT 1 FROM {jobs} WHERE ${taken})
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
  // The next jobs of a queue, as many as it has room for; none for a token that is on a job already (tricks 18 and 22).
  const candidates = (i: number): string => {
    const room = `SELECT ${roomOf(t, "CAST(:limit AS bigint)")} AS room FROM {queues} AS q WHERE q.name = :queue${i}`;
    return `SELECT id, priority, available_at FROM {jobs} WHERE queue = :queue${i} AND ${CLAIMABLE}${known}
      ORDER BY priority DESC, available_at, id LIMIT (SELECT CASE WHEN EXISTS (SELECT 1 FROM {jobs} WHERE ${taken}) THEN 0
        ELSE COALESCE((SELECT CASE WHEN room > 0 THEN room ELSE 0 END FROM (${room}) AS known_queue), :limit) END)${d.skipLocked}`;
  };
  const turns = Array.from(
    { length: queues },
    (_, i) => `SELECT id, ${i} AS place, row_number() OVER (ORDER BY priority DESC, available_at, id) AS turn
      FROM (${candidates(i)}) AS queue${i}`,
  );
  const chosen =
    queues === 1
      ? `WITH chosen AS MATERIALIZED (${candidates(0)})`
      : `WITH candidates AS MATERIALIZED (${turns.join(" UNION ALL ")}),
          chosen AS MATERIALIZED (SELECT id FROM candidates ORDER BY turn, place LIMIT (SELECT :limit))`;
  // The last condition repeats the choice (trick 5) in a form that no index serves (trick 19).
  return `${chosen}
    UPDATE {jobs} SET state = 'running', due = 0, attempt = attempt + 1 - resuming, resuming = 0, claims = claims + 1,
      claim_token = :token, claim_expires_at = :until, alarm_at = :until, worker = :worker,
      started_at = COALESCE(started_at, :now), mark = :mark
    WHERE id IN (SELECT id FROM chosen) AND due - held = 1`;
}

/** A claim in two parts: the locks come first, also where another operation goes between. */
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
 * An operation with a piggybacked claim behind it. The claim's locks go first: every batch that claims locks queues
 * before jobs and limits.
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

/** Sorts jobs into the order in which they should start: the jobs of a queue by rank, the queues by turns. */
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
