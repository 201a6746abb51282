-- listQueues on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- read.queues
SELECT name, paused, concurrency, rate_count, rate_per_ms FROM belfry_queues ORDER BY name;
