-- enqueue on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- enqueue.insert
-- once for each row of :jobs
--   1 jobs.id, 2 jobs.task, 3 jobs.queue, 4 jobs.priority, 5 jobs.available_at, 6 jobs.expires_at
--   7 jobs.key, 8 jobs.input, 9 jobs.options, 10 jobs.schedule, 11 jobs.scheduled_at
--   12 jobs.parent_id, 13 jobs.limit_key, 14 jobs.limit_concurrency, 15 jobs.limit_count
--   16 jobs.limit_per_ms, 17 jobs.tied, 18 jobs.held, 19 jobs.due, 20 jobs.alarm_at, 21 now, 22 op
--   23 mark
INSERT INTO belfry_jobs (
  id, task, queue, priority, available_at, expires_at, key, input, options, schedule, scheduled_at,
  parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held, due, alarm_at,
  state, resuming, attempt, claims, arrivals, created_at, inserted_by, mark
)
VALUES (
  ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
  'ready', 0, 0, 0, 0, ?21, ?22,
  CASE WHEN ?13 IS NULL THEN NULL ELSE ?23 END
)
ON CONFLICT DO NOTHING;

-- enqueue.notInserted
-- once for each row of :jobs
-- not where enqueue.insert changed as many rows as were asked for
--   1 jobs.ord, 2 jobs.id, 3 jobs.task, 4 jobs.key, 5 op
SELECT ?1 AS ord, COALESCE(j.id, k.id) AS id
FROM (SELECT 1 AS one) AS once
LEFT JOIN belfry_jobs AS j ON j.id = ?2
LEFT JOIN belfry_jobs AS k ON k.task = ?3 AND k.key = ?4 AND k.key IS NOT NULL
WHERE j.id IS NULL OR COALESCE(j.inserted_by, '') <> ?5;

-- ---------- children ----------
-- enqueue.insert, as above

-- enqueue.tieParents
--   1 jobs
UPDATE belfry_jobs
SET tied = tied | 8
WHERE (tied & 8) = 0
  AND id IN (
    SELECT item.parent_id
    FROM (
      SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
        value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
        value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
        value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
        value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied,
        value->>17 AS held, value->>18 AS due, value->>19 AS alarm_at
      FROM json_each(?1)
    ) AS item
    WHERE item.parent_id IS NOT NULL
  );

-- enqueue.notInserted, as above

-- ---------- jobs with a limit ----------
-- enqueue.insert, as above
-- limits.markInserted, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- enqueue.notInserted, as above

-- ---------- with a piggybacked claim ----------
-- enqueue.insert, as above
-- enqueue.notInserted, as above
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
