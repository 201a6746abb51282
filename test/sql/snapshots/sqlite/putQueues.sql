-- putQueues on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- read.newQueues
--   1 queues
INSERT INTO belfry_queues (name, paused, concurrency, rate_count, rate_per_ms)
SELECT item.name, 0, NULL, NULL, NULL
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS paused, value->>2 AS concurrency,
    value->>3 AS rate_count, value->>4 AS rate_per_ms
  FROM json_each(?1)
) AS item
WHERE true
ORDER BY item.name
ON CONFLICT (name) DO NOTHING;

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
