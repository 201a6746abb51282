-- enqueueStatements on PostgreSQL; written by test/sql/snapshots.test.ts
-- enqueue.insert, see enqueue.sql

SELECT pg_notify('belfry_wake', 'jobs');

-- ---------- children with a limit ----------
-- enqueue.insert, see enqueue.sql
-- enqueue.tieParents, see enqueue.sql
-- limits.markInserted, see effects.sql
-- admission.becomeDue, see effects.sql
-- admission.countRoom, see effects.sql
-- admission.noNegativeRoom, see effects.sql
-- admission.admit, see effects.sql
-- admission.countStarts, see effects.sql
-- admission.finish, see effects.sql
-- SELECT pg_notify('belfry_wake', 'jobs') ..., as above
