-- importPage on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- lease ----------

--   1 rows
UPDATE belfry_lease AS l
SET token = item.token,
  holder = CASE WHEN l.holder IS NULL THEN item.holder ELSE l.holder END,
  expires_at = CASE WHEN l.holder IS NULL THEN item.expires_at ELSE l.expires_at END
FROM (
  SELECT key AS ord, value->>0 AS holder, value->>1 AS token, value->>2 AS expires_at
  FROM json_each(?1)
) AS item
WHERE l.id = 1 AND l.token < item.token;

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
  SELECT key AS ord, value->>0 AS name, value->>1 AS definition, value->>2 AS state,
    value->>3 AS next_at, value->>4 AS revision, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?1)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

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
  SELECT key AS ord, value->>0 AS id, value->>1 AS state, value->>2 AS held,
    value->>3 AS resuming, value->>4 AS attempt, value->>5 AS claims, value->>6 AS arrivals,
    value->>7 AS priority, value->>8 AS queue, value->>9 AS task, value->>10 AS claim_token,
    value->>11 AS claim_expires_at, value->>12 AS available_at, value->>13 AS expires_at,
    value->>14 AS created_at, value->>15 AS started_at, value->>16 AS finished_at,
    value->>17 AS schedule, value->>18 AS scheduled_at, value->>19 AS parent_id,
    value->>20 AS limit_key, value->>21 AS limit_concurrency, value->>22 AS limit_count,
    value->>23 AS limit_per_ms, value->>24 AS key, value->>25 AS worker, value->>26 AS options,
    value->>27 AS input, value->>28 AS progress, value->>29 AS notes, value->>30 AS error,
    value->>31 AS result
  FROM json_each(?1)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- ---------- limits ----------

--   1 rows
INSERT INTO belfry_limits (key, concurrency, rate_count, rate_per_ms, room, next_at)
SELECT item.key, item.concurrency, item.rate_count, item.rate_per_ms, 0, 0
FROM (
  SELECT key AS ord, value->>0 AS key, value->>1 AS concurrency, value->>2 AS rate_count,
    value->>3 AS rate_per_ms
  FROM json_each(?1)
) AS item
WHERE true
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- ---------- starts ----------

--   1 rows
INSERT INTO belfry_starts (scope, at, count, op)
SELECT item.scope, item.at, item.count, 'copied'
FROM (
  SELECT key AS ord, value->>0 AS scope, value->>1 AS at, value->>2 AS count FROM json_each(?1)
) AS item
WHERE NOT EXISTS (SELECT 1 FROM belfry_starts AS s WHERE s.scope = item.scope AND s.at = item.at)
ORDER BY item.ord
ON CONFLICT DO NOTHING;
