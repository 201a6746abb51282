-- fire on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- under the lease ----------

-- fire.moveLeased
-- once for each row of :firings
--   1 mark, 2 now, 3 firings.state, 4 firings.next_at, 5 firings.fired, 6 firings.skips
--   7 firings.last_at, 8 firings.note, 9 firings.name, 10 firings.expected, 11 holder, 12 term
UPDATE belfry_schedules AS s
SET mark = ?1, revision = s.revision + 1, updated_at = ?2, state = ?3, next_at = ?4, fired = ?5,
  skips = ?6, last_at = ?7, note = ?8
WHERE s.name = ?9
  AND s.revision = ?10
  AND EXISTS (SELECT 1 FROM belfry_lease WHERE id = 1 AND holder = ?11 AND token = ?12);

-- fire.insertJobs
-- once for each row of :jobs
--   1 jobs.id, 2 jobs.schedule, 3 mark, 4 jobs.scheduled_at, 5 jobs.task, 6 jobs.queue
--   7 jobs.priority, 8 jobs.available_at, 9 jobs.expires_at, 10 jobs.key, 11 jobs.input
--   12 jobs.options, 13 jobs.parent_id, 14 jobs.limit_key, 15 jobs.limit_concurrency
--   16 jobs.limit_count, 17 jobs.limit_per_ms, 18 jobs.tied, 19 jobs.held, 20 jobs.due
--   21 jobs.alarm_at, 22 now, 23 op
INSERT INTO belfry_jobs (
  id, task, queue, priority, available_at, expires_at, key, input, options, schedule, scheduled_at,
  parent_id, limit_key, limit_concurrency, limit_count, limit_per_ms, tied, held, due, alarm_at,
  state, resuming, attempt, claims, arrivals, created_at, inserted_by, mark
)
VALUES (
  (
    SELECT ?1
    FROM belfry_schedules AS s
    WHERE s.name = ?2
      AND s.mark = ?3
      AND NOT EXISTS (SELECT 1 FROM belfry_occurrences AS o WHERE o.schedule = ?2 AND o.at = ?4)
  ),
  ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?2, ?4, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, 'ready',
  0, 0, 0, 0, ?22, ?23,
  CASE WHEN ?14 IS NULL THEN NULL ELSE ?3 END
)
ON CONFLICT DO NOTHING;

-- fire.notInserted
-- once for each row of :jobs
-- not where fire.insertJobs changed as many rows as were asked for
--   1 jobs.ord, 2 jobs.id, 3 op
SELECT ?1 AS ord
FROM (SELECT 1 AS one) AS once
LEFT JOIN belfry_jobs AS j ON j.id = ?2
WHERE j.inserted_by IS NULL OR j.inserted_by <> ?3;

-- fire.record
-- once for each row of :occurrences
--   1 occurrences.schedule, 2 mark, 3 occurrences.at, 4 occurrences.until_at, 5 occurrences.count
--   6 occurrences.job_id, 7 occurrences.reason, 8 occurrences.recorded_at
INSERT INTO belfry_occurrences (schedule, at, until_at, count, job_id, reason, recorded_at)
VALUES (
  (SELECT ?1 FROM belfry_schedules AS s WHERE s.name = ?1 AND s.mark = ?2), ?3, ?4, ?5, ?6, ?7, ?8
)
ON CONFLICT DO NOTHING;

-- fire.leads
--   1 holder, 2 term
SELECT 1 AS leads FROM belfry_lease WHERE id = 1 AND holder = ?1 AND token = ?2;

-- fire.unmoved
-- once for each row of :firings
-- not where fire.moveLeased changed as many rows as were asked for
--   1 firings.ord, 2 firings.name, 3 from, 4 to
SELECT ?1 AS ord
FROM (SELECT 1 AS one) AS once
LEFT JOIN belfry_schedules AS s ON s.name = ?2
WHERE s.mark IS NULL OR s.mark < ?3 OR s.mark >= ?4;

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

-- ---------- without lease ----------

-- fire.move
-- once for each row of :firings
--   1 mark, 2 now, 3 firings.state, 4 firings.next_at, 5 firings.fired, 6 firings.skips
--   7 firings.last_at, 8 firings.note, 9 firings.name, 10 firings.expected
UPDATE belfry_schedules AS s
SET mark = ?1, revision = s.revision + 1, updated_at = ?2, state = ?3, next_at = ?4, fired = ?5,
  skips = ?6, last_at = ?7, note = ?8
WHERE s.name = ?9 AND s.revision = ?10;

-- fire.insertJobs, as above
-- fire.notInserted, as above
-- fire.record, as above
-- fire.unmoved, as above

-- ---------- a skipped occurrence ----------
-- fire.moveLeased, as above
-- fire.record, as above
-- fire.leads, as above
-- fire.unmoved, as above

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
