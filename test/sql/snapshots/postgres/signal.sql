-- signal on PostgreSQL; written by test/sql/snapshots.test.ts

-- signal.lock
--   1 signals
SELECT id
FROM belfry_jobs
WHERE id IN (
  SELECT item.job_id
  FROM (
    SELECT ord - 1 AS ord, job_id, name, key, payload
    FROM ROWS FROM (
      json_to_recordset($1::text::json) AS (job_id text, name text, key text, payload text)
    )
    WITH ORDINALITY AS item(job_id, name, key, payload, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item
)
ORDER BY id
FOR UPDATE;

-- signal.insert
--   1 now, 2 signals
INSERT INTO belfry_signals (job_id, name, key, payload, sent_at, seq)
SELECT item.job_id, item.name, item.key, item.payload, $1,
  j.arrivals + row_number() OVER (PARTITION BY item.job_id ORDER BY item.ord)
FROM (
  SELECT ord - 1 AS ord, job_id, name, key, payload
  FROM ROWS FROM (
    json_to_recordset($2::text::json) AS (job_id text, name text, key text, payload text)
  )
  WITH ORDINALITY AS item(job_id, name, key, payload, ord)
  WHERE ord = COALESCE(ord, 0)
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
  available_at = CASE WHEN j.state = 'waiting' THEN $1 ELSE j.available_at END,
  alarm_at = CASE WHEN j.state = 'waiting' THEN NULL ELSE j.alarm_at END
FROM (
  SELECT s.job_id, max(s.seq) AS seq
  FROM belfry_signals AS s
  WHERE s.job_id IN (
    SELECT item.job_id
    FROM (
      SELECT ord - 1 AS ord, job_id, name, key, payload
      FROM ROWS FROM (
        json_to_recordset($2::text::json) AS (job_id text, name text, key text, payload text)
      )
      WITH ORDINALITY AS item(job_id, name, key, payload, ord)
      WHERE ord = COALESCE(ord, 0)
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
  SELECT ord - 1 AS ord, job_id, name, key, payload
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (job_id text, name text, key text, payload text)
  )
  WITH ORDINALITY AS item(job_id, name, key, payload, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
LEFT JOIN belfry_jobs AS j ON j.id = item.job_id
ORDER BY item.ord;

SELECT pg_notify('belfry_wake', 'jobs');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
