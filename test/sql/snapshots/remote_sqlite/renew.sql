-- renew on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- save.renew
--   1 until, 2 claims
UPDATE belfry_jobs AS j
SET claim_expires_at = ?1, alarm_at = ?1
FROM (SELECT key AS ord, value->>0 AS job_id, value->>1 AS token FROM json_each(?2)) AS item
WHERE j.id = item.job_id AND j.claim_token = item.token
RETURNING id;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
