-- fire on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- under the lease ----------

-- fire.moveLeased
--   1 mark, 2 now, 3 firings, 4 holder, 5 term
UPDATE belfry_schedules AS s
SET mark = $1, revision = s.revision + 1, updated_at = $2, state = item.state,
  next_at = item.next_at, fired = item.fired, skips = item.skips, last_at = item.last_at,
  note = item.note
FROM (
  SELECT ord - 1 AS ord, name, expected, state, next_at, fired, skips, last_at, note, cancels
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      name text, expected bigint, state text, next_at bigint, fired bigint, skips bigint,
      last_at bigint, note text, cancels bigint
    )
  )
  WITH ORDINALITY AS item(name, expected, state, next_at, fired, skips, last_at, note, cancels, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE s.name = item.name
  AND s.revision = item.expected
  AND EXISTS (SELECT 1 FROM belfry_lease WHERE id = 1 AND holder = $4 AND token = $5 FOR SHARE);

-- fire.insertJobs
--   1 now, 2 op, 3 mark, 4 jobs
INSERT INTO belfry_jobs (
  id, task, queue, priority, available_at, expires_at, key, input, options, schedule, scheduled_at,
  parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held, due, alarm_at,
  state, resuming, attempt, claims, arrivals, created_at, inserted_by, mark
)
SELECT item.id, item.task, item.queue, item.priority, item.available_at, item.expires_at,
  item.key, item.input, item.options, item.schedule, item.scheduled_at, item.parent_id,
  item.limit_key, item.limit_concurrency, item.limit_count, item.limit_per_ms, item.tied, item.held,
  item.due, item.alarm_at, 'ready', 0, 0, 0, 0, $1, $2,
  CASE WHEN item.limit_key IS NULL THEN NULL ELSE $3 END
FROM
  (
    SELECT ord - 1 AS ord, id, task, queue, priority, available_at, expires_at, key, input,
      options, schedule, scheduled_at, parent_id, limit_key, limit_concurrency, limit_count,
      limit_per_ms, tied, held, due, alarm_at
    FROM ROWS FROM (
      json_to_recordset($4::text::json) AS (
        id text, task text, queue text, priority bigint, available_at bigint, expires_at bigint,
        key text, input text, options text, schedule text, scheduled_at bigint, parent_id text,
        limit_key text, limit_concurrency bigint, limit_count bigint, limit_per_ms bigint,
        tied bigint, held bigint, due bigint, alarm_at bigint
      )
    )
    WITH ORDINALITY AS item(
      id, task, queue, priority, available_at, expires_at, key, input, options, schedule,
      scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held,
      due, alarm_at, ord
    )
    WHERE ord = COALESCE(ord, 0)
  ) AS item,
  belfry_schedules AS s
WHERE s.name = item.schedule
  AND s.mark = $3
  AND NOT EXISTS (
    SELECT 1
    FROM belfry_occurrences AS o
    WHERE o.schedule = item.schedule AND o.at = item.scheduled_at
  )
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- fire.notInserted
-- not where fire.insertJobs changed as many rows as were asked for
--   1 jobs, 2 op
SELECT item.ord AS ord
FROM (
  SELECT ord - 1 AS ord, id, task, queue, priority, available_at, expires_at, key, input, options,
    schedule, scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms,
    tied, held, due, alarm_at
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      id text, task text, queue text, priority bigint, available_at bigint, expires_at bigint,
      key text, input text, options text, schedule text, scheduled_at bigint, parent_id text,
      limit_key text, limit_concurrency bigint, limit_count bigint, limit_per_ms bigint,
      tied bigint, held bigint, due bigint, alarm_at bigint
    )
  )
  WITH ORDINALITY AS item(
    id, task, queue, priority, available_at, expires_at, key, input, options, schedule,
    scheduled_at, parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held,
    due, alarm_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
LEFT JOIN belfry_jobs AS j ON j.id = item.id
WHERE j.inserted_by IS NULL OR j.inserted_by <> $2;

-- fire.record
--   1 occurrences, 2 mark
INSERT INTO belfry_occurrences (schedule, at, until_at, count, job_id, reason, recorded_at)
SELECT item.schedule, item.at, item.until_at, item.count, item.job_id, item.reason, item.recorded_at
FROM
  (
    SELECT ord - 1 AS ord, schedule, at, until_at, count, job_id, reason, recorded_at
    FROM ROWS FROM (
      json_to_recordset($1::text::json) AS (
        schedule text, at bigint, until_at bigint, count bigint, job_id text, reason text,
        recorded_at bigint
      )
    )
    WITH ORDINALITY AS item(schedule, at, until_at, count, job_id, reason, recorded_at, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item,
  belfry_schedules AS s
WHERE s.name = item.schedule AND s.mark = $2
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- fire.leads
--   1 holder, 2 term
SELECT 1 AS leads FROM belfry_lease WHERE id = 1 AND holder = $1 AND token = $2;

-- fire.unmoved
-- not where fire.moveLeased changed as many rows as were asked for
--   1 firings, 2 from, 3 to
SELECT item.ord AS ord
FROM (
  SELECT ord - 1 AS ord, name, expected, state, next_at, fired, skips, last_at, note, cancels
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      name text, expected bigint, state text, next_at bigint, fired bigint, skips bigint,
      last_at bigint, note text, cancels bigint
    )
  )
  WITH ORDINALITY AS item(name, expected, state, next_at, fired, skips, last_at, note, cancels, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
LEFT JOIN belfry_schedules AS s ON s.name = item.name
WHERE s.mark IS NULL OR s.mark < $2 OR s.mark >= $3;

SELECT pg_notify('belfry_wake', 'jobs');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- under the lease, which is given up ----------
-- fire.moveLeased, as above
-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- fire.leads, as above

-- fire.resign
--   1 holder, 2 term
UPDATE belfry_lease SET holder = NULL WHERE id = 1 AND holder = $1 AND token = $2;

-- fire.unmoved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above

SELECT pg_notify('belfry_wake', 'schedules');

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- without lease ----------

-- fire.move
--   1 mark, 2 now, 3 firings
UPDATE belfry_schedules AS s
SET mark = $1, revision = s.revision + 1, updated_at = $2, state = item.state,
  next_at = item.next_at, fired = item.fired, skips = item.skips, last_at = item.last_at,
  note = item.note
FROM (
  SELECT ord - 1 AS ord, name, expected, state, next_at, fired, skips, last_at, note, cancels
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      name text, expected bigint, state text, next_at bigint, fired bigint, skips bigint,
      last_at bigint, note text, cancels bigint
    )
  )
  WITH ORDINALITY AS item(name, expected, state, next_at, fired, skips, last_at, note, cancels, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE s.name = item.name AND s.revision = item.expected;

-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- fire.unmoved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT pg_notify('belfry_wake', 'schedules') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- a skipped occurrence ----------
-- fire.moveLeased, as above
-- fire.record, as above
-- fire.leads, as above
-- fire.unmoved, as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- a job with a limit ----------
-- fire.moveLeased, as above
-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- limits.markInserted, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- fire.leads, as above
-- fire.unmoved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- cancels unfinished jobs ----------
-- fire.moveLeased, as above

-- fire.cancelUnfinished
--   1 mark, 2 error, 3 now, 4 firings
UPDATE belfry_jobs
SET state = 'cancelled', mark = $1, error = $2, finished_at = $3, held = 0, due = 0, resuming = 0,
  available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
WHERE finished_at IS NULL
  AND schedule IN (
    SELECT item.name
    FROM (
      SELECT ord - 1 AS ord, name, expected, state, next_at, fired, skips, last_at, note, cancels
      FROM ROWS FROM (
        json_to_recordset($4::text::json) AS (
          name text, expected bigint, state text, next_at bigint, fired bigint, skips bigint,
          last_at bigint, note text, cancels bigint
        )
      )
      WITH ORDINALITY AS item(
        name, expected, state, next_at, fired, skips, last_at, note, cancels, ord
      )
      WHERE ord = COALESCE(ord, 0)
    ) AS item
    JOIN belfry_schedules AS s ON s.name = item.name
    WHERE item.cancels = 1 AND s.mark = $1
  );

-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
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
-- fire.leads, as above
-- fire.unmoved, as above
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
