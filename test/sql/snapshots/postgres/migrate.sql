-- migrate on PostgreSQL; written by test/sql/snapshots.test.ts

-- ---------- an empty database ----------

SELECT value, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint) AS time
FROM belfry_meta
WHERE key = 'schema_version';

--   1 names
SELECT relname AS name
FROM pg_class
WHERE relnamespace = current_schema() ::regnamespace AND relname = ANY ($1::text[]);

SELECT pg_advisory_xact_lock(108170552013433);

CREATE TABLE belfry_meta(
  key text COLLATE "C" NOT NULL, value text COLLATE "C" NOT NULL, PRIMARY KEY (key)
);

CREATE TABLE belfry_lease(
  id bigint NOT NULL, holder text COLLATE "C", token bigint NOT NULL, expires_at bigint NOT NULL,
  first_at bigint, mark text COLLATE "C",
  PRIMARY KEY (id)
);

CREATE TABLE belfry_owners(
  owner text COLLATE "C" NOT NULL, generation bigint NOT NULL, mark text COLLATE "C",
  PRIMARY KEY (owner)
);

CREATE TABLE belfry_schedules(
  name text COLLATE "C" NOT NULL, definition text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL, next_at bigint, revision bigint NOT NULL, fired bigint NOT NULL,
  skips bigint NOT NULL, failures bigint NOT NULL, pause_after_failures bigint,
  watches_jobs bigint NOT NULL, last_at bigint, note text COLLATE "C", owner text COLLATE "C",
  created_at bigint NOT NULL, updated_at bigint NOT NULL, mark text COLLATE "C",
  PRIMARY KEY (name)
);

CREATE TABLE belfry_occurrences(
  schedule text COLLATE "C" NOT NULL, at bigint NOT NULL, until_at bigint NOT NULL,
  count bigint NOT NULL, job_id text COLLATE "C", reason text COLLATE "C",
  recorded_at bigint NOT NULL,
  PRIMARY KEY (schedule, at)
);

CREATE TABLE belfry_jobs(
  id text COLLATE "C" NOT NULL, state text COLLATE "C" NOT NULL, due bigint NOT NULL,
  held bigint NOT NULL, tied bigint NOT NULL, resuming bigint NOT NULL, attempt bigint NOT NULL,
  claims bigint NOT NULL, arrivals bigint NOT NULL, priority bigint NOT NULL,
  queue text COLLATE "C" NOT NULL, task text COLLATE "C" NOT NULL, mark text COLLATE "C",
  inserted_by text COLLATE "C", claim_token text COLLATE "C", claim_expires_at bigint,
  alarm_at bigint, available_at bigint, expires_at bigint, created_at bigint NOT NULL,
  started_at bigint, finished_at bigint, schedule text COLLATE "C", scheduled_at bigint,
  parent_id text COLLATE "C", limit_key text COLLATE "C", limit_concurrency bigint,
  limit_count bigint, limit_per_ms bigint, key text COLLATE "C", worker text COLLATE "C",
  options text COLLATE "C" NOT NULL, input text COLLATE "C" NOT NULL, progress text COLLATE "C",
  notes text COLLATE "C", error text COLLATE "C", result text COLLATE "C",
  PRIMARY KEY (id)
);

CREATE TABLE belfry_steps(
  job_id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL,
  state text COLLATE "C" NOT NULL, seq bigint, tries bigint NOT NULL, attempt bigint,
  output text COLLATE "C", error text COLLATE "C", wake_at bigint, child_id text COLLATE "C",
  signal_key text COLLATE "C", started_at bigint NOT NULL, finished_at bigint,
  PRIMARY KEY (job_id, name)
);

CREATE TABLE belfry_signals(
  job_id text COLLATE "C" NOT NULL, name text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
  payload text COLLATE "C" NOT NULL, sent_at bigint NOT NULL, seq bigint NOT NULL,
  PRIMARY KEY (job_id, name, key)
);

CREATE TABLE belfry_queues(
  name text COLLATE "C" NOT NULL, paused bigint NOT NULL, concurrency bigint, rate_count bigint,
  rate_per_ms bigint,
  PRIMARY KEY (name)
);

CREATE TABLE belfry_limits(
  key text COLLATE "C" NOT NULL, concurrency bigint, rate_count bigint, rate_per_ms bigint,
  room bigint NOT NULL, next_at bigint, mark text COLLATE "C",
  PRIMARY KEY (key)
);

CREATE TABLE belfry_starts(
  scope text COLLATE "C" NOT NULL, at bigint NOT NULL, op text COLLATE "C" NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (scope, at, op)
);

CREATE INDEX belfry_schedules_next ON belfry_schedules(next_at, name) WHERE state = 'active';

CREATE INDEX belfry_schedules_owner ON belfry_schedules(owner, name) WHERE owner IS NOT NULL;

CREATE INDEX belfry_schedules_broken ON belfry_schedules(name) WHERE state = 'broken';

CREATE INDEX belfry_occurrences_until ON belfry_occurrences(until_at);

CREATE INDEX belfry_jobs_claim ON belfry_jobs(queue, priority DESC, available_at, id, task, held)
WHERE due = 1 AND held = 0;

CREATE INDEX belfry_jobs_alarm ON belfry_jobs(queue, alarm_at, task) WHERE alarm_at IS NOT NULL;

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

CREATE INDEX belfry_limits_next ON belfry_limits(next_at) WHERE next_at IS NOT NULL;

CREATE INDEX belfry_limits_mark ON belfry_limits(mark) WHERE mark IS NOT NULL;

INSERT INTO belfry_lease (id, holder, token, expires_at) VALUES (1, NULL, 0, 0);

INSERT INTO belfry_meta (key, value) VALUES ('schema_version', '1');
