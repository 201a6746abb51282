-- save on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- a job completes ----------

-- save.end
--   1 mark, 2 now, 3 ends, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = $1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  state = item.state, result = item.result, error = item.error, finished_at = $2, held = 0, due = 0,
  resuming = 0, available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
FROM (
  SELECT ord - 1 AS ord, id, token, state, result, error, reports, progress, notes, tied
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      id text, token text, state text, result text, error text, reports bigint, progress text,
      notes text, tied bigint
    )
  )
  WITH ORDINALITY AS item(id, token, state, result, error, reports, progress, notes, tied, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < $4 OR j.mark >= $5);

-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
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
FROM
  (
    SELECT ord - 1 AS ord, id
    FROM ROWS FROM (json_to_recordset($1::text::json) AS (id text))
    WITH ORDINALITY AS item(id, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item,
  belfry_jobs AS j
WHERE j.id = item.id AND j.mark >= $2 AND j.mark < $3
ORDER BY item.ord;

--   1 mark, 2 cascade
SELECT pg_notify('belfry_wake', 'jobs')
WHERE EXISTS (
  SELECT 1
  FROM belfry_jobs
  WHERE mark IN ($1, $2) AND tied > 0 AND tied > 1 AND finished_at IS NOT NULL
);

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- a job suspends ----------

-- save.move
--   1 mark, 2 now, 3 moves, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = $1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  state = CASE WHEN j.arrivals <> item.arrivals THEN 'ready' ELSE item.state END,
  error = COALESCE(item.error, j.error),
  resuming = item.resuming,
  due = CASE WHEN j.arrivals <> item.arrivals THEN 1 ELSE item.due END,
  available_at = CASE WHEN j.arrivals <> item.arrivals THEN $2 ELSE item.available_at END,
  alarm_at = CASE WHEN j.arrivals <> item.arrivals THEN NULL ELSE item.alarm_at END,
  claim_token = NULL, claim_expires_at = NULL
FROM (
  SELECT ord - 1 AS ord, id, token, state, available_at, alarm_at, due, resuming, arrivals, error,
    reports, progress, notes, tied
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      id text, token text, state text, available_at bigint, alarm_at bigint, due bigint,
      resuming bigint, arrivals bigint, error text, reports bigint, progress text, notes text,
      tied bigint
    )
  )
  WITH ORDINALITY AS item(
    id, token, state, available_at, alarm_at, due, resuming, arrivals, error, reports, progress,
    notes, tied, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < $4 OR j.mark >= $5);

-- save.saved, as above

SELECT pg_notify('belfry_wake', 'jobs');

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- steps of a job that stays running ----------

-- save.stay
--   1 mark, 2 until, 3 stays, 4 from, 5 to
UPDATE belfry_jobs AS j
SET mark = $1, tied = j.tied | item.tied,
  progress = CASE WHEN item.reports = 1 THEN item.progress ELSE j.progress END,
  notes = COALESCE(item.notes, j.notes),
  alarm_at = $2, claim_expires_at = $2
FROM (
  SELECT ord - 1 AS ord, id, token, state, available_at, alarm_at, due, resuming, arrivals, error,
    reports, progress, notes, tied
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      id text, token text, state text, available_at bigint, alarm_at bigint, due bigint,
      resuming bigint, arrivals bigint, error text, reports bigint, progress text, notes text,
      tied bigint
    )
  )
  WITH ORDINALITY AS item(
    id, token, state, available_at, alarm_at, due, resuming, arrivals, error, reports, progress,
    notes, tied, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE j.id = item.id
  AND j.state = 'running'
  AND j.claim_token = item.token
  AND (j.mark IS NULL OR j.mark < $4 OR j.mark >= $5);

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
    SELECT ord - 1 AS ord, job_id, name, kind, state, seq, tries, attempt, output, error, wake_at,
      child_id, signal_key, started_at, finished_at
    FROM ROWS FROM (
      json_to_recordset($1::text::json) AS (
        job_id text, name text, kind text, state text, seq bigint, tries bigint, attempt bigint,
        output text, error text, wake_at bigint, child_id text, signal_key text, started_at bigint,
        finished_at bigint
      )
    )
    WITH ORDINALITY AS item(
      job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id, signal_key,
      started_at, finished_at, ord
    )
    WHERE ord = COALESCE(ord, 0)
  ) AS item,
  belfry_jobs AS j
WHERE j.id = item.job_id AND j.mark = $2
ORDER BY item.ord
ON CONFLICT (job_id, name)
DO UPDATE
SET kind = excluded.kind, state = excluded.state, seq = excluded.seq, tries = excluded.tries,
  attempt = excluded.attempt, output = excluded.output, error = excluded.error,
  wake_at = excluded.wake_at, child_id = excluded.child_id, signal_key = excluded.signal_key,
  started_at = excluded.started_at, finished_at = excluded.finished_at
WHERE belfry_steps.state <> 'done';

-- save.saved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- steps to forget ----------
-- save.stay, as above

-- save.forget
--   1 forgets, 2 mark
DELETE FROM belfry_steps
WHERE (job_id, name) IN (
  SELECT item.job_id, item.name
  FROM (
    SELECT ord - 1 AS ord, job_id, name
    FROM ROWS FROM (json_to_recordset($1::text::json) AS (job_id text, name text))
    WITH ORDINALITY AS item(job_id, name, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item
  JOIN belfry_jobs AS j ON j.id = item.job_id
  WHERE j.mark = $2
);

-- save.saved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

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
  item.due, item.alarm_at, 'ready', 0, 0, 0, 0, $1, $2,
  CASE WHEN item.limit_key IS NULL THEN NULL ELSE $3 END
FROM
  (
    SELECT ord - 1 AS ord, id, task, queue, priority, available_at, expires_at, key, input,
      options, schedule, scheduled_at, parent_id, limit_key, limit_concurrency, limit_count,
      limit_per_ms, tied, held, due, alarm_at, writer
    FROM ROWS FROM (
      json_to_recordset($4::text::json) AS (
        id text, task text, queue text, priority bigint, available_at bigint, expires_at bigint,
        key text, input text, options text, schedule text, scheduled_at bigint, parent_id text,
        limit_key text, limit_concurrency bigint, limit_count bigint, limit_per_ms bigint,
        tied bigint, held bigint, due bigint, alarm_at bigint, writer text
      )
    )
    WITH ORDINALITY AS item(
      id, task, queue, priority, available_at, expires_at, key, input, options, schedule,
      scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held,
      due, alarm_at, writer, ord
    )
    WHERE ord = COALESCE(ord, 0)
  ) AS item,
  belfry_jobs AS p
WHERE p.id = item.writer AND p.mark = $3
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- save.saved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

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
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- with a piggybacked claim ----------
-- claim.lockToken, see claim.sql
-- claim.lockQueues, see claim.sql
-- save.end, as above
-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
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
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
