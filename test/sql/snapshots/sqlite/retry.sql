-- retry on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- cancel.retry
-- once for each row of :backs
--   1 mark, 2 now, 3 backs.notes, 4 backs.id, 5 from, 6 to
UPDATE belfry_jobs AS j
SET state = 'ready', mark = ?1, attempt = 0, available_at = ?2, due = 1, resuming = 0,
  held = CASE WHEN j.limit_key IS NULL THEN 0 ELSE 1 END,
  expires_at = NULL, alarm_at = NULL, finished_at = NULL, result = NULL, error = NULL, notes = ?3
WHERE j.id = ?4
  AND j.state IN ('failed', 'cancelled', 'expired')
  AND (j.mark IS NULL OR j.mark < ?5 OR j.mark >= ?6);

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
WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'ready' AND mark >= ?2 AND mark < ?3;

-- ---------- steps to forget ----------
-- cancel.retry, as above

-- save.forget
--   1 forgets, 2 mark
DELETE FROM belfry_steps
WHERE (job_id, name) IN (
  SELECT item.job_id, item.name
  FROM (SELECT key AS ord, value->>0 AS job_id, value->>1 AS name FROM json_each(?1)) AS item
  JOIN belfry_jobs AS j ON j.id = item.job_id
  WHERE j.mark = ?2
);

-- limits.markPutBack, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- cancel.retried, as above
