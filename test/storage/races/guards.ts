/**
 * Does each guard of the SQL core do work? Takes it out, in a copy of the tree, and sees a race fail.
 *
 * A guard is a piece of a statement and what stands in its place without it. Where two guards stand behind one another
 * (a lock and a look again), each is taken out alone only where the other does not cover it; otherwise both are.
 *
 *     node test/storage/races/guards.ts [number of a guard ...]
 *
 * Prints a table for docs/storage_proofs.md; ends with 1 when a guard could be taken out unseen, unless it names what
 * stands behind it; then it ends with 1 when it was seen.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are pieces of source.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

interface Guard {
  /** What it keeps from happening. */
  what: string;
  engine: "sqlite" | "postgres";
  /** Beginning of the title of the race that must fail. */
  race: string;
  /** Why nothing is seen without it alone: what else stands behind it. It stays as belt and braces. */
  behind?: string;
  /** Text to replace, in a file of src/sql. */
  cuts: { file: string; text: string; without: string }[];
}

const cut = (file: string, text: string, without = ""): Guard["cuts"][number] => ({ file, text, without });

const GUARDS: readonly Guard[] = [
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
    cuts: [cut("statements/cancel.ts", "state IN ('failed', 'cancelled', 'expired') AND", "1 = 1 AND")],
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
      cut("statements/signal.ts", "ON CONFLICT DO NOTHING RETURNING", "RETURNING"),
    ],
  },
  {
    what: "a save sent again draws no consequence again",
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
    what: "a starter whose migration another has made meanwhile goes on",
    engine: "sqlite",
    race: "migrate",
    cuts: [cut("migrate.ts", "(error.conflict || error.ambiguous)", "error.ambiguous")],
  },
  {
    what: "a starter whose migration another has made meanwhile goes on",
    engine: "postgres",
    race: "migrate",
    cuts: [cut("migrate.ts", "(error.conflict || error.ambiguous)", "error.ambiguous")],
  },
  {
    what: "starters migrate one after the other (lock on the schema)",
    engine: "postgres",
    race: "migrate",
    behind: "the version row has a unique key, and a starter that finds it written goes on: it looked before the lock",
    cuts: [cut("dialect.ts", 'lockSchema: "SELECT pg_advisory_xact_lock(108170552013433)"', "lockSchema: null")],
  },
  {
    what: "a job that stopped being held while its admission waited for it is passed over",
    engine: "postgres",
    race: "limits: held",
    behind:
      "whoever ends a held job leaves it not held, marks the key's row after, and admits again from what it then finds",
    cuts: [cut("statements/limit.ts", "})}) AND held = 1 AND due = 1`", "})})`")],
  },
];

/** What of Vitest's report is read. */
interface Report {
  testResults: { assertionResults: { status: string; failureMessages: string[] }[] }[];
}

const root = fileURLToPath(new URL("../../..", import.meta.url));
const asked = process.argv.slice(2).map(Number);

/** Runs the race without the guard. @returns the first error, or null when nothing was seen */
function seen({ engine, race, cuts }: Guard): string | null {
  const copy = mkdtempSync(join(tmpdir(), "belfry-guard-"));
  try {
    for (const part of [
      "src",
      "adapters",
      "mod.ts",
      "package.json",
      "tsconfig.json",
      "vitest.config.ts",
      "test/engines",
      "test/storage",
    ]) {
      cpSync(join(root, part), join(copy, part), { recursive: true });
    }
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    for (const { file, text, without } of cuts) {
      const path = join(copy, "src/sql", file);
      const source = readFileSync(path, "utf8");
      if (!source.includes(text)) throw new Error(`${file} has no ${JSON.stringify(text)}`);
      writeFileSync(
        path,
        source.replaceAll(text, () => without),
      );
    }
    const title = `${engine}.*${race}`;
    const report = join(copy, "report.json");
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...["node_modules/vitest/vitest.mjs", "run"],
        ...["test/storage/races", "--reporter=json", `--outputFile=${report}`, "-t", title],
      ],
      { cwd: copy, encoding: "utf8", env: { ...process.env, BELFRY_RACE_ROUNDS: "150" }, timeout: 300_000 },
    );
    const results = existsSync(report)
      ? (JSON.parse(readFileSync(report, "utf8")) as Report).testResults.flatMap((file) => file.assertionResults)
      : [];
    const failed = results.find((result) => result.status === "failed");
    if (!failed && !results.some((result) => result.status === "passed")) {
      throw new Error(`The race "${race}" did not run: ${stdout.slice(-1000)}${stderr.slice(-1000)}`);
    }
    if (!failed) return null;
    return failed.failureMessages[0]!.split("\n")[0]!.slice(0, 110);
  } finally {
    rmSync(copy, { recursive: true });
  }
}

let wrong = 0;
console.log("| guard | engine | race that fails without it | how |\n|---|---|---|---|");
for (const [i, guard] of GUARDS.entries()) {
  if (asked.length > 0 && !asked.includes(i)) continue;
  const error = seen(guard);
  const expected = (error === null) === (guard.behind !== undefined);
  if (!expected) wrong++;
  const how = error ?? (guard.behind === undefined ? "NOTHING SEEN" : `nothing, since ${guard.behind}`);
  console.log(`| ${guard.what} | ${guard.engine} | ${guard.race} | ${expected ? how : `${how} (guard ${i})`} |`);
}
process.exitCode = wrong > 0 ? 1 : 0;
