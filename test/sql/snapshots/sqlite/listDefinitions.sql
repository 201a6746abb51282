-- listDefinitions on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- first page ----------

--   1 owner, 2 limit
SELECT name, definition, state
FROM belfry_schedules
WHERE owner = ?1
ORDER BY name
LIMIT (SELECT ?2);

-- ---------- the next page ----------

--   1 owner, 2 after, 3 limit
SELECT name, definition, state
FROM belfry_schedules
WHERE owner = ?1 AND name > ?2
ORDER BY name
LIMIT (SELECT ?3);
