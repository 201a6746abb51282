-- stats on PostgreSQL; written by test/sql/snapshots.test.ts

-- stats.queues
--   1 now
SELECT *
FROM (
  SELECT queue, 'ready' AS what, count(*) AS jobs, CAST(min(available_at) AS bigint) AS oldest
  FROM belfry_jobs
  WHERE due = 1 AND held = 0 AND available_at <= $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'ready' AS what, count(*) AS jobs, CAST(min(available_at) AS bigint) AS oldest
  FROM belfry_jobs
  WHERE alarm_at IS NOT NULL AND state = 'ready' AND due = 0 AND held = 0 AND available_at <= $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'scheduled' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE alarm_at IS NOT NULL AND state = 'ready' AND due = 0 AND held = 0 AND available_at > $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'scheduled' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE due = 1 AND held = 0 AND available_at > $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'held' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE held = 1 AND due = 1 AND available_at <= $1
  GROUP BY queue
) AS part0
UNION ALL
SELECT *
FROM (
  SELECT queue, 'scheduled' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE held = 1 AND due = 1 AND available_at > $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'held' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE held = 1 AND due = 0 AND available_at <= $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'scheduled' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE held = 1 AND due = 0 AND available_at > $1
  GROUP BY queue
  UNION ALL
  SELECT queue, 'running' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE claim_token IS NOT NULL
  GROUP BY queue
  UNION ALL
  SELECT queue, 'waiting' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE state = 'waiting'
  GROUP BY queue
) AS part5
UNION ALL
SELECT *
FROM (
  SELECT queue, 'failed' AS what, count(*) AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_jobs
  WHERE state = 'failed' AND finished_at IS NOT NULL
  GROUP BY queue
  UNION ALL
  SELECT name AS queue, 'paused' AS what, paused AS jobs, CAST(NULL AS bigint) AS oldest
  FROM belfry_queues
) AS part10;

-- stats.schedules
SELECT state, count(*) AS schedules, sum(CASE WHEN skips >= 3 THEN 1 ELSE 0 END) AS skips
FROM belfry_schedules
GROUP BY state;

-- stats.lease
SELECT holder, token, expires_at FROM belfry_lease WHERE id = 1;

-- stats.next
SELECT next_at
FROM belfry_schedules
WHERE state = 'active' AND next_at IS NOT NULL
ORDER BY next_at
LIMIT 1;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
