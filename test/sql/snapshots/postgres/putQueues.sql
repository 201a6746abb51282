-- putQueues on PostgreSQL; written by test/sql/snapshots.test.ts

-- read.newQueues
--   1 queues
INSERT INTO belfry_queues (name, paused, concurrency, rate_count, rate_per_ms)
SELECT item.name, 0, NULL, NULL, NULL
FROM (
  SELECT ord - 1 AS ord, name, paused, concurrency, rate_count, rate_per_ms
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      name text, paused bigint, concurrency bigint, rate_count bigint, rate_per_ms bigint
    )
  )
  WITH ORDINALITY AS item(name, paused, concurrency, rate_count, rate_per_ms, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE true
ORDER BY item.name
ON CONFLICT (name) DO NOTHING;

-- read.putQueues
--   1 queues
INSERT INTO belfry_queues (name, paused, concurrency, rate_count, rate_per_ms)
SELECT item.name, item.paused, item.concurrency, item.rate_count, item.rate_per_ms
FROM (
  SELECT ord - 1 AS ord, name, paused, concurrency, rate_count, rate_per_ms
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      name text, paused bigint, concurrency bigint, rate_count bigint, rate_per_ms bigint
    )
  )
  WITH ORDINALITY AS item(name, paused, concurrency, rate_count, rate_per_ms, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE true
ORDER BY item.name
ON CONFLICT (name)
DO UPDATE
SET paused = CASE WHEN excluded.paused = -1 THEN belfry_queues.paused ELSE excluded.paused END,
  concurrency = CASE
    WHEN excluded.concurrency = -1 THEN belfry_queues.concurrency ELSE excluded.concurrency
  END,
  rate_count = CASE
    WHEN excluded.rate_count = -1 THEN belfry_queues.rate_count ELSE excluded.rate_count
  END,
  rate_per_ms = CASE
    WHEN excluded.rate_per_ms = -1 THEN belfry_queues.rate_per_ms ELSE excluded.rate_per_ms
  END;

SELECT pg_notify('belfry_wake', 'jobs');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
