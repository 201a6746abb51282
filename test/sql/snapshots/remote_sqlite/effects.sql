-- effects on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- limits.markInserted
--   1 mark, 2 jobs
INSERT INTO belfry_limits (key, concurrency, rate_count, rate_per_ms, room, next_at, mark)
SELECT limit_key, limit_concurrency, limit_count, limit_per_ms, 0, NULL, ?1
FROM (
  SELECT j.limit_key, j.limit_concurrency, j.limit_count, j.limit_per_ms,
    row_number() OVER (PARTITION BY j.limit_key ORDER BY item.ord DESC) AS place
  FROM (
    SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
      value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
      value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
      value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
      value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
      value->>18 AS due, value->>19 AS alarm_at
    FROM json_each(?2)
  ) AS item
  JOIN belfry_jobs AS j ON j.id = item.id
  WHERE j.mark = ?1 AND j.limit_key IS NOT NULL
) AS latest
WHERE place = 1
ORDER BY limit_key
ON CONFLICT (key)
DO UPDATE
SET concurrency = excluded.concurrency, rate_count = excluded.rate_count,
  rate_per_ms = excluded.rate_per_ms, mark = excluded.mark;

-- limits.markPutBack
--   1 mark, 2 ids
INSERT INTO belfry_limits (key, concurrency, rate_count, rate_per_ms, room, next_at, mark)
SELECT limit_key, limit_concurrency, limit_count, limit_per_ms, 0, NULL, ?1
FROM (
  SELECT j.limit_key, j.limit_concurrency, j.limit_count, j.limit_per_ms,
    row_number() OVER (PARTITION BY j.limit_key ORDER BY j.id DESC) AS place
  FROM (SELECT value FROM json_each(?2)) AS item
  JOIN belfry_jobs AS j ON j.id = item.value
  WHERE j.mark = ?1 AND j.limit_key IS NOT NULL
) AS latest
WHERE place = 1
ORDER BY limit_key
ON CONFLICT (key)
DO UPDATE
SET concurrency = excluded.concurrency, rate_count = excluded.rate_count,
  rate_per_ms = excluded.rate_per_ms, mark = excluded.mark;

-- limits.markEnded
--   1 mark, 2 cascade
UPDATE belfry_limits
SET mark = ?1
WHERE key IN (
  SELECT limit_key
  FROM belfry_jobs
  WHERE mark IN (?1, ?2) AND tied > 0 AND finished_at IS NOT NULL AND limit_key IS NOT NULL
);

-- admission.becomeDue
--   1 now, 2 mark
UPDATE belfry_jobs
SET due = 1
WHERE held = 1
  AND due = 0
  AND available_at <= ?1
  AND limit_key IN (SELECT key FROM belfry_limits WHERE mark = ?2);

-- admission.countRoom
--   1 now, 2 mark
UPDATE belfry_limits AS l
SET room = CASE
  WHEN l.rate_count IS NULL THEN CASE
    WHEN l.concurrency IS NULL THEN 1000
    ELSE l.concurrency - (
      SELECT count(*)
      FROM belfry_jobs AS j
      WHERE j.limit_key = l.key AND j.held = 0 AND j.finished_at IS NULL
    )
  END
  ELSE min(
    min(
      CASE
        WHEN l.concurrency IS NULL THEN 1000
        ELSE l.concurrency - (
          SELECT count(*)
          FROM belfry_jobs AS j
          WHERE j.limit_key = l.key AND j.held = 0 AND j.finished_at IS NULL
        )
      END,
      l.rate_count - (
        SELECT COALESCE(sum(s.count), 0)
        FROM belfry_starts AS s
        WHERE s.scope = 'limit:' || l.key AND s.at > ?1 - l.rate_per_ms
      )
    ),
    (
      SELECT count(*)
      FROM (
        SELECT 1
        FROM belfry_jobs AS j
        WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1
        LIMIT 1000
      ) AS waiting
    )
  )
END
WHERE l.mark = ?2;

-- admission.noNegativeRoom
--   1 mark
UPDATE belfry_limits SET room = 0 WHERE mark = ?1 AND room < 0;

-- admission.admit
--   1 mark
UPDATE belfry_jobs
SET held = 0
WHERE
  id IN (
    SELECT picked.value AS id
    FROM (SELECT key, room FROM belfry_limits WHERE mark = ?1 AND room > 0) AS outer_row,
      json_each(
        (
          SELECT json_group_array(id)
          FROM (
            SELECT id
            FROM belfry_jobs
            WHERE limit_key = outer_row.key AND held = 1 AND due = 1
            ORDER BY priority DESC, available_at, id
            LIMIT (
              SELECT max(room)
              FROM (SELECT key, room FROM belfry_limits WHERE mark = ?1 AND room > 0) AS rooms
            )
          )
        )
      ) AS picked
    WHERE picked.key < outer_row.room
  )
  AND held = 1
  AND due = 1;

-- admission.countStarts
--   1 now, 2 mark
INSERT INTO belfry_starts (scope, at, op, count)
SELECT 'limit:' || key, ?1, ?2, room
FROM belfry_limits
WHERE mark = ?2 AND rate_count IS NOT NULL AND room > 0
ON CONFLICT (scope, at, op)
DO UPDATE
SET count = belfry_starts.count + excluded.count;

-- admission.finish
--   1 now, 2 mark
UPDATE belfry_limits AS l
SET mark = NULL,
  next_at = CASE
    WHEN
      CASE
        WHEN l.concurrency IS NULL THEN 1000
        ELSE l.concurrency - (
          SELECT count(*)
          FROM belfry_jobs AS j
          WHERE j.limit_key = l.key AND j.held = 0 AND j.finished_at IS NULL
        )
      END <= 0
      OR l.rate_count <= 0 THEN NULL
    WHEN EXISTS (SELECT 1 FROM belfry_jobs AS j WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 1) THEN CASE
      WHEN l.rate_count IS NULL THEN ?1
      ELSE COALESCE(
        (
          SELECT w.at + l.rate_per_ms
          FROM (
            SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
            FROM belfry_starts AS s
            WHERE s.scope = 'limit:' || l.key AND s.at > ?1 - l.rate_per_ms
          ) AS w
          WHERE w.running >= l.rate_count
          ORDER BY w.at DESC
          LIMIT 1
        ),
        ?1
      )
    END
    ELSE (
      SELECT CASE WHEN f.at IS NULL OR f.at < m.at THEN m.at ELSE f.at END
      FROM
        (
          SELECT min(j.available_at) AS at
          FROM belfry_jobs AS j
          WHERE j.limit_key = l.key AND j.held = 1 AND j.due = 0
        ) AS m,
        (
          SELECT CASE
            WHEN l.rate_count IS NULL THEN NULL
            ELSE (
              SELECT w.at + l.rate_per_ms
              FROM (
                SELECT s.at, sum(s.count) OVER (ORDER BY s.at DESC, s.op DESC) AS running
                FROM belfry_starts AS s
                WHERE s.scope = 'limit:' || l.key AND s.at > ?1 - l.rate_per_ms
              ) AS w
              WHERE w.running >= l.rate_count
              ORDER BY w.at DESC
              LIMIT 1
            )
          END AS at
        ) AS f
      WHERE m.at IS NOT NULL
    )
  END
WHERE l.mark = ?2;

-- effects.found
--   1 mark, 2 cascade
SELECT 1 AS found
WHERE EXISTS (
  SELECT 1 FROM belfry_jobs WHERE mark IN (?1, ?2) AND tied > 0 AND finished_at IS NOT NULL
)
  OR EXISTS (SELECT 1 FROM belfry_limits WHERE mark = ?1);

-- effects.cancelDescendants
--   1 mark, 2 cascade, 3 now, 4 error
WITH RECURSIVE down(id, cause) AS (
  SELECT c.id, e.state
  FROM belfry_jobs AS e
  JOIN belfry_jobs AS c ON c.parent_id = e.id
  WHERE e.mark IN (?1, ?2)
    AND e.tied > 0
    AND e.finished_at IS NOT NULL
    AND e.state <> 'completed'
    AND c.finished_at IS NULL
  UNION
  SELECT c.id, d.cause
  FROM down AS d
  JOIN belfry_jobs AS c ON c.parent_id = d.id
  WHERE c.finished_at IS NULL
)
UPDATE belfry_jobs AS j
SET state = 'cancelled', mark = ?2, finished_at = ?3, held = 0, due = 0, resuming = 0,
  available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL,
  error = COALESCE(
    ?4,
    '{"name":"BelfryError","code":"JOB_CANCELLED","message":"its parent job ended as ' || down.cause || '"}'
  )
FROM down
WHERE j.id = down.id AND j.id IN (SELECT id FROM down) AND j.finished_at IS NULL;

-- effects.reachParents
--   1 now, 2 mark, 3 cascade
UPDATE belfry_jobs AS p
SET arrivals = p.arrivals + c.ended,
  state = CASE WHEN p.state = 'waiting' THEN 'ready' ELSE p.state END,
  due = CASE WHEN p.state = 'waiting' THEN 1 ELSE p.due END,
  resuming = CASE WHEN p.state = 'waiting' THEN 1 ELSE p.resuming END,
  available_at = CASE WHEN p.state = 'waiting' THEN ?1 ELSE p.available_at END,
  alarm_at = CASE WHEN p.state = 'waiting' THEN NULL ELSE p.alarm_at END
FROM (
  SELECT parent_id, count(*) AS ended
  FROM belfry_jobs
  WHERE mark IN (?2, ?3) AND tied > 0 AND finished_at IS NOT NULL AND parent_id IS NOT NULL
  GROUP BY parent_id
) AS c
WHERE p.id = c.parent_id AND p.finished_at IS NULL;

-- effects.countFailures
--   1 now, 2 mark, 3 cascade
UPDATE belfry_schedules AS s
SET failures = CASE WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed END,
  state = CASE
    WHEN s.state = 'active'
      AND s.pause_after_failures IS NOT NULL
      AND CASE
        WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed
      END >= s.pause_after_failures THEN 'paused'
    ELSE s.state
  END,
  note = CASE
    WHEN s.state = 'active'
      AND s.pause_after_failures IS NOT NULL
      AND CASE
        WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed
      END >= s.pause_after_failures THEN 'paused after ' || CASE WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed END || ' failed jobs in a row'
    ELSE s.note
  END,
  revision = s.revision + 1, updated_at = ?1
FROM (
  SELECT schedule,
    count(*) FILTER (WHERE state = 'failed') AS failed,
    count(*) FILTER (WHERE state = 'completed') AS completed
  FROM belfry_jobs
  WHERE mark IN (?2, ?3) AND tied > 0 AND finished_at IS NOT NULL AND schedule IS NOT NULL
  GROUP BY schedule
) AS e
WHERE s.name = e.schedule
  AND s.failures <> CASE WHEN e.completed > 0 THEN 0 ELSE s.failures + e.failed END;
