-- renew on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- save.renew
-- once for each row of :claims
--   1 until, 2 claims.job_id, 3 claims.token
UPDATE belfry_jobs AS j
SET claim_expires_at = ?1, alarm_at = ?1
WHERE j.id = ?2 AND j.claim_token = ?3
RETURNING id;
