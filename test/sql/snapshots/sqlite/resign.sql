-- resign on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- lease.resign
--   1 holder, 2 term
UPDATE belfry_lease SET holder = NULL WHERE id = 1 AND holder = ?1 AND token = ?2 RETURNING token;
