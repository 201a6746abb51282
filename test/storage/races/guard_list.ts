/**
 * Which guards keep races of the SQL core from being lost? Each with the race that fails without it.
 *
 * A guard is a piece of source and what stands there without it. Where two guards cover each other (a lock and a second
 * look), both are taken out together.
 */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are pieces of source.

/** One guard. */
export interface Guard {
  /** What it keeps from happening. */
  what: string;
  engine: "sqlite" | "postgres";
  /** Beginning of the title of the race that must fail. */
  race: string;
  /** What covers it, so that no race fails without it alone; it is kept as a second protection. */
  behind?: string;
  /** Text to replace, in a file of src/sql. */
  cuts: { file: string; text: string; without: string }[];
}

const cut = (file: string, text: string, without = ""): Guard["cuts"][number] => ({ file, text, without });

/** All guards. */
export const GUARDS: readonly Guard[] = [
  {
    what: "the lease is granted only when free, run out or one's own",
    engine: "sqlite",
    race: "lease takeover",
    cuts: [cut("statements/lease.ts", "expires_at <= :now\n", "1 = 1\n")],
  },
  {
    what: "a takeover makes the token grow",
    engine: "sqlite",
    race: "lease takeover",
    cuts: [cut("statements/lease.ts", "THEN token ELSE token + 1 END", "THEN token ELSE token END")],
  },
  {
    what: "a fire asks for the lease",
    engine: "sqlite",
    race: "fire under takeover",
    cuts: [
      cut("statements/fire.ts", "id = 1 AND holder = :holder AND token = :term${d.forShare}", "id = 1${d.forShare}"),
    ],
  },
  {
    what: "a fire keeps the lease from changing hands until it is over (FOR SHARE)",
    engine: "postgres",
    race: "fire under takeover",
    cuts: [cut("statements/fire.ts", "token = :term${d.forShare})", "token = :term)")],
  },
  {
    what: "a schedule moves only from the revision that was read",
    engine: "sqlite",
    race: "fire by revision",
    cuts: [cut("statements/fire.ts", " AND s.revision = ${item.expected}${lease}", "${lease}")],
  },
  {
    what: "the same fire sent again is known by its mark",
    engine: "postgres",
    race: "fire under takeover",
    cuts: [
      cut(
        "statements/fire.ts",
        "s.mark IS NULL OR s.mark < :from OR s.mark >= :to",
        "s.mark IS NULL OR s.mark <> :mark",
      ),
    ],
  },
  {
    what: "an occurrence with an outcome gets no second job",
    engine: "sqlite",
    race: "one occurrence from two states",
    cuts: [cut("statements/fire.ts", "o.schedule = ${item.schedule} AND o.at", "1 = 0 AND o.at")],
  },
  {
    what: "a schedule is replaced only from the revision that was read",
    engine: "sqlite",
    race: "registering",
    cuts: [cut("statements/put.ts", " AND s.revision = item.expected${guard}", "${guard}")],
  },
  {
    what: "a schedule is removed only at the revision that was read",
    engine: "sqlite",
    race: "registering",
    cuts: [cut("statements/put.ts", "WHERE s.revision = item.expected${guard}", "WHERE 1 = 1${guard}")],
  },
  {
    what: "an older generation does not write",
    engine: "sqlite",
    race: "sync",
    cuts: [cut("statements/put.ts", "{owners}.generation <= excluded.generation", "1 = 1")],
  },
  {
    what: "a key is stored once (unique index)",
    engine: "postgres",
    race: "enqueue",
    cuts: [cut("schema.ts", "UNIQUE INDEX {jobs_key}", "INDEX {jobs_key}")],
  },
  {
    what: "claims side by side pass over each other's jobs (SKIP LOCKED)",
    engine: "postgres",
    race: "claim: four workers",
    cuts: [cut("dialect.ts", 'skipLocked: " FOR UPDATE SKIP LOCKED"', 'skipLocked: ""')],
  },
  {
    what: "a claim counts what runs in a queue alone (lock on the queue's settings)",
    engine: "postgres",
    race: "claim: a queue gives",
    cuts: [cut("statements/claim.ts", "ORDER BY name${d.forUpdate}", "ORDER BY name")],
  },
  {
    what: "one token claims once, side by side (lock on the token)",
    engine: "postgres",
    race: "claim: one token",
    cuts: [
      cut(
        "dialect.ts",
        "lockText: (param) => `SELECT pg_advisory_xact_lock(hashtextextended(:${param}::text, 0))`",
        "lockText: (param) => `SELECT :${param}::text`",
      ),
    ],
  },
  {
    what: "one token claims once, one after the other",
    engine: "sqlite",
    race: "claim: one token",
    cuts: [cut("statements/claim.ts", "EXISTS (SELECT 1 FROM {jobs} WHERE ${taken}) THEN 0", "1 = 0 THEN 0")],
  },
  {
    what: "a save needs the claim",
    engine: "sqlite",
    race: "settle against reclaim",
    cuts: [cut("statements/save.ts", "j.state = 'running' AND j.claim_token = ${item.token}", "j.state = 'running'")],
  },
  {
    what: "a renewal needs the claim",
    engine: "sqlite",
    race: "renew against reclaim",
    cuts: [
      cut("statements/save.ts", "j.id = ${item.job_id} AND j.claim_token = ${item.token}", "j.id = ${item.job_id}"),
    ],
  },
  {
    what: "a claim that was prolonged or settled meanwhile is not freed",
    engine: "postgres",
    race: "renew against reclaim",
    cuts: [
      cut("statements/claim.ts", "j.id IN (SELECT id FROM due) AND j.alarm_at <= :now", "j.id IN (SELECT id FROM due)"),
      cut("statements/claim.ts", '(SELECT :alarms)${d.skipLockedOf("j")}', "(SELECT :alarms)"),
    ],
  },
  {
    what: "a finished job is not cancelled",
    engine: "sqlite",
    race: "cancel against claim",
    cuts: [cut("statements/cancel.ts", "WHERE ${asked} AND finished_at IS NULL`", "WHERE ${asked}`")],
  },
  {
    what: "a job that was put back is not put back again",
    engine: "sqlite",
    race: "retry",
    cuts: [cut("statements/cancel.ts", "j.state IN ('failed', 'cancelled', 'expired')", "1 = 1")],
  },
  {
    what: "a job that suspends looks whether something came meanwhile",
    engine: "sqlite",
    race: "signal against suspend",
    cuts: [
      cut(
        "statements/save.ts",
        "state = CASE WHEN j.arrivals <> ${item.arrivals} THEN 'ready' ELSE ${item.state} END",
        "state = ${item.state}",
      ),
    ],
  },
  {
    what: "signals to one job come one after the other (lock on the job)",
    engine: "postgres",
    race: "signal against suspend",
    cuts: [cut("statements/signal.ts", "ORDER BY id${d.forUpdate}`", "ORDER BY id`")],
  },
  {
    what: "a signal is stored once",
    engine: "sqlite",
    race: "signal against suspend",
    cuts: [
      cut("statements/signal.ts", "j.finished_at IS NULL AND NOT ${known}", "j.finished_at IS NULL"),
      cut("statements/signal.ts", 'conflict: "DO NOTHING",\n      returning', "returning"),
    ],
  },
  {
    what: "a save sent again has no effects again",
    engine: "sqlite",
    race: "children's ends",
    cuts: [
      cut("statements/save.ts", "j.state = 'running' AND j.claim_token = ${item.token}", "1 = 1"),
      cut("statements/save.ts", "AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)`", "`"),
    ],
  },
  {
    what: "what is admitted counts against its limit",
    engine: "postgres",
    race: "limits: jobs",
    cuts: [cut("statements/limit.ts", "ELSE l.concurrency - (SELECT", "ELSE l.concurrency - 0 * (SELECT")],
  },
  {
    what: "a cancellation looks again for children that were being saved",
    engine: "postgres",
    race: "cancel against a child",
    cuts: [cut("statements/ending_effects.ts", "...(t.dialect.concurrent ? [cancelDescendants] : []),")],
  },
  {
    what: "a process whose migration another has made meanwhile goes on",
    engine: "sqlite",
    race: "migrate",
    cuts: [cut("migrate.ts", "(error.conflict || error.ambiguous)", "error.ambiguous")],
  },
  {
    what: "a process whose migration another has made meanwhile goes on",
    engine: "postgres",
    race: "migrate",
    cuts: [cut("migrate.ts", "(error.conflict || error.ambiguous)", "error.ambiguous")],
  },
  {
    what: "processes migrate one after the other (lock on the schema)",
    engine: "postgres",
    race: "migrate",
    behind: "the version row has a unique key, and a process that finds it written goes on: it looked before the lock",
    cuts: [cut("dialect.ts", 'lockSchema: "SELECT pg_advisory_xact_lock(108170552013433)"', "lockSchema: null")],
  },
  {
    what: "a job that stopped being held while its admission waited for its row is passed over",
    engine: "postgres",
    race: "limits: held",
    behind:
      "a batch that ends a held job sets held to 0, then marks the limit's row, and admits again from what it finds then",
    cuts: [cut("statements/limit.ts", "})}) AND held = 1 AND due = 1`", "})})`")],
  },
];
