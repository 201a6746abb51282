-- beginTick on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- keeps the lease ----------

-- keeping.acquire
--   1 holder, 2 term, 3 until, 4 mark, 5 now
UPDATE belfry_lease
SET token = CASE WHEN holder = ?1 AND token = ?2 THEN token ELSE token + 1 END,
  (holder, first_at) = (
    SELECT ?1, min(next_at) FROM belfry_schedules WHERE state = 'active' AND next_at IS NOT NULL
  ),
  expires_at = ?3, mark = ?4
WHERE id = 1
  AND (holder IS NULL OR expires_at <= ?5 OR (holder = ?1 AND (?2 IS NULL OR token = ?2)));

-- keeping.found
--   1 mark, 2 now, 3 most
SELECT l.holder, l.token, l.expires_at,
  CASE WHEN l.mark = ?1 THEN 1 ELSE 0 END AS leads,
  CASE
    WHEN l.mark = ?1 THEN CASE
      WHEN l.first_at <= ?2 THEN (
        SELECT next_at
        FROM belfry_schedules
        WHERE state = 'active' AND next_at > ?2
        ORDER BY next_at
        LIMIT 1
      )
      ELSE l.first_at
    END
    ELSE (
      SELECT next_at
      FROM belfry_schedules
      WHERE state = 'active' AND next_at IS NOT NULL
      ORDER BY next_at
      LIMIT 1
    )
  END AS later_at,
  (
    SELECT m.next_at
    FROM belfry_limits AS m
    WHERE m.mark IS NULL AND m.next_at + 0 <= 9007199254740991
    ORDER BY m.next_at
    LIMIT 1
  ) AS limit_at,
  CASE
    WHEN EXISTS (SELECT 1 FROM belfry_jobs WHERE due = 1 AND held = 0)
      OR EXISTS (SELECT 1 FROM belfry_jobs WHERE finished_at IS NULL AND alarm_at IS NOT NULL) THEN (
        WITH RECURSIVE
          ready(queue) AS (
            SELECT queue
            FROM (
              SELECT j.queue
              FROM belfry_jobs AS j
              WHERE due = 1 AND held = 0
              ORDER BY j.queue
              LIMIT 1
            ) AS found
            UNION ALL
            SELECT (
              SELECT j.queue
              FROM belfry_jobs AS j
              WHERE due = 1 AND held = 0 AND j.queue > w.queue
              ORDER BY j.queue
              LIMIT 1
            )
            FROM ready AS w
            WHERE w.queue IS NOT NULL
          ),
          timed(queue) AS (
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
            FROM timed AS w
            WHERE w.queue IS NOT NULL
          ),
          each_queue(queue, ready, alarm_at) AS (
            SELECT queue, 1, NULL
            FROM ready
            WHERE queue IS NOT NULL
            UNION ALL
            SELECT queue, 0,
              (
                SELECT j.alarm_at
                FROM belfry_jobs AS j
                WHERE j.queue = timed.queue AND finished_at IS NULL AND alarm_at IS NOT NULL
                ORDER BY j.alarm_at
                LIMIT 1
              )
            FROM timed
            WHERE queue IS NOT NULL
          )
        SELECT min(
          CASE
            WHEN q.paused = 1 THEN NULL
            WHEN each_queue.ready = 0 THEN each_queue.alarm_at
            WHEN CASE
              WHEN q.name IS NULL THEN 1
              ELSE CASE
                WHEN q.paused = 1 THEN 0
                ELSE min(
                  1,
                  min(
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
                        WHERE s.scope = 'queue:' || q.name AND s.at > ?2 - q.rate_per_ms
                      )
                    END
                  )
                )
              END
            END > 0 THEN ?2
            ELSE CASE
              WHEN q.name IS NULL THEN NULL
              ELSE CASE
                WHEN q.rate_count IS NULL OR q.rate_count <= 0 THEN NULL
                WHEN q.concurrency IS NOT NULL
                  AND q.concurrency <= (
                    SELECT count(*)
                    FROM belfry_jobs AS r
                    WHERE r.queue = q.name AND r.claim_token IS NOT NULL
                  ) THEN NULL
                ELSE (
                  SELECT w.at + q.rate_per_ms
                  FROM (
                    SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
                    FROM belfry_starts AS s
                    WHERE s.scope = 'queue:' || q.name AND s.at > ?2 - q.rate_per_ms
                  ) AS w
                  WHERE w.running >= q.rate_count
                  ORDER BY w.at DESC
                  LIMIT 1
                )
              END
            END
          END
        )
        FROM each_queue
        LEFT JOIN belfry_queues AS q ON q.name = each_queue.queue
      )
  END AS jobs_at,
  name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at,
  CASE
    WHEN s.watches_jobs = 1 THEN COALESCE(
      (SELECT 1 FROM belfry_jobs AS j WHERE j.schedule = s.name AND j.finished_at IS NULL LIMIT 1),
      0
    )
    ELSE 0
  END AS busy
FROM belfry_lease AS l
LEFT JOIN belfry_schedules AS s ON s.state = 'active'
  AND s.next_at <= ?2
  AND s.next_at >= CASE WHEN l.mark = ?1 AND l.first_at <= ?2 THEN -9007199254740991 END
WHERE l.id = 1
ORDER BY s.next_at, s.name
LIMIT (SELECT ?3);

-- ---------- gives the lease up when nothing is due ----------

-- resigning.acquire
--   1 holder, 2 term, 3 now, 4 until, 5 mark
UPDATE belfry_lease
SET token = CASE WHEN holder = ?1 AND token = ?2 THEN token ELSE token + 1 END,
  (holder, first_at) = (
    SELECT CASE WHEN min(next_at) <= ?3 THEN ?1 END, min(next_at)
    FROM belfry_schedules
    WHERE state = 'active' AND next_at IS NOT NULL
  ),
  expires_at = ?4, mark = ?5
WHERE id = 1
  AND (holder IS NULL OR expires_at <= ?3 OR (holder = ?1 AND (?2 IS NULL OR token = ?2)));

-- keeping.found, as above
