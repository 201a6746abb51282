-- save on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- a job completes ----------

-- save.end
-- once for each row of :ends
--   1 mark, 2 ends.tied, 3 ends.reports, 4 ends.progress, 5 ends.notes, 6 ends.state, 7 ends.result
--   8 ends.error, 9 now, 10 ends.id, 11 ends.token, 12 from, 13 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | ?2,
  progress = CASE WHEN ?3 = 1 THEN ?4 ELSE j.progress END,
  notes = COALESCE(?5, j.notes),
  state = ?6, result = ?7, error = ?8, finished_at = ?9, held = 0, due = 0, resuming = 0,
  available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
WHERE j.id = ?10
  AND j.state = 'running'
  AND j.claim_token = ?11
  AND (j.mark IS NULL OR j.mark < ?12 OR j.mark >= ?13);

-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql

-- save.saved
-- once for each row of :writes
--   1 writes.id, 2 from, 3 to
SELECT j.id, j.state, j.arrivals
FROM belfry_jobs AS j
WHERE j.id = ?1 AND j.mark >= ?2 AND j.mark < ?3;

-- ---------- a job suspends ----------

-- save.move
-- once for each row of :moves
--   1 mark, 2 moves.tied, 3 moves.reports, 4 moves.progress, 5 moves.notes, 6 moves.arrivals
--   7 moves.state, 8 moves.error, 9 moves.resuming, 10 moves.due, 11 now, 12 moves.available_at
--   13 moves.alarm_at, 14 moves.id, 15 moves.token, 16 from, 17 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | ?2,
  progress = CASE WHEN ?3 = 1 THEN ?4 ELSE j.progress END,
  notes = COALESCE(?5, j.notes),
  state = CASE WHEN j.arrivals <> ?6 THEN 'ready' ELSE ?7 END,
  error = COALESCE(?8, j.error),
  resuming = ?9,
  due = CASE WHEN j.arrivals <> ?6 THEN 1 ELSE ?10 END,
  available_at = CASE WHEN j.arrivals <> ?6 THEN ?11 ELSE ?12 END,
  alarm_at = CASE WHEN j.arrivals <> ?6 THEN NULL ELSE ?13 END,
  claim_token = NULL, claim_expires_at = NULL
WHERE j.id = ?14
  AND j.state = 'running'
  AND j.claim_token = ?15
  AND (j.mark IS NULL OR j.mark < ?16 OR j.mark >= ?17);

-- save.saved, as above

-- ---------- steps of a job that stays running ----------

-- save.stay
-- once for each row of :stays
--   1 mark, 2 stays.tied, 3 stays.reports, 4 stays.progress, 5 stays.notes, 6 until, 7 stays.id
--   8 stays.token, 9 from, 10 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | ?2,
  progress = CASE WHEN ?3 = 1 THEN ?4 ELSE j.progress END,
  notes = COALESCE(?5, j.notes),
  alarm_at = ?6, claim_expires_at = ?6
WHERE j.id = ?7
  AND j.state = 'running'
  AND j.claim_token = ?8
  AND (j.mark IS NULL OR j.mark < ?9 OR j.mark >= ?10);

-- save.putSteps
-- once for each row of :steps
--   1 steps.job_id, 2 mark, 3 steps.name, 4 steps.kind, 5 steps.state, 6 steps.seq, 7 steps.tries
--   8 steps.attempt, 9 steps.output, 10 steps.error, 11 steps.wake_at, 12 steps.child_id
--   13 steps.signal_key, 14 steps.started_at, 15 steps.finished_at
INSERT INTO belfry_steps (
  job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id, signal_key,
  started_at, finished_at
)
VALUES (
  (SELECT ?1 FROM belfry_jobs AS j WHERE j.id = ?1 AND j.mark = ?2),
  ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15
)
ON CONFLICT (job_id, name)
DO UPDATE
SET kind = excluded.kind, state = excluded.state, seq = excluded.seq, tries = excluded.tries,
  attempt = excluded.attempt, output = excluded.output, error = excluded.error,
  wake_at = excluded.wake_at, child_id = excluded.child_id, signal_key = excluded.signal_key,
  started_at = excluded.started_at, finished_at = excluded.finished_at
WHERE belfry_steps.state <> 'done';

-- save.saved, as above

-- ---------- steps to forget ----------
-- save.stay, as above

-- save.forget
--   1 forgets, 2 mark
DELETE FROM belfry_steps
WHERE (job_id, name) IN (
  SELECT item.job_id, item.name
  FROM (SELECT key AS ord, value->>0 AS job_id, value->>1 AS name FROM json_each(?1)) AS item
  JOIN belfry_jobs AS j ON j.id = item.job_id
  WHERE j.mark = ?2
);

-- save.saved, as above

-- ---------- a child ----------
-- save.stay, as above

-- save.children
-- once for each row of :children
--   1 children.id, 2 children.writer, 3 mark, 4 children.task, 5 children.queue
--   6 children.priority, 7 children.available_at, 8 children.expires_at, 9 children.key
--   10 children.input, 11 children.options, 12 children.schedule, 13 children.scheduled_at
--   14 children.parent_id, 15 children.limit_key, 16 children.limit_concurrency
--   17 children.limit_count, 18 children.limit_per_ms, 19 children.tied, 20 children.held
--   21 children.due, 22 children.alarm_at, 23 now, 24 op
INSERT INTO belfry_jobs (
  id, task, queue, priority, available_at, expires_at, key, input, options, schedule, scheduled_at,
  parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held, due, alarm_at,
  state, resuming, attempt, claims, arrivals, created_at, inserted_by, mark
)
VALUES (
  (SELECT ?1 FROM belfry_jobs AS p WHERE p.id = ?2 AND p.mark = ?3),
  ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, 'ready',
  0, 0, 0, 0, ?23, ?24,
  CASE WHEN ?15 IS NULL THEN NULL ELSE ?3 END
)
ON CONFLICT DO NOTHING;

-- save.saved, as above

-- ---------- a child with a limit, of another parent ----------
-- save.stay, as above
-- save.children, as above
-- limits.markInserted, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- enqueue.tieParents, see enqueue.sql
-- save.saved, as above

-- ---------- with a piggybacked claim ----------
-- save.end, as above
-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- save.saved, as above
-- claim.alarm, see claim.sql
-- claim.openLimits, see claim.sql
-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- claim.take, see claim.sql
-- claim.countStarts, see claim.sql
-- history.jobs, see claim.sql
-- history.steps, see claim.sql
-- history.signals, see claim.sql
-- history.children, see claim.sql
-- queueState.asked, see claim.sql
