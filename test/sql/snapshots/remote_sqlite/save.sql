-- save on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- ---------- a job completes ----------

-- save.end
--   1 mark, 2 now, 3 ends, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  state = item.state, result = item.result, error = item.error, finished_at = ?2, held = 0, due = 0,
  resuming = 0, available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
FROM (
  SELECT key AS ord, value->>0 AS id, value->>1 AS token, value->>2 AS state, value->>3 AS result,
    value->>4 AS error, value->>5 AS reports, value->>6 AS progress, value->>7 AS notes,
    value->>8 AS tied
  FROM json_each(?3)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < ?4 OR j.mark >= ?5);

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
--   1 writes, 2 from, 3 to
SELECT j.id, j.state, j.arrivals
FROM (SELECT key AS ord, value->>0 AS id FROM json_each(?1)) AS item, belfry_jobs AS j
WHERE j.id = item.id AND j.mark >= ?2 AND j.mark < ?3
ORDER BY item.ord;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;

-- ---------- a job suspends ----------

-- save.move
--   1 mark, 2 now, 3 moves, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  state = CASE WHEN j.arrivals <> item.arrivals THEN 'ready' ELSE item.state END,
  error = COALESCE(item.error, j.error),
  resuming = item.resuming,
  due = CASE WHEN j.arrivals <> item.arrivals THEN 1 ELSE item.due END,
  available_at = CASE WHEN j.arrivals <> item.arrivals THEN ?2 ELSE item.available_at END,
  alarm_at = CASE WHEN j.arrivals <> item.arrivals THEN NULL ELSE item.alarm_at END,
  claim_token = NULL, claim_expires_at = NULL
FROM (
  SELECT key AS ord, value->>0 AS id, value->>1 AS token, value->>2 AS state,
    value->>3 AS available_at, value->>4 AS alarm_at, value->>5 AS due, value->>6 AS resuming,
    value->>7 AS arrivals, value->>8 AS error, value->>9 AS reports, value->>10 AS progress,
    value->>11 AS notes, value->>12 AS tied
  FROM json_each(?3)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < ?4 OR j.mark >= ?5);

-- save.saved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- steps of a job that stays running ----------

-- save.stay
--   1 mark, 2 until, 3 stays, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = ?1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  alarm_at = ?2, claim_expires_at = ?2
FROM (
  SELECT key AS ord, value->>0 AS id, value->>1 AS token, value->>2 AS state,
    value->>3 AS available_at, value->>4 AS alarm_at, value->>5 AS due, value->>6 AS resuming,
    value->>7 AS arrivals, value->>8 AS error, value->>9 AS reports, value->>10 AS progress,
    value->>11 AS notes, value->>12 AS tied
  FROM json_each(?3)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < ?4 OR j.mark >= ?5);

-- save.putSteps
--   1 steps, 2 mark
INSERT INTO belfry_steps (
  job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id, signal_key,
  started_at, finished_at
)
SELECT item.job_id, item.name, item.kind, item.state, item.seq, item.tries, item.attempt,
  item.output, item.error, item.wake_at, item.child_id, item.signal_key, item.started_at,
  item.finished_at
FROM
  (
    SELECT key AS ord, value->>0 AS job_id, value->>1 AS name, value->>2 AS kind,
      value->>3 AS state, value->>4 AS seq, value->>5 AS tries, value->>6 AS attempt,
      value->>7 AS output, value->>8 AS error, value->>9 AS wake_at, value->>10 AS child_id,
      value->>11 AS signal_key, value->>12 AS started_at, value->>13 AS finished_at
    FROM json_each(?1)
  ) AS item,
  belfry_jobs AS j
WHERE j.id = item.job_id AND j.mark = ?2
ORDER BY item.ord
ON CONFLICT (job_id, name)
DO UPDATE
SET kind = excluded.kind, state = excluded.state, seq = excluded.seq, tries = excluded.tries,
  attempt = excluded.attempt, output = excluded.output, error = excluded.error,
  wake_at = excluded.wake_at, child_id = excluded.child_id, signal_key = excluded.signal_key,
  started_at = excluded.started_at, finished_at = excluded.finished_at
WHERE belfry_steps.state <> 'done';

-- save.saved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- a child ----------
-- save.stay, as above

-- save.children
--   1 now, 2 op, 3 mark, 4 children
INSERT INTO belfry_jobs (
  id, task, queue, priority, available_at, expires_at, key, input, options, schedule, scheduled_at,
  parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held, due, alarm_at,
  state, resuming, attempt, claims, arrivals, created_at, inserted_by, mark
)
SELECT item.id, item.task, item.queue, item.priority, item.available_at, item.expires_at,
  item.key, item.input, item.options, item.schedule, item.scheduled_at, item.parent_id,
  item.limit_key, item.limit_concurrency, item.limit_count, item.limit_per_ms, item.tied, item.held,
  item.due, item.alarm_at, 'ready', 0, 0, 0, 0, ?1, ?2,
  CASE WHEN item.limit_key IS NULL THEN NULL ELSE ?3 END
FROM
  (
    SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
      value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
      value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
      value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
      value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
      value->>18 AS due, value->>19 AS alarm_at, value->>20 AS writer
    FROM json_each(?4)
  ) AS item,
  belfry_jobs AS p
WHERE p.id = item.writer AND p.mark = ?3
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- save.saved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above
