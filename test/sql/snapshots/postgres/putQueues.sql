-- putQueues on PostgreSQL; written by test/sql/snapshots.test.ts

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
SET paused = excluded.paused, concurrency = excluded.concurrency,
  rate_count = excluded.rate_count, rate_per_ms = excluded.rate_per_ms;

SELECT pg_notify('belfry_wake', 'jobs');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
