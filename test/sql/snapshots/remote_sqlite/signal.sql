-- signal on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- signal.insert
--   1 now, 2 signals
INSERT INTO belfry_signals (job_id, name, key, payload, sent_at, seq)
SELECT item.job_id, item.name, item.key, item.payload, ?1,
  j.arrivals + row_number() OVER (PARTITION BY item.job_id ORDER BY item.ord)
FROM (
  SELECT key AS ord, value->>0 AS job_id, value->>1 AS name, value->>2 AS key, value->>3 AS payload
  FROM json_each(?2)
) AS item
JOIN belfry_jobs AS j ON j.id = item.job_id
WHERE j.finished_at IS NULL
  AND NOT EXISTS (
    SELECT 1
    FROM belfry_signals AS s
    WHERE s.job_id = item.job_id AND s.name = item.name AND s.key = item.key
  )
ORDER BY item.ord
ON CONFLICT DO NOTHING
RETURNING job_id, name, key;

-- signal.reach
--   1 now, 2 signals
UPDATE belfry_jobs AS j
SET arrivals = n.seq,
  state = CASE WHEN j.state = 'waiting' THEN 'ready' ELSE j.state END,
  due = CASE WHEN j.state = 'waiting' THEN 1 ELSE j.due END,
  resuming = CASE WHEN j.state = 'waiting' THEN 1 ELSE j.resuming END,
  available_at = CASE WHEN j.state = 'waiting' THEN ?1 ELSE j.available_at END,
  alarm_at = CASE WHEN j.state = 'waiting' THEN NULL ELSE j.alarm_at END
FROM (
  SELECT s.job_id, max(s.seq) AS seq
  FROM belfry_signals AS s
  WHERE s.job_id IN (
    SELECT item.job_id
    FROM (
      SELECT key AS ord, value->>0 AS job_id, value->>1 AS name, value->>2 AS key,
        value->>3 AS payload
      FROM json_each(?2)
    ) AS item
  )
  GROUP BY s.job_id
) AS n
WHERE j.id = n.job_id AND j.arrivals < n.seq AND j.finished_at IS NULL;

-- signal.outcomes
--   1 signals
SELECT CASE
  WHEN EXISTS (
    SELECT 1
    FROM belfry_signals AS s
    WHERE s.job_id = item.job_id AND s.name = item.name AND s.key = item.key
  ) THEN 'duplicate'
  WHEN j.id IS NULL THEN 'unknown'
  ELSE 'finished'
END AS outcome
FROM (
  SELECT key AS ord, value->>0 AS job_id, value->>1 AS name, value->>2 AS key, value->>3 AS payload
  FROM json_each(?1)
) AS item
LEFT JOIN belfry_jobs AS j ON j.id = item.job_id
ORDER BY item.ord;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
