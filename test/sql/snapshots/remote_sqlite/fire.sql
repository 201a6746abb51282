-- fire on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- ---------- under the lease ----------

-- fire.moveLeased
--   1 mark, 2 now, 3 firings, 4 holder, 5 term
UPDATE belfry_schedules AS s
SET mark = ?1, revision = s.revision + 1, updated_at = ?2, state = item.state,
  next_at = item.next_at, fired = item.fired, skips = item.skips, last_at = item.last_at,
  note = item.note
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS state,
    value->>3 AS next_at, value->>4 AS fired, value->>5 AS skips, value->>6 AS last_at,
    value->>7 AS note, value->>8 AS cancels
  FROM json_each(?3)
) AS item
WHERE s.name = item.name
  AND s.revision = item.expected
  AND EXISTS (SELECT 1 FROM belfry_lease WHERE id = 1 AND holder = ?4 AND token = ?5);

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
  item.due, item.alarm_at, 'ready', 0, 0, 0, 0, ?1, ?2,
  CASE WHEN item.limit_key IS NULL THEN NULL ELSE ?3 END
FROM
  (
    SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
      value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
      value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
      value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
      value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
      value->>18 AS due, value->>19 AS alarm_at
    FROM json_each(?4)
  ) AS item,
  belfry_schedules AS s
WHERE s.name = item.schedule
  AND s.mark = ?3
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
  SELECT key AS ord, value->>0 AS id, value->>1 AS task, value->>2 AS queue,
    value->>3 AS priority, value->>4 AS available_at, value->>5 AS expires_at, value->>6 AS key,
    value->>7 AS input, value->>8 AS options, value->>9 AS schedule, value->>10 AS scheduled_at,
    value->>11 AS parent_id, value->>12 AS limit_key, value->>13 AS limit_concurrency,
    value->>14 AS limit_count, value->>15 AS limit_per_ms, value->>16 AS tied, value->>17 AS held,
    value->>18 AS due, value->>19 AS alarm_at
  FROM json_each(?1)
) AS item
LEFT JOIN belfry_jobs AS j ON j.id = item.id
WHERE j.inserted_by IS NULL OR j.inserted_by <> ?2;

-- fire.record
--   1 occurrences, 2 mark
INSERT INTO belfry_occurrences (schedule, at, until_at, count, job_id, reason, recorded_at)
SELECT item.schedule, item.at, item.until_at, item.count, item.job_id, item.reason, item.recorded_at
FROM
  (
    SELECT key AS ord, value->>0 AS schedule, value->>1 AS at, value->>2 AS until_at,
      value->>3 AS count, value->>4 AS job_id, value->>5 AS reason, value->>6 AS recorded_at
    FROM json_each(?1)
  ) AS item,
  belfry_schedules AS s
WHERE s.name = item.schedule AND s.mark = ?2
ORDER BY item.ord
ON CONFLICT DO NOTHING;

-- fire.leads
--   1 holder, 2 term
SELECT 1 AS leads FROM belfry_lease WHERE id = 1 AND holder = ?1 AND token = ?2;

-- fire.unmoved
-- not where fire.moveLeased changed as many rows as were asked for
--   1 firings, 2 from, 3 to
SELECT item.ord AS ord
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS state,
    value->>3 AS next_at, value->>4 AS fired, value->>5 AS skips, value->>6 AS last_at,
    value->>7 AS note, value->>8 AS cancels
  FROM json_each(?1)
) AS item
LEFT JOIN belfry_schedules AS s ON s.name = item.name
WHERE s.mark IS NULL OR s.mark < ?2 OR s.mark >= ?3;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;

-- ---------- under the lease, which is given up ----------
-- fire.moveLeased, as above
-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- fire.leads, as above

-- fire.resign
--   1 holder, 2 term
UPDATE belfry_lease SET holder = NULL WHERE id = 1 AND holder = ?1 AND token = ?2;

-- fire.unmoved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- without lease ----------

-- fire.move
--   1 mark, 2 now, 3 firings
UPDATE belfry_schedules AS s
SET mark = ?1, revision = s.revision + 1, updated_at = ?2, state = item.state,
  next_at = item.next_at, fired = item.fired, skips = item.skips, last_at = item.last_at,
  note = item.note
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS state,
    value->>3 AS next_at, value->>4 AS fired, value->>5 AS skips, value->>6 AS last_at,
    value->>7 AS note, value->>8 AS cancels
  FROM json_each(?3)
) AS item
WHERE s.name = item.name AND s.revision = item.expected;

-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- fire.unmoved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- a skipped occurrence ----------
-- fire.moveLeased, as above
-- fire.record, as above
-- fire.leads, as above
-- fire.unmoved, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- cancels unfinished jobs ----------
-- fire.moveLeased, as above

-- fire.cancelUnfinished
--   1 mark, 2 error, 3 now, 4 firings
UPDATE belfry_jobs
SET state = 'cancelled', mark = ?1, error = ?2, finished_at = ?3, held = 0, due = 0, resuming = 0,
  available_at = NULL, alarm_at = NULL, claim_token = NULL, claim_expires_at = NULL
WHERE finished_at IS NULL
  AND schedule IN (
    SELECT item.name
    FROM (
      SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS state,
        value->>3 AS next_at, value->>4 AS fired, value->>5 AS skips, value->>6 AS last_at,
        value->>7 AS note, value->>8 AS cancels
      FROM json_each(?4)
    ) AS item
    JOIN belfry_schedules AS s ON s.name = item.name
    WHERE item.cancels = 1 AND s.mark = ?1
  );

-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- only where effects.found finds a row:
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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above
