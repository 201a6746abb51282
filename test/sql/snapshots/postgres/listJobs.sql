-- listJobs on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- all ----------

--   1 limit
SELECT id, task, queue, state, priority, available_at, expires_at, key, input, options, schedule,
  scheduled_at, parent_id, limit_key, held, tied, attempt, claims, arrivals, claim_token,
  claim_expires_at, worker, result, error, progress, notes, created_at, started_at, finished_at
FROM belfry_jobs
ORDER BY id DESC
LIMIT (SELECT $1);

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- by every filter ----------

--   1 states, 2 queue, 3 task, 4 schedule, 5 parent, 6 key, 7 before, 8 limit
SELECT id, task, queue, state, priority, available_at, expires_at, key, input, options, schedule,
  scheduled_at, parent_id, limit_key, held, tied, attempt, claims, arrivals, claim_token,
  claim_expires_at, worker, result, error, progress, notes, created_at, started_at, finished_at
FROM belfry_jobs
WHERE state = ANY ($1::text[])
  AND queue = $2
  AND task = $3
  AND schedule = $4
  AND parent_id = $5
  AND key = $6
  AND id < $7
ORDER BY id DESC
LIMIT (SELECT $8);

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
