-- claim on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- from one queue ----------

-- claim.lockToken
--   1 token
SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0));

-- claim.lockQueues
--   1 queues
SELECT name
FROM belfry_queues
WHERE name = ANY ($1::text[]) AND (concurrency IS NOT NULL OR rate_count IS NOT NULL)
ORDER BY name
FOR UPDATE;

-- claim.alarm
--   1 now, 2 queues, 3 token, 4 alarms, 5 mark, 6 expired
WITH RECURSIVE
  alarmed(queue) AS (
    SELECT queue
    FROM (
      SELECT j.queue
      FROM belfry_jobs AS j
      WHERE finished_at IS NULL AND alarm_at IS NOT NULL
      ORDER BY j.queue
      LIMIT 1
    ) AS found
    UNION ALL
    SELECT (
      SELECT j.queue
      FROM belfry_jobs AS j
      WHERE finished_at IS NULL AND alarm_at IS NOT NULL AND j.queue > w.queue
      ORDER BY j.queue
      LIMIT 1
    )
    FROM alarmed AS w
    WHERE w.queue IS NOT NULL
  ),
  due AS MATERIALIZED (
    SELECT j.id
    FROM alarmed AS w
    CROSS JOIN belfry_jobs AS j
    WHERE j.queue = w.queue
      AND j.finished_at IS NULL
      AND j.alarm_at IS NOT NULL
      AND j.alarm_at <= $1
      AND NOT EXISTS (SELECT 1 FROM belfry_jobs WHERE queue = ANY ($2::text[]) AND claim_token = $3)
    ORDER BY j.alarm_at
    LIMIT (SELECT $4)
    FOR UPDATE OF j SKIP LOCKED
  )
UPDATE belfry_jobs AS j
SET
  state = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN 'expired' ELSE 'ready'
  END,
  mark = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN $5 ELSE j.mark
  END,
  finished_at = CASE WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN $1 END,
  error = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN $6 ELSE j.error
  END,
  held = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN 0 ELSE j.held
  END,
  due = CASE WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN 0 ELSE 1 END,
  resuming = CASE j.state WHEN 'waiting' THEN 1 WHEN 'running' THEN 0 ELSE j.resuming END,
  available_at = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= $1 THEN NULL
    WHEN j.state = 'running' THEN $1
    ELSE j.available_at
  END,
  alarm_at = CASE
    WHEN j.state = 'ready' AND j.attempt = 0 AND j.expires_at > $1 THEN j.expires_at
  END,
  claim_token = NULL, claim_expires_at = NULL
WHERE j.id IN (SELECT id FROM due) AND j.alarm_at <= $1;

-- claim.openLimits
--   1 mark, 2 now, 3 queues, 4 token
UPDATE belfry_limits
SET mark = $1
WHERE next_at <= $2
  AND NOT EXISTS (SELECT 1 FROM belfry_jobs WHERE queue = ANY ($3::text[]) AND claim_token = $4);

-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql

-- claim.take
--   1 queue0, 2 queues, 3 token, 4 limit, 5 now, 6 until, 7 worker, 8 mark
WITH chosen AS MATERIALIZED (
  SELECT id, priority, available_at
  FROM belfry_jobs
  WHERE queue = $1 AND due = 1 AND held = 0
  ORDER BY priority DESC, available_at, id
  LIMIT (
    SELECT CASE
      WHEN EXISTS (
        SELECT 1 FROM belfry_jobs WHERE queue = ANY ($2::text[]) AND claim_token = $3
      ) THEN 0
      ELSE COALESCE(
        (
          SELECT CASE WHEN room > 0 THEN room ELSE 0 END
          FROM (
            SELECT CASE
              WHEN q.paused = 1 THEN 0
              ELSE LEAST(
                CAST($4 AS bigint),
                LEAST(
                  CASE
                    WHEN q.concurrency IS NULL THEN CAST($4 AS bigint)
                    ELSE q.concurrency - (
                      SELECT count(*)
                      FROM belfry_jobs AS r
                      WHERE r.queue = q.name AND r.claim_token IS NOT NULL
                    )
                  END,
                  CASE
                    WHEN q.rate_count IS NULL THEN CAST($4 AS bigint)
                    ELSE q.rate_count - (
                      SELECT COALESCE(sum(s.count), 0)
                      FROM belfry_starts AS s
                      WHERE s.scope = 'queue:' || q.name AND s.at > $5 - q.rate_per_ms
                    )
                  END
                )
              )
            END AS room
            FROM belfry_queues AS q
            WHERE q.name = $1
          ) AS known_queue
        ),
        $4
      )
    END
  )
  FOR UPDATE SKIP LOCKED
)
UPDATE belfry_jobs
SET state = 'running', due = 0, attempt = attempt + 1 - resuming, resuming = 0,
  claims = claims + 1, claim_token = $3, claim_expires_at = $6, alarm_at = $6, worker = $7,
  started_at = COALESCE(started_at, $5),
  mark = $8
WHERE id IN (SELECT id FROM chosen) AND due - held = 1;

-- claim.countStarts
--   1 now, 2 token, 3 queues, 4 mark
INSERT INTO belfry_starts (scope, at, op, count)
SELECT 'queue:' || q.name, $1, $2, count(*)
FROM belfry_queues AS q
JOIN belfry_jobs AS j ON j.queue = q.name
WHERE q.rate_count IS NOT NULL AND q.name = ANY ($3::text[]) AND j.claim_token = $2 AND j.mark = $4
GROUP BY q.name
ON CONFLICT DO NOTHING;

-- history.jobs
--   1 queues, 2 token
SELECT id, task, queue, state, priority, available_at, expires_at, key, input, options, schedule,
  scheduled_at, parent_id, limit_key, held, tied, attempt, claims, arrivals, claim_token,
  claim_expires_at, worker, result, error, progress, notes, created_at, started_at, finished_at
FROM belfry_jobs
WHERE queue = ANY ($1::text[]) AND claim_token = $2;

-- history.steps
--   1 queues, 2 token
SELECT job_id, name, kind, state, seq, tries, attempt, output, error, wake_at, child_id,
  signal_key, started_at, finished_at
FROM belfry_steps
WHERE job_id IN (SELECT id FROM belfry_jobs WHERE queue = ANY ($1::text[]) AND claim_token = $2);

-- history.signals
--   1 queues, 2 token
SELECT job_id, name, key, payload, sent_at, seq
FROM belfry_signals
WHERE job_id IN (SELECT id FROM belfry_jobs WHERE queue = ANY ($1::text[]) AND claim_token = $2)
ORDER BY job_id, seq;

-- history.children
--   1 queues, 2 token
SELECT parent_id, id, state, result, error, finished_at
FROM belfry_jobs
WHERE parent_id IN (SELECT id FROM belfry_jobs WHERE queue = ANY ($1::text[]) AND claim_token = $2)
  AND finished_at IS NOT NULL;

-- queueState.asked
--   1 now, 2 queues
SELECT
  CASE
    WHEN q.name IS NULL THEN 1
    ELSE CASE
      WHEN q.paused = 1 THEN 0
      ELSE LEAST(
        1,
        LEAST(
          CASE
            WHEN q.concurrency IS NULL THEN 1
            ELSE q.concurrency - (
              SELECT count(*)
              FROM belfry_jobs AS r
              WHERE r.queue = q.name AND r.claim_token IS NOT NULL
            )
          END,
          CASE
            WHEN q.rate_count IS NULL THEN 1
            ELSE q.rate_count - (
              SELECT COALESCE(sum(s.count), 0)
              FROM belfry_starts AS s
              WHERE s.scope = 'queue:' || q.name AND s.at > $1 - q.rate_per_ms
            )
          END
        )
      )
    END
  END AS room,
  COALESCE(q.paused, 0) AS paused,
  CASE
    WHEN q.name IS NULL THEN NULL
    ELSE CASE
      WHEN q.rate_count IS NULL OR q.rate_count <= 0 THEN NULL
      WHEN q.concurrency IS NOT NULL
        AND q.concurrency <= (
          SELECT count(*) FROM belfry_jobs AS r WHERE r.queue = q.name AND r.claim_token IS NOT NULL
        ) THEN NULL
      ELSE (
        SELECT w.at + q.rate_per_ms
        FROM (
          SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
          FROM belfry_starts AS s
          WHERE s.scope = 'queue:' || q.name AND s.at > $1 - q.rate_per_ms
        ) AS w
        WHERE w.running >= q.rate_count
        ORDER BY w.at DESC
        LIMIT 1
      )
    END
  END AS free_at,
  (
    SELECT m.next_at
    FROM belfry_limits AS m
    WHERE m.mark IS NULL AND m.next_at + 0 <= 9007199254740991
    ORDER BY m.next_at
    LIMIT 1
  ) AS limit_at,
  COALESCE(
    (SELECT 1 FROM belfry_jobs WHERE queue = a.value AND due = 1 AND held = 0 LIMIT 1), 0
  ) AS ready,
  (
    SELECT alarm_at
    FROM belfry_jobs
    WHERE queue = a.value AND finished_at IS NULL AND alarm_at IS NOT NULL
    ORDER BY alarm_at
    LIMIT 1
  ) AS alarm_at
FROM (SELECT value FROM unnest($2::text[]) AS item(value) WHERE value = COALESCE(value, '')) AS a
LEFT JOIN belfry_queues AS q ON q.name = a.value;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- of some tasks ----------
-- claim.lockToken, as above
-- claim.lockQueues, as above
-- claim.alarm, as above
-- claim.openLimits, as above
-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql

-- claim.take, of some tasks
--   1 queue0, 2 tasks, 3 queues, 4 token, 5 limit, 6 now, 7 until, 8 worker, 9 mark
WITH chosen AS MATERIALIZED (
  SELECT id, priority, available_at
  FROM belfry_jobs
  WHERE queue = $1 AND due = 1 AND held = 0 AND task = ANY ($2::text[])
  ORDER BY priority DESC, available_at, id
  LIMIT (
    SELECT CASE
      WHEN EXISTS (
        SELECT 1 FROM belfry_jobs WHERE queue = ANY ($3::text[]) AND claim_token = $4
      ) THEN 0
      ELSE COALESCE(
        (
          SELECT CASE WHEN room > 0 THEN room ELSE 0 END
          FROM (
            SELECT CASE
              WHEN q.paused = 1 THEN 0
              ELSE LEAST(
                CAST($5 AS bigint),
                LEAST(
                  CASE
                    WHEN q.concurrency IS NULL THEN CAST($5 AS bigint)
                    ELSE q.concurrency - (
                      SELECT count(*)
                      FROM belfry_jobs AS r
                      WHERE r.queue = q.name AND r.claim_token IS NOT NULL
                    )
                  END,
                  CASE
                    WHEN q.rate_count IS NULL THEN CAST($5 AS bigint)
                    ELSE q.rate_count - (
                      SELECT COALESCE(sum(s.count), 0)
                      FROM belfry_starts AS s
                      WHERE s.scope = 'queue:' || q.name AND s.at > $6 - q.rate_per_ms
                    )
                  END
                )
              )
            END AS room
            FROM belfry_queues AS q
            WHERE q.name = $1
          ) AS known_queue
        ),
        $5
      )
    END
  )
  FOR UPDATE SKIP LOCKED
)
UPDATE belfry_jobs
SET state = 'running', due = 0, attempt = attempt + 1 - resuming, resuming = 0,
  claims = claims + 1, claim_token = $4, claim_expires_at = $7, alarm_at = $7, worker = $8,
  started_at = COALESCE(started_at, $6),
  mark = $9
WHERE id IN (SELECT id FROM chosen) AND due - held = 1;

-- claim.countStarts, as above
-- history.jobs, as above
-- history.steps, as above
-- history.signals, as above
-- history.children, as above

-- queueState.askedTasks
--   1 now, 2 tasks, 3 queues
SELECT
  CASE
    WHEN q.name IS NULL THEN 1
    ELSE CASE
      WHEN q.paused = 1 THEN 0
      ELSE LEAST(
        1,
        LEAST(
          CASE
            WHEN q.concurrency IS NULL THEN 1
            ELSE q.concurrency - (
              SELECT count(*)
              FROM belfry_jobs AS r
              WHERE r.queue = q.name AND r.claim_token IS NOT NULL
            )
          END,
          CASE
            WHEN q.rate_count IS NULL THEN 1
            ELSE q.rate_count - (
              SELECT COALESCE(sum(s.count), 0)
              FROM belfry_starts AS s
              WHERE s.scope = 'queue:' || q.name AND s.at > $1 - q.rate_per_ms
            )
          END
        )
      )
    END
  END AS room,
  COALESCE(q.paused, 0) AS paused,
  CASE
    WHEN q.name IS NULL THEN NULL
    ELSE CASE
      WHEN q.rate_count IS NULL OR q.rate_count <= 0 THEN NULL
      WHEN q.concurrency IS NOT NULL
        AND q.concurrency <= (
          SELECT count(*) FROM belfry_jobs AS r WHERE r.queue = q.name AND r.claim_token IS NOT NULL
        ) THEN NULL
      ELSE (
        SELECT w.at + q.rate_per_ms
        FROM (
          SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
          FROM belfry_starts AS s
          WHERE s.scope = 'queue:' || q.name AND s.at > $1 - q.rate_per_ms
        ) AS w
        WHERE w.running >= q.rate_count
        ORDER BY w.at DESC
        LIMIT 1
      )
    END
  END AS free_at,
  (
    SELECT m.next_at
    FROM belfry_limits AS m
    WHERE m.mark IS NULL AND m.next_at + 0 <= 9007199254740991
    ORDER BY m.next_at
    LIMIT 1
  ) AS limit_at,
  COALESCE(
    (
      SELECT 1
      FROM belfry_jobs
      WHERE queue = a.value AND due = 1 AND held = 0 AND task = ANY ($2::text[])
      LIMIT 1
    ),
    0
  ) AS ready,
  (
    SELECT alarm_at
    FROM belfry_jobs
    WHERE queue = a.value
      AND finished_at IS NULL
      AND alarm_at IS NOT NULL
      AND task = ANY ($2::text[])
    ORDER BY alarm_at
    LIMIT 1
  ) AS alarm_at
FROM (SELECT value FROM unnest($3::text[]) AS item(value) WHERE value = COALESCE(value, '')) AS a
LEFT JOIN belfry_queues AS q ON q.name = a.value;

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- from two queues ----------
-- claim.lockToken, as above
-- claim.lockQueues, as above
-- claim.alarm, as above
-- claim.openLimits, as above
-- only where effects.found finds a row:
-- effects.cancelDescendants, see effects.sql
-- effects.cancelDescendants, see effects.sql
-- effects.reachParents, see effects.sql
-- effects.countFailures, see effects.sql
-- limits.markEnded, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql

--   1 queue0, 2 queues, 3 token, 4 limit, 5 now, 6 queue1, 7 until, 8 worker, 9 mark
WITH
  candidates AS MATERIALIZED (
    SELECT id, 0 AS place, row_number() OVER (ORDER BY priority DESC, available_at, id) AS turn
    FROM (
      SELECT id, priority, available_at
      FROM belfry_jobs
      WHERE queue = $1 AND due = 1 AND held = 0
      ORDER BY priority DESC, available_at, id
      LIMIT (
        SELECT CASE
          WHEN EXISTS (
            SELECT 1 FROM belfry_jobs WHERE queue = ANY ($2::text[]) AND claim_token = $3
          ) THEN 0
          ELSE COALESCE(
            (
              SELECT CASE WHEN room > 0 THEN room ELSE 0 END
              FROM (
                SELECT CASE
                  WHEN q.paused = 1 THEN 0
                  ELSE LEAST(
                    CAST($4 AS bigint),
                    LEAST(
                      CASE
                        WHEN q.concurrency IS NULL THEN CAST($4 AS bigint)
                        ELSE q.concurrency - (
                          SELECT count(*)
                          FROM belfry_jobs AS r
                          WHERE r.queue = q.name AND r.claim_token IS NOT NULL
                        )
                      END,
                      CASE
                        WHEN q.rate_count IS NULL THEN CAST($4 AS bigint)
                        ELSE q.rate_count - (
                          SELECT COALESCE(sum(s.count), 0)
                          FROM belfry_starts AS s
                          WHERE s.scope = 'queue:' || q.name AND s.at > $5 - q.rate_per_ms
                        )
                      END
                    )
                  )
                END AS room
                FROM belfry_queues AS q
                WHERE q.name = $1
              ) AS known_queue
            ),
            $4
          )
        END
      )
      FOR UPDATE SKIP LOCKED
    ) AS queue0
    UNION ALL
    SELECT id, 1 AS place, row_number() OVER (ORDER BY priority DESC, available_at, id) AS turn
    FROM (
      SELECT id, priority, available_at
      FROM belfry_jobs
      WHERE queue = $6 AND due = 1 AND held = 0
      ORDER BY priority DESC, available_at, id
      LIMIT (
        SELECT CASE
          WHEN EXISTS (
            SELECT 1 FROM belfry_jobs WHERE queue = ANY ($2::text[]) AND claim_token = $3
          ) THEN 0
          ELSE COALESCE(
            (
              SELECT CASE WHEN room > 0 THEN room ELSE 0 END
              FROM (
                SELECT CASE
                  WHEN q.paused = 1 THEN 0
                  ELSE LEAST(
                    CAST($4 AS bigint),
                    LEAST(
                      CASE
                        WHEN q.concurrency IS NULL THEN CAST($4 AS bigint)
                        ELSE q.concurrency - (
                          SELECT count(*)
                          FROM belfry_jobs AS r
                          WHERE r.queue = q.name AND r.claim_token IS NOT NULL
                        )
                      END,
                      CASE
                        WHEN q.rate_count IS NULL THEN CAST($4 AS bigint)
                        ELSE q.rate_count - (
                          SELECT COALESCE(sum(s.count), 0)
                          FROM belfry_starts AS s
                          WHERE s.scope = 'queue:' || q.name AND s.at > $5 - q.rate_per_ms
                        )
                      END
                    )
                  )
                END AS room
                FROM belfry_queues AS q
                WHERE q.name = $6
              ) AS known_queue
            ),
            $4
          )
        END
      )
      FOR UPDATE SKIP LOCKED
    ) AS queue1
  ),
  chosen AS MATERIALIZED (SELECT id FROM candidates ORDER BY turn, place LIMIT (SELECT $4))
UPDATE belfry_jobs
SET state = 'running', due = 0, attempt = attempt + 1 - resuming, resuming = 0,
  claims = claims + 1, claim_token = $3, claim_expires_at = $7, alarm_at = $7, worker = $8,
  started_at = COALESCE(started_at, $5),
  mark = $9
WHERE id IN (SELECT id FROM chosen) AND due - held = 1;

-- claim.countStarts, as above
-- history.jobs, as above
-- history.steps, as above
-- history.signals, as above
-- history.children, as above
-- queueState.asked, as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
