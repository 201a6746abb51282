/**
 * What keeps the promises? The guards of the engine, the memory storage and the SQL, each with its place in the source.
 *
 * A guard is a piece of text and what stands there when it is taken out. `npm run mutate` takes each out in turn, in a
 * copy of the tree, and a named test must fail. When code moves, the text here must follow: a guard that is not found is
 * an error, not a pass.
 */

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are pieces of source

/** One guard. */
export interface Guard {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** Suites to try, in order, until one fails. */
  readonly suites: readonly ("memory" | "sqlite" | "differential" | "world")[];
}

const memory = (what: string, file: string, from: string, to: string): Guard => ({
  what: `memory: ${what}`,
  file: `src/memory/${file}.ts`,
  from,
  to,
  suites: ["memory"],
});

const sql = (what: string, file: string, from: string, to: string): Guard => ({
  what: `sql: ${what}`,
  file: `src/sql/statements/${file}.ts`,
  from,
  to,
  suites: ["sqlite", "differential"],
});

const engine = (what: string, file: string, from: string, to: string): Guard => ({
  what: `engine: ${what}`,
  file: `src/${file}.ts`,
  from,
  to,
  suites: ["world"],
});

/** All guards. */
export const GUARDS: readonly Guard[] = [
  memory("a held lease is not granted to another", "schedules", "if (!renews && !free) return false;", ""),
  memory("the token grows with each term", "schedules", "if (!renews) this.token++;", ""),
  memory(
    "nothing fires without the lease",
    "tick",
    "const owns = term === null || lease.isOwnedBy(term.holder, term.token);",
    "const owns = true;",
  ),
  memory(
    "a schedule fires from the revision that was read",
    "tick",
    "if (!owns || schedule.row.revision !== firing.revision) continue;",
    "if (!owns) continue;",
  ),
  memory(
    "an occurrence with an outcome gets no job",
    "batch",
    "scheduledAt === null || !schedules.hasOutcome(schedule, scheduledAt)",
    "true",
  ),
  memory(
    "a schedule is written from the revision that was read",
    "tick",
    "if (schedule.row.revision !== revision) return false;",
    "",
  ),
  memory("an older generation writes nothing", "tick", "> owner.generation", "> Infinity"),
  memory("one job has a key", "batch", "(job.key === null ? undefined : jobs.withKey(job.task, job.key))", "undefined"),
  memory("a claim sent again claims no others", "claim", "if (before) {", "if (before && tables.limits === null) {"),
  memory(
    "a queue's concurrency",
    "claim",
    "queue.running < (settings.concurrency ?? Number.POSITIVE_INFINITY)",
    "true",
  ),
  memory("a limit's concurrency", "limits", "job && limit.admitted < places;", "job;"),
  memory(
    "what has begun does not expire",
    "jobs",
    "if (row.expiresAt !== null && row.attempt === 0) jobsOf(queue, row.task).expiring.add(job);",
    "if (row.expiresAt !== null) jobsOf(queue, row.task).expiring.add(job);",
  ),
  memory(
    "a write is taken under the current claim only",
    "save",
    'if (job.row.state !== "running" || job.row.claimToken !== write.token) continue;',
    'if (job.row.state !== "running") continue;',
  ),
  memory("a save sent again does nothing", "save", "if (job.op === op) {", "if (job.op === op && op === null) {"),
  memory(
    "what came meanwhile keeps a job from waiting",
    "save",
    "if (job.row.arrivals !== transition.arrivals) batch.ready(job, now, true);",
    "if (now < 0) batch.ready(job, now, true);",
  ),
  memory("a done step stays done", "jobs", 'if (job.steps.get(step.name)?.state === "done") return;', ""),
  memory("a signal is taken once", "save", 'if (jobs.hasSignal(job, name, key)) return "duplicate";', ""),
  memory(
    "a claim is renewed by its token",
    "storage",
    'if (job?.row.state !== "running" || job.row.claimToken !== token) continue;',
    'if (job?.row.state !== "running") continue;',
  ),
  memory(
    "a job with an unfinished parent is kept",
    "report",
    "if (!parent || isFinished(parent.row.state)) found.push(job);",
    "found.push(job);",
  ),
  memory(
    "a cascade stops at what is over",
    "batch",
    "if (isFinished(job.row.state)) continue;\n      job.op = mark;",
    "job.op = mark;",
  ),

  sql(
    "a held lease is not granted to another",
    "lease",
    "(holder IS NULL OR expires_at <= :now\n        OR (holder = :holder AND (:term IS NULL OR token = :term)))",
    "(1 = 1)",
  ),
  sql("the token grows with each term", "lease", "ELSE token + 1 END", "ELSE token END"),
  sql(
    "nothing fires without the lease",
    "fire",
    " AND EXISTS (SELECT 1 FROM {lease} WHERE id = 1 AND holder = :holder AND token = :term${d.forShare})",
    "",
  ),
  sql(
    "a schedule fires from the revision that was read",
    "fire",
    " AND s.revision = ${item.expected}${lease}",
    "${lease}",
  ),
  sql(
    "a schedule is written from the revision that was read",
    "put",
    "WHERE s.name = item.name AND s.revision = item.expected${guard}",
    "WHERE s.name = item.name AND item.expected IS NOT NULL${guard}",
  ),
  sql(
    "a schedule is removed at the revision that was read",
    "put",
    "WHERE s.revision = item.expected${guard}",
    "WHERE 1 = 1${guard}",
  ),
  sql("an older generation writes nothing", "put", "WHERE {owners}.generation <= excluded.generation", "WHERE 1 = 1"),
  sql(
    "a write is taken under the current claim only",
    "save",
    "j.state = 'running' AND j.claim_token = ${item.token}",
    "j.state = 'running'",
  ),
  sql("a save sent again does nothing", "save", "AND (j.mark IS NULL OR j.mark < :from OR j.mark >= :to)", ""),
  sql(
    "what came meanwhile keeps a job from waiting",
    "save",
    "state = CASE WHEN j.arrivals <> ${item.arrivals} THEN 'ready' ELSE ${item.state} END",
    "state = ${item.state}",
  ),
  sql("a spawned job comes with its writer", "save", "p.id = ${item.writer} AND", "p.id = ${item.parent_id} AND"),
  sql("a lost claim stores no children", "save", "p.id = ${item.writer} AND p.mark = :mark", "p.id = ${item.writer}"),
  sql("a done step stays done", "save", " WHERE {steps}.state <> 'done'", ""),
  sql(
    "a signal that comes late is not kept",
    "signal",
    "WHERE j.finished_at IS NULL AND NOT ${known}",
    "WHERE NOT ${known}",
  ),
  sql(
    "what reaches a job makes it ready only where it waits",
    "arrival",
    "CASE WHEN ${job}.state = 'waiting' THEN ${ready} ELSE ${job}.${column} END",
    "${ready}",
  ),
  sql(
    "a job with an unfinished parent is kept",
    "purge",
    "AND NOT EXISTS\n      (SELECT 1 FROM {jobs} AS p WHERE p.id = j.parent_id AND p.finished_at IS NULL)",
    "",
  ),
  sql(
    "what has begun does not expire",
    "claim",
    "const expires = \"j.state = 'ready' AND j.attempt = 0 AND j.expires_at <= :now\";",
    "const expires = \"j.state = 'ready' AND j.expires_at <= :now\";",
  ),

  engine("a fire names its term", "tick/scheduler", "lease: { holder, token }, firings", "lease: null, firings"),
  engine(
    "an edited schedule does not go back",
    "schedule/transition",
    "after: Math.max(now, lastAt ?? now)",
    "after: now",
  ),
  engine(
    "a recorded value is delivered, not drawn again",
    "execution/calls",
    'return JSON.parse(known.record.output ?? "null") as T;',
    "return make();",
  ),
  engine(
    "children have the ids that their names give",
    "execution/child_id",
    "sha256(`${parentId}\\n${step}`)",
    "sha256(`${parentId}\\n${step.length}`)",
  ),
  engine(
    "finished steps are known from history",
    "execution/history",
    'step.seq !== null && step.state !== "pending"',
    'step.seq !== null && step.state !== "pending" && step.kind !== "step"',
  ),
  engine(
    "a slow reply sets no clock ahead",
    "base/clock",
    "else this.#offsetMs = Math.min(Math.max(this.#offsetMs ?? lowestMs, lowestMs), highestMs);",
    "else this.#offsetMs = highestMs;",
  ),
];
