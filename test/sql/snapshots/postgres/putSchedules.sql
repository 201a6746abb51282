-- putSchedules on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- creates ----------

-- free.create
--   1 mark, 2 puts
INSERT INTO belfry_schedules (
  name, definition, state, next_at, fired, skips, failures, pause_after_failures, watches_jobs,
  last_at, note, owner, created_at, updated_at, revision, mark
)
SELECT item.name, item.definition, item.state, item.next_at, item.fired, item.skips,
  item.failures, item.pause_after_failures, item.watches_jobs, item.last_at, item.note, item.owner,
  item.created_at, item.updated_at, 1, $1
FROM (
  SELECT ord - 1 AS ord, name, expected, definition, state, next_at, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($2::text::json) AS (
      name text, expected bigint, definition text, state text, next_at bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, expected, definition, state, next_at, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE item.expected IS NULL
ORDER BY item.name
ON CONFLICT DO NOTHING;

-- put.written
--   1 puts, 2 from, 3 to
SELECT s.name
FROM (
  SELECT ord - 1 AS ord, name, expected, definition, state, next_at, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($1::text::json) AS (
      name text, expected bigint, definition text, state text, next_at bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, expected, definition, state, next_at, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
JOIN belfry_schedules AS s ON s.name = item.name
WHERE s.mark >= $2 AND s.mark < $3
ORDER BY item.ord;

SELECT pg_notify('belfry_wake', 'schedules');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;

-- ---------- replaces ----------

-- free.replace
--   1 mark, 2 puts
UPDATE belfry_schedules AS s
SET definition = item.definition, state = item.state, next_at = item.next_at, fired = item.fired,
  skips = item.skips, failures = item.failures, pause_after_failures = item.pause_after_failures,
  watches_jobs = item.watches_jobs, last_at = item.last_at, note = item.note, owner = item.owner,
  created_at = item.created_at, updated_at = item.updated_at, revision = s.revision + 1, mark = $1
FROM (
  SELECT ord - 1 AS ord, name, expected, definition, state, next_at, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($2::text::json) AS (
      name text, expected bigint, definition text, state text, next_at bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, expected, definition, state, next_at, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE s.name = item.name AND s.revision = item.expected;

-- put.written, as above
-- SELECT pg_notify('belfry_wake', 'schedules') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- replaces, with an outcome and a job that has a limit ----------
-- free.replace, as above
-- fire.insertJobs, see fire.sql
-- fire.record, see fire.sql
-- limits.markInserted, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- put.written, as above
-- SELECT pg_notify('belfry_wake', 'schedules') ..., as above

SELECT pg_notify('belfry_wake', 'jobs');

-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- removes ----------

-- free.remove
--   1 removes
DELETE FROM belfry_schedules
WHERE name IN (
  SELECT item.name
  FROM (
    SELECT ord - 1 AS ord, name, expected
    FROM ROWS FROM (json_to_recordset($1::text::json) AS (name text, expected bigint))
    WITH ORDINALITY AS item(name, expected, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item
  JOIN belfry_schedules AS s ON s.name = item.name
  WHERE s.revision = item.expected
  FOR UPDATE OF s
)
RETURNING name;

-- put.written, as above
-- SELECT pg_notify('belfry_wake', 'schedules') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above

-- ---------- sync: creates, replaces and removes for an owner ----------

-- put.claimOwner
--   1 owner, 2 generation, 3 mark
INSERT INTO belfry_owners (owner, generation, mark)
VALUES ($1, $2, $3)
ON CONFLICT (owner)
DO UPDATE
SET generation = excluded.generation, mark = excluded.mark
WHERE belfry_owners.generation <= excluded.generation;

-- owned.remove
--   1 removes, 2 owner, 3 mark
DELETE FROM belfry_schedules
WHERE name IN (
  SELECT item.name
  FROM (
    SELECT ord - 1 AS ord, name, expected
    FROM ROWS FROM (json_to_recordset($1::text::json) AS (name text, expected bigint))
    WITH ORDINALITY AS item(name, expected, ord)
    WHERE ord = COALESCE(ord, 0)
  ) AS item
  JOIN belfry_schedules AS s ON s.name = item.name
  WHERE s.revision = item.expected
    AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = $2 AND o.mark = $3)
  FOR UPDATE OF s
)
RETURNING name;

-- owned.create
--   1 mark, 2 puts, 3 owner
INSERT INTO belfry_schedules (
  name, definition, state, next_at, fired, skips, failures, pause_after_failures, watches_jobs,
  last_at, note, owner, created_at, updated_at, revision, mark
)
SELECT item.name, item.definition, item.state, item.next_at, item.fired, item.skips,
  item.failures, item.pause_after_failures, item.watches_jobs, item.last_at, item.note, item.owner,
  item.created_at, item.updated_at, 1, $1
FROM (
  SELECT ord - 1 AS ord, name, expected, definition, state, next_at, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($2::text::json) AS (
      name text, expected bigint, definition text, state text, next_at bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, expected, definition, state, next_at, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE item.expected IS NULL
  AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = $3 AND o.mark = $1)
ORDER BY item.name
ON CONFLICT DO NOTHING;

-- owned.replace
--   1 mark, 2 puts, 3 owner
UPDATE belfry_schedules AS s
SET definition = item.definition, state = item.state, next_at = item.next_at, fired = item.fired,
  skips = item.skips, failures = item.failures, pause_after_failures = item.pause_after_failures,
  watches_jobs = item.watches_jobs, last_at = item.last_at, note = item.note, owner = item.owner,
  created_at = item.created_at, updated_at = item.updated_at, revision = s.revision + 1, mark = $1
FROM (
  SELECT ord - 1 AS ord, name, expected, definition, state, next_at, fired, skips, failures,
    pause_after_failures, watches_jobs, last_at, note, owner, created_at, updated_at
  FROM ROWS FROM (
    json_to_recordset($2::text::json) AS (
      name text, expected bigint, definition text, state text, next_at bigint, fired bigint,
      skips bigint, failures bigint, pause_after_failures bigint, watches_jobs bigint,
      last_at bigint, note text, owner text, created_at bigint, updated_at bigint
    )
  )
  WITH ORDINALITY AS item(
    name, expected, definition, state, next_at, fired, skips, failures, pause_after_failures,
    watches_jobs, last_at, note, owner, created_at, updated_at, ord
  )
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE s.name = item.name
  AND s.revision = item.expected
  AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = $3 AND o.mark = $1);

-- put.generation
--   1 owner
SELECT generation FROM belfry_owners WHERE owner = $1;

-- put.written, as above
-- SELECT pg_notify('belfry_wake', 'schedules') ..., as above
-- SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time ..., as above
