-- retry on PostgreSQL; written by test/sql/snapshots.test.ts

-- cancel.retry
--   1 mark, 2 now, 3 backs, 4 from, 5 to
UPDATE belfry_jobs AS j
SET state = 'ready', mark = $1, attempt = 0, available_at = $2, due = 1, resuming = 0,
  held = CASE WHEN j.limit_key IS NULL THEN 0 ELSE 1 END,
  expires_at = NULL, alarm_at = NULL, finished_at = NULL, result = NULL, error = NULL,
  notes = item.notes
FROM (
  SELECT ord - 1 AS ord, id, notes
  FROM ROWS FROM (json_to_recordset($3::text::json) AS (id text, notes text))
  WITH ORDINALITY AS item(id, notes, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE j.id = item.id
  AND j.state IN ('failed', 'cancelled', 'expired')
  AND (j.mark IS NULL OR j.mark < $4 OR j.mark >= $5);

-- limits.markPutBack, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql

-- cancel.retried
--   1 ids, 2 from, 3 to
SELECT id
FROM belfry_jobs
WHERE id = ANY ($1::text[]) AND state = 'ready' AND mark >= $2 AND mark < $3;

SELECT pg_notify('belfry_wake', 'jobs');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- steps to forget ----------
-- cancel.retry, as above

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

-- limits.markPutBack, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- cancel.retried, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
