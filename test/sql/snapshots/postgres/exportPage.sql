-- exportPage on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- lease ----------

SELECT holder, token, expires_at FROM belfry_lease WHERE token > 0;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- schedules ----------

--   1 after0, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE (name) > ($1)
ORDER BY name
LIMIT (SELECT $2);

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- occurrences ----------

--   1 after0, 2 after1, 3 limit
SELECT schedule, at, until_at, count, job_id, reason, recorded_at
FROM belfry_occurrences
WHERE (schedule, at) > ($1, $2)
ORDER BY schedule, at
LIMIT (SELECT $3);

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- jobs ----------

--   1 after0, 2 limit
SELECT id, state, held, resuming, attempt, claims, arrivals, priority, queue, task, claim_token,
  claim_expires_at, available_at, expires_at, created_at, started_at, finished_at, schedule,
  scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, key, worker,
  options, input, progress, notes, error, result
FROM belfry_jobs
WHERE (id) > ($1)
ORDER BY id
LIMIT (SELECT $2);

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- starts ----------

--   1 after0, 2 after1, 3 limit
SELECT scope, at, sum(count) AS count
FROM belfry_starts
WHERE (scope, at) > ($1, $2)
GROUP BY scope, at
ORDER BY scope, at
LIMIT (SELECT $3);

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
