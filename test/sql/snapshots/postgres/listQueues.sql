-- listQueues on PostgreSQL; written by test/sql/snapshots.test.ts

-- read.queues
SELECT name, paused, concurrency, rate_count, rate_per_ms FROM belfry_queues ORDER BY name;

SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time;
