-- listSchedules on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- all ----------

--   1 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
ORDER BY name
LIMIT (SELECT ?1);

-- ---------- the next page ----------

--   1 after, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE name > ?1
ORDER BY name
LIMIT (SELECT ?2);

-- ---------- by name ----------

--   1 names, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE name IN (SELECT value FROM json_each(?1))
ORDER BY name
LIMIT (SELECT ?2);

-- ---------- of an owner ----------

--   1 owner, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE owner = ?1
ORDER BY name
LIMIT (SELECT ?2);

-- ---------- in a state ----------

--   1 state, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE state = ?1
ORDER BY name
LIMIT (SELECT ?2);

-- ---------- broken ----------

--   1 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE state = 'broken'
ORDER BY name
LIMIT (SELECT ?1);

-- ---------- that skip ----------

--   1 skips, 2 limit
SELECT name, definition, state, next_at, revision, fired, skips, failures, pause_after_failures,
  watches_jobs, last_at, note, owner, created_at, updated_at
FROM belfry_schedules
WHERE skips >= ?1
ORDER BY name
LIMIT (SELECT ?2);
