-- migrate on SQLite in this process, and Durable Objects; written by test/sql/snapshots.test.ts

-- ---------- an empty database ----------

SELECT value FROM belfry_meta WHERE key = 'schema_version';

--   1 names
SELECT name FROM sqlite_master WHERE name IN (SELECT value FROM json_each(?1));

CREATE TABLE belfry_meta(key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key)) STRICT;

CREATE TABLE belfry_lease(
  id INTEGER NOT NULL, holder TEXT, token INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  first_at INTEGER, mark TEXT,
  PRIMARY KEY (id)
) STRICT;

CREATE TABLE belfry_owners(
  owner TEXT NOT NULL, generation INTEGER NOT NULL, mark TEXT, PRIMARY KEY (owner)
) STRICT;

CREATE TABLE belfry_schedules(
  name TEXT NOT NULL, definition TEXT NOT NULL, state TEXT NOT NULL, next_at INTEGER,
  revision INTEGER NOT NULL, fired INTEGER NOT NULL, skips INTEGER NOT NULL,
  failures INTEGER NOT NULL, pause_after_failures INTEGER, watches_jobs INTEGER NOT NULL,
  last_at INTEGER, note TEXT, owner TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  mark TEXT,
  PRIMARY KEY (name)
) STRICT;

CREATE TABLE belfry_occurrences(
  schedule TEXT NOT NULL
  ON CONFLICT IGNORE, at INTEGER NOT NULL, until_at INTEGER NOT NULL, count INTEGER NOT NULL,
    job_id TEXT, reason TEXT, recorded_at INTEGER NOT NULL,
    PRIMARY KEY (schedule, at)
) STRICT,
WITHOUT ROWID;

CREATE TABLE belfry_jobs(
  id TEXT NOT NULL
  ON CONFLICT IGNORE, state TEXT NOT NULL, due INTEGER NOT NULL, held INTEGER NOT NULL,
    tied INTEGER NOT NULL, resuming INTEGER NOT NULL, attempt INTEGER NOT NULL,
    claims INTEGER NOT NULL, arrivals INTEGER NOT NULL, priority INTEGER NOT NULL,
    queue TEXT NOT NULL, task TEXT NOT NULL, mark TEXT, inserted_by TEXT, claim_token TEXT,
    claim_expires_at INTEGER, alarm_at INTEGER, available_at INTEGER, expires_at INTEGER,
    created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER, schedule TEXT,
    scheduled_at INTEGER, parent_id TEXT, limit_key TEXT, limit_concurrency INTEGER,
    limit_count INTEGER, limit_per_ms INTEGER, key TEXT, worker TEXT, options TEXT NOT NULL,
    input TEXT NOT NULL, progress TEXT, notes TEXT, error TEXT, result TEXT,
    PRIMARY KEY (id)
) STRICT;

CREATE TABLE belfry_steps(
  job_id TEXT NOT NULL
  ON CONFLICT IGNORE, name TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, seq INTEGER,
    tries INTEGER NOT NULL, attempt INTEGER, output TEXT, error TEXT, wake_at INTEGER,
    child_id TEXT, signal_key TEXT, started_at INTEGER NOT NULL, finished_at INTEGER,
    PRIMARY KEY (job_id, name)
) STRICT;

CREATE TABLE belfry_signals(
  job_id TEXT NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL,
  sent_at INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (job_id, name, key)
) STRICT;

CREATE TABLE belfry_queues(
  name TEXT NOT NULL, paused INTEGER NOT NULL, concurrency INTEGER, rate_count INTEGER,
  rate_per_ms INTEGER,
  PRIMARY KEY (name)
) STRICT;

CREATE TABLE belfry_limits(
  key TEXT NOT NULL, concurrency INTEGER, rate_count INTEGER, rate_per_ms INTEGER,
  room INTEGER NOT NULL, next_at INTEGER, mark TEXT,
  PRIMARY KEY (key)
) STRICT;

CREATE TABLE belfry_starts(
  scope TEXT NOT NULL, at INTEGER NOT NULL, op TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (scope, at, op)
) STRICT,
WITHOUT ROWID;

CREATE INDEX belfry_schedules_next ON belfry_schedules(next_at, name) WHERE state = 'active';

CREATE INDEX belfry_schedules_owner ON belfry_schedules(owner, name) WHERE owner IS NOT NULL;

CREATE INDEX belfry_schedules_broken ON belfry_schedules(name) WHERE state = 'broken';

CREATE INDEX belfry_occurrences_until ON belfry_occurrences(until_at);

CREATE INDEX belfry_jobs_claim ON belfry_jobs(
  due, queue, priority DESC, available_at, id, task, held
)
WHERE due = 1 AND held = 0;

CREATE INDEX belfry_jobs_alarm ON belfry_jobs(finished_at, queue, alarm_at, task)
WHERE alarm_at IS NOT NULL;

CREATE INDEX belfry_jobs_running ON belfry_jobs(queue, claim_token) WHERE claim_token IS NOT NULL;

CREATE INDEX belfry_jobs_waiting ON belfry_jobs(queue) WHERE state = 'waiting';

CREATE INDEX belfry_jobs_finished ON belfry_jobs(state, finished_at, queue)
WHERE finished_at IS NOT NULL;

CREATE INDEX belfry_jobs_ended ON belfry_jobs(mark) WHERE tied > 0 AND finished_at IS NOT NULL;

CREATE INDEX belfry_jobs_schedule ON belfry_jobs(schedule, finished_at, id)
WHERE schedule IS NOT NULL;

CREATE UNIQUE INDEX belfry_jobs_key ON belfry_jobs(task, key) WHERE key IS NOT NULL;

CREATE INDEX belfry_jobs_parent ON belfry_jobs(parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX belfry_jobs_held ON belfry_jobs(limit_key, priority DESC, available_at, id)
WHERE held = 1 AND due = 1;

CREATE INDEX belfry_jobs_later ON belfry_jobs(limit_key, available_at) WHERE held = 1 AND due = 0;

CREATE INDEX belfry_jobs_admitted ON belfry_jobs(limit_key)
WHERE limit_key IS NOT NULL AND held = 0 AND finished_at IS NULL;

CREATE INDEX belfry_limits_next ON belfry_limits(mark, next_at) WHERE next_at IS NOT NULL;

CREATE INDEX belfry_limits_mark ON belfry_limits(mark) WHERE mark IS NOT NULL;

INSERT INTO belfry_lease (id, holder, token, expires_at) VALUES (1, NULL, 0, 0);

INSERT INTO belfry_meta (key, value) VALUES ('schema_version', '1');
