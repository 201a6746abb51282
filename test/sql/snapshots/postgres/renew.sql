-- renew on PostgreSQL; written by test/sql/snapshots.test.ts

-- save.renew
--   1 until, 2 claims
UPDATE belfry_jobs AS j
SET claim_expires_at = $1, alarm_at = $1
FROM (
  SELECT ord - 1 AS ord, job_id, token
  FROM ROWS FROM (json_to_recordset($2::text::json) AS (job_id text, token text))
  WITH ORDINALITY AS item(job_id, token, ord)
  WHERE ord = COALESCE(ord, 0)
) AS item
WHERE j.id = item.job_id AND j.claim_token = item.token
RETURNING id;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
