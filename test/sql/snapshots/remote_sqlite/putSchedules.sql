-- putSchedules on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- ---------- creates ----------

-- free.create
--   1 mark, 2 puts
INSERT INTO belfry_schedules (
  name, definition, state, next_at, fired, skips, failures, pause_after_failures, watches_jobs,
  last_at, note, owner, created_at, updated_at, revision, mark
)
SELECT item.name, item.definition, item.state, item.next_at, item.fired, item.skips,
  item.failures, item.pause_after_failures, item.watches_jobs, item.last_at, item.note, item.owner,
  item.created_at, item.updated_at, 1, ?1
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS definition,
    value->>3 AS state, value->>4 AS next_at, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?2)
) AS item
WHERE item.expected IS NULL
ORDER BY item.name
ON CONFLICT DO NOTHING;

-- put.written
--   1 puts, 2 from, 3 to
SELECT s.name
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS definition,
    value->>3 AS state, value->>4 AS next_at, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?1)
) AS item
JOIN belfry_schedules AS s ON s.name = item.name
WHERE s.mark >= ?2 AND s.mark < ?3
ORDER BY item.ord;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;

-- ---------- replaces ----------

-- free.replace
--   1 mark, 2 puts
UPDATE belfry_schedules AS s
SET definition = item.definition, state = item.state, next_at = item.next_at, fired = item.fired,
  skips = item.skips, failures = item.failures, pause_after_failures = item.pause_after_failures,
  watches_jobs = item.watches_jobs, last_at = item.last_at, note = item.note, owner = item.owner,
  created_at = item.created_at, updated_at = item.updated_at, revision = s.revision + 1, mark = ?1
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS definition,
    value->>3 AS state, value->>4 AS next_at, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?2)
) AS item
WHERE s.name = item.name AND s.revision = item.expected;

-- put.written, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

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
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- removes ----------

-- free.remove
--   1 removes
DELETE FROM belfry_schedules
WHERE name IN (
  SELECT item.name
  FROM (SELECT key AS ord, value->>0 AS name, value->>1 AS expected FROM json_each(?1)) AS item
  JOIN belfry_schedules AS s ON s.name = item.name
  WHERE s.revision = item.expected
)
RETURNING name;

-- put.written, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above

-- ---------- sync: creates, replaces and removes for an owner ----------

-- put.claimOwner
--   1 owner, 2 generation, 3 mark
INSERT INTO belfry_owners (owner, generation, mark)
VALUES (?1, ?2, ?3)
ON CONFLICT (owner)
DO UPDATE
SET generation = excluded.generation, mark = excluded.mark
WHERE belfry_owners.generation <= excluded.generation;

-- owned.remove
--   1 removes, 2 owner, 3 mark
DELETE FROM belfry_schedules
WHERE name IN (
  SELECT item.name
  FROM (SELECT key AS ord, value->>0 AS name, value->>1 AS expected FROM json_each(?1)) AS item
  JOIN belfry_schedules AS s ON s.name = item.name
  WHERE s.revision = item.expected
    AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = ?2 AND o.mark = ?3)
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
  item.created_at, item.updated_at, 1, ?1
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS definition,
    value->>3 AS state, value->>4 AS next_at, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?2)
) AS item
WHERE item.expected IS NULL
  AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = ?3 AND o.mark = ?1)
ORDER BY item.name
ON CONFLICT DO NOTHING;

-- owned.replace
--   1 mark, 2 puts, 3 owner
UPDATE belfry_schedules AS s
SET definition = item.definition, state = item.state, next_at = item.next_at, fired = item.fired,
  skips = item.skips, failures = item.failures, pause_after_failures = item.pause_after_failures,
  watches_jobs = item.watches_jobs, last_at = item.last_at, note = item.note, owner = item.owner,
  created_at = item.created_at, updated_at = item.updated_at, revision = s.revision + 1, mark = ?1
FROM (
  SELECT key AS ord, value->>0 AS name, value->>1 AS expected, value->>2 AS definition,
    value->>3 AS state, value->>4 AS next_at, value->>5 AS fired, value->>6 AS skips,
    value->>7 AS failures, value->>8 AS pause_after_failures, value->>9 AS watches_jobs,
    value->>10 AS last_at, value->>11 AS note, value->>12 AS owner, value->>13 AS created_at,
    value->>14 AS updated_at
  FROM json_each(?2)
) AS item
WHERE s.name = item.name
  AND s.revision = item.expected
  AND EXISTS (SELECT 1 FROM belfry_owners AS o WHERE o.owner = ?3 AND o.mark = ?1);

-- put.generation
--   1 owner
SELECT generation FROM belfry_owners WHERE owner = ?1;

-- put.written, as above
-- SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time ..., as above
