-- enqueue on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- enqueue.insert
--   1 now, 2 op, 3 mark, 4 jobs
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
FROM (
  SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
    value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
    value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
    value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
    value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
    value->>18 AS due, value->>19 AS alarm_at
  FROM json_each(?4)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- enqueue.notInserted
-- not where enqueue.insert changed as many rows as were asked for
--   1 jobs, 2 op
SELECT item.ord AS ord, COALESCE(j.id, k.id) AS id
FROM (
  SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
    value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
    value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
    value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
    value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
    value->>18 AS due, value->>19 AS alarm_at
  FROM json_each(?1)
) AS item
LEFT JOIN belfry_jobs AS j ON j.id = item.id
LEFT JOIN belfry_jobs AS k ON k.task = item.task AND k.key = item.key AND k.key IS NOT NULL
WHERE j.id IS NULL OR COALESCE(j.inserted_by, '') <> ?2;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above
