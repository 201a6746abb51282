-- importPage on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- lease ----------

--   1 rows
UPDATE belfry_lease AS l
SET token = item.token,
  holder = CASE WHEN l.holder IS NULL THEN item.holder ELSE l.holder END,
  expires_at = CASE WHEN l.holder IS NULL THEN item.expires_at ELSE l.expires_at END
FROM (
  SELECT ord - 1 AS ord, holder, token, expires_at
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (holder text, token bigint, expires_at bigint)
  )
  WITH ORDINALITY AS item(holder, token, expires_at, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE l.id = 1 AND l.token < item.token;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- schedules ----------

--   1 rows
INSERT INTO belfry_schedules (
  name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
)
SELECT item.name, item.definition, item.state, item.next_at, item.revision, item.fired,
  item.skips, item.failures, item.pause_after_failures, item.watches_jobs, item.last_at, item.note,
  item.owner, item.created_at, item.updated_at
FROM (
  SELECT ord - 1 AS ord, name, definition, state, next_at, revision, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      name text, definition text, state text, next_at bigint, revision bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- jobs ----------

--   1 rows
INSERT INTO belfry_jobs (
  id, state, held, resuming, attempt, claims, arrivals, priority, queue, task, claim_token,
  claim_expires_at, available_at, expires_at, created_at, started_at, finished_at, schedule,
  scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, key, worker,
  options, input, progress, notes, error, result, due, tied, alarm_at
)
SELECT item.id, item.state, item.held, item.resuming, item.attempt, item.claims, item.arrivals,
  item.priority, item.queue, item.task, item.claim_token, item.claim_expires_at, item.available_at,
  item.expires_at, item.created_at, item.started_at, item.finished_at, item.schedule,
  item.scheduled_at, item.parent_id, item.limit_key, item.limit_concurrency, item.limit_count,
  item.limit_per_ms, item.key, item.worker, item.options, item.input, item.progress, item.notes,
  item.error, item.result, 0,
  (CASE WHEN item.schedule IS NULL THEN 0 ELSE 1 END) + (CASE WHEN item.parent_id IS NULL THEN 0 ELSE 2 END) + (CASE WHEN item.limit_key IS NULL THEN 0 ELSE 4 END) + (
    CASE WHEN item.finished_at IS NULL THEN 8 ELSE 0 END
  ),
  CASE
    WHEN item.state = 'running' THEN item.claim_expires_at
    WHEN item.state = 'waiting' THEN item.available_at
    WHEN item.state = 'ready'
      AND item.held = 1 THEN CASE WHEN item.attempt = 0 THEN item.expires_at END
    WHEN item.state = 'ready' THEN CASE
      WHEN item.attempt = 0 AND item.expires_at < item.available_at THEN item.expires_at
      ELSE item.available_at
    END
  END
FROM (
  SELECT ord - 1 AS ord, id, state, held, resuming, attempt, claims, arrivals, priority, queue,
    task, claim_token, claim_expires_at, available_at, expires_at, created_at, started_at,
    finished_at, schedule, scheduled_at, parent_id, limit_key, limit_concurrency, limit_count,
    limit_per_ms, key, worker, options, input, progress, notes, error, result
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      id text, state text, held bigint, resuming bigint, attempt bigint, claims bigint,
      arrivals bigint, priority bigint, queue text, task text, claim_token text,
      claim_expires_at bigint, available_at bigint, expires_at bigint, created_at bigint,
      started_at bigint, finished_at bigint, schedule text, scheduled_at bigint, parent_id text,
      limit_key text, limit_concurrency bigint, limit_count bigint, limit_per_ms bigint, key text,
      worker text, options text, input text, progress text, notes text, error text, result text
    )
  )
  WITH ORDINALITY AS item(
    id, state, held, resuming, attempt, claims, arrivals, priority, queue, task, claim_token,
    claim_expires_at, available_at, expires_at, created_at, started_at, finished_at, schedule,
    scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, key, worker,
    options, input, progress, notes, error, result, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- limits ----------

--   1 rows
INSERT INTO belfry_limits (key, concurrency, rate_count, rate_per_ms, room, next_at)
SELECT item.key, item.concurrency, item.rate_count, item.rate_per_ms, 0, 0
FROM (
  SELECT ord - 1 AS ord, key, concurrency, rate_count, rate_per_ms
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      key text, concurrency bigint, rate_count bigint, rate_per_ms bigint
    )
  )
  WITH ORDINALITY AS item(key, concurrency, rate_count, rate_per_ms, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- starts ----------

--   1 rows
INSERT INTO belfry_starts (scope, at, count, op)
SELECT item.scope, item.at, item.count, 'copied'
FROM (
  SELECT ord - 1 AS ord, scope, at, count
  FROM ROWS FROM (json_to_recordset($1::text::json) AS (scope text, at bigint, count bigint))
  WITH ORDINALITY AS item(scope, at, count, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE NOT EXISTS (SELECT 1 FROM belfry_starts AS s WHERE s.scope = item.scope AND s.at = item.at)
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
