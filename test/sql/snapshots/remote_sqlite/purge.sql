-- purge on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- purge.mark
--   1 finishedBefore, 2 limit, 3 failedBefore, 4 mark
WITH chunk AS MATERIALIZED (
  SELECT id, finished_at
  FROM (
    SELECT id, finished_at
    FROM belfry_jobs AS j
    WHERE state = 'completed'
      AND finished_at < ?1
      AND NOT EXISTS (
        SELECT 1 FROM belfry_jobs AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL
      )
    ORDER BY finished_at
    LIMIT (SELECT ?2)
  ) AS chunk0
  UNION ALL
  SELECT id, finished_at
  FROM (
    SELECT id, finished_at
    FROM belfry_jobs AS j
    WHERE state = 'cancelled'
      AND finished_at < ?1
      AND NOT EXISTS (
        SELECT 1 FROM belfry_jobs AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL
      )
    ORDER BY finished_at
    LIMIT (SELECT ?2)
  ) AS chunk1
  UNION ALL
  SELECT id, finished_at
  FROM (
    SELECT id, finished_at
    FROM belfry_jobs AS j
    WHERE state = 'expired'
      AND finished_at < ?1
      AND NOT EXISTS (
        SELECT 1 FROM belfry_jobs AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL
      )
    ORDER BY finished_at
    LIMIT (SELECT ?2)
  ) AS chunk2
  UNION ALL
  SELECT id, finished_at
  FROM (
    SELECT id, finished_at
    FROM belfry_jobs AS j
    WHERE state = 'failed'
      AND finished_at < ?3
      AND NOT EXISTS (
        SELECT 1 FROM belfry_jobs AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL
      )
    ORDER BY finished_at
    LIMIT (SELECT ?2)
  ) AS chunk3
)
UPDATE belfry_jobs
SET mark = ?4, tied = tied | 1
WHERE finished_at IS NOT NULL
  AND id IN (SELECT id FROM chunk ORDER BY finished_at, id LIMIT (SELECT ?2));

-- purge.steps
--   1 mark
DELETE FROM belfry_steps
WHERE job_id IN (
  SELECT id FROM belfry_jobs WHERE tied > 0 AND finished_at IS NOT NULL AND mark = ?1
);

-- purge.signals
--   1 mark
DELETE FROM belfry_signals
WHERE job_id IN (
  SELECT id FROM belfry_jobs WHERE tied > 0 AND finished_at IS NOT NULL AND mark = ?1
);

-- purge.jobs
--   1 mark
DELETE FROM belfry_jobs WHERE tied > 0 AND finished_at IS NOT NULL AND mark = ?1 RETURNING id;

-- purge.occurrences
--   1 occurrencesBefore, 2 limit
DELETE FROM belfry_occurrences
WHERE (schedule, at) IN (
  SELECT schedule, at
  FROM belfry_occurrences
  WHERE until_at < ?1
  ORDER BY until_at, schedule, at
  LIMIT (SELECT ?2)
)
RETURNING at;

-- purge.starts
--   1 now
DELETE FROM belfry_starts
WHERE at <= ?1 - (
  SELECT COALESCE(max(rate_per_ms), 0)
  FROM (
    SELECT rate_per_ms FROM belfry_queues UNION ALL SELECT rate_per_ms FROM belfry_limits
  ) AS rates
);

-- purge.limits
DELETE FROM belfry_limits
WHERE mark IS NULL
  AND NOT EXISTS (
    SELECT 1
    FROM belfry_jobs AS j
    WHERE j.limit_key = belfry_limits.key
      AND j.limit_key IS NOT NULL
      AND j.held = 0
      AND j.finished_at IS NULL
  )
  AND NOT EXISTS (
    SELECT 1
    FROM belfry_jobs AS j
    WHERE j.limit_key = belfry_limits.key AND j.held = 1 AND j.due = 1
  )
  AND NOT EXISTS (
    SELECT 1
    FROM belfry_jobs AS j
    WHERE j.limit_key = belfry_limits.key AND j.held = 1 AND j.due = 0
  )
  AND NOT EXISTS (SELECT 1 FROM belfry_starts AS s WHERE s.scope = 'limit:' || belfry_limits.key);

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
