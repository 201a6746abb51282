-- resign on PostgreSQL; written by test/sql/snapshots.test.ts

-- lease.resign
--   1 holder, 2 term
UPDATE belfry_lease SET holder = NULL WHERE id = 1 AND holder = $1 AND token = $2 RETURNING token;

SELECT pg_notify('belfry_wake', 'schedules');

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
