-- putQueues on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- read.putQueues
--   1 queues
INSERT INTO belfry_queues (name, paused, concurrency, rate_count, rate_per_ms)
SELECT item.name, item.paused, item.concurrency, item.rate_count, item.rate_per_ms
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS paused, value->>2 AS concurrency,
    value->>3 AS rate_count, value->>4 AS rate_per_ms
  FROM json_each(?1)
) AS item
WHERE true
ORDER BY item.name
ON CONFLICT (name)
DO UPDATE
SET paused = excluded.paused, concurrency = excluded.concurrency,
  rate_count = excluded.rate_count, rate_per_ms = excluded.rate_per_ms;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
