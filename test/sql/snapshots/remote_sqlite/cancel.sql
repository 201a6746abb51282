-- cancel on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- cancel.cancel
--   1 mark, 2 error, 3 now, 4 ids
UPDATE belfry_jobs
SET state = 'cancelled', mark = ?1, error = ?2, finished_at = ?3, held = 0, due = 0, resuming = 0,
  available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
WHERE id IN (SELECT value FROM json_each(?4)) AND finished_at IS NULL;

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

-- cancel.cancelled
--   1 ids, 2 from, 3 allTo
SELECT id
FROM belfry_jobs
WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'cancelled' AND mark >= ?2 AND mark < ?3
UNION
SELECT id
FROM belfry_jobs
WHERE tied > 0 AND finished_at IS NOT NULL AND state = 'cancelled' AND mark >= ?2 AND mark < ?3;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
