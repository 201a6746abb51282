-- resign on sqld, Turso and D1; written by test/sql/snapshots.test.ts

-- lease.resign
--   1 holder, 2 term
UPDATE belfry_lease SET holder = NULL WHERE id = 1 AND holder = ?1 AND token = ?2 RETURNING token;

SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS time;
