-- listQueues on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- read.queues
SELECT name, paused, concurrency, rate_count, rate_per_ms FROM belfry_queues ORDER BY name;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
