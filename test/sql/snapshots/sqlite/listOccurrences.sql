-- listOccurrences on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- oldest first ----------

--   1 schedule, 2 limit
SELECT schedule, at, until_at, count, job_id, reason, recorded_at
FROM belfry_occurrences
WHERE schedule = ?1
ORDER BY at ASC
LIMIT (SELECT ?2);

-- ---------- newest first, in a range ----------

--   1 schedule, 2 since, 3 till, 4 limit
SELECT schedule, at, until_at, count, job_id, reason, recorded_at
FROM belfry_occurrences
WHERE schedule = ?1 AND until_at >= ?2 AND at <= ?3
ORDER BY at DESC
LIMIT (SELECT ?4);
