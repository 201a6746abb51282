-- getJob on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- job.jobs
--   1 id
SELECT id, task, queue, state, priority, available_at, expires_at, key, input, options, schedule,
  scheduled_at, parent_id, limit_key, held, tied, attempt, claims, arrivals, claim_token,
  claim_expires_at, worker, result, error, progress, notes, created_at, started_at, finished_at
FROM belfry_jobs
WHERE id = ?1;

-- job.steps
--   1 id
SELECT job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id,
  signal_key, started_at, finished_at
FROM belfry_steps
WHERE job_id IN (SELECT id FROM belfry_jobs WHERE id = ?1);

-- job.signals
--   1 id
SELECT job_id, name, key, payload, sent_at, seq
FROM belfry_signals
WHERE job_id IN (SELECT id FROM belfry_jobs WHERE id = ?1)
ORDER BY job_id, seq;

-- job.children
--   1 id
SELECT parent_id, id, state, result, error, finished_at
FROM belfry_jobs
WHERE parent_id IN (SELECT id FROM belfry_jobs WHERE id = ?1) AND finished_at IS NOT NULL;
