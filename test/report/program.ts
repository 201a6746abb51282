/** Runs the example's programs as real processes on a folder of their own, and reads the files and rows that they wrote. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** The folder that is reported on. */
export const folder: string = join(root, "src/cron");

/** A folder with the database, the reports and a small folder to report on. */
export interface Place {
  db: string;
  out: string;
}

/** A running program. */
export interface Program {
  child: ChildProcess;
  pid: number;
  /** All it printed. */
  output(): string;
  /** Resolves when it has printed a text, rejects when it ends before. */
  printed(text: string | RegExp): Promise<void>;
  /** Sends a signal and waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** A report as the example writes it. */
export interface Report {
  job: string;
  schedule: string;
  occurrence: string;
  total: { files: number; lines: number };
  steps: { step: string; pid: number; attempt: number }[];
}

/** Makes an empty place. */
export function makePlace(): Place {
  const made = mkdtempSync(join(tmpdir(), "belfry-report-"));
  return { db: join(made, "report.db"), out: join(made, "reports") };
}

/** Starts a program of examples/report. */
export function start(program: "main" | "register" | "worker", place: Place, args: string[] = []): Program {
  const child = spawn(
    process.execPath,
    [
      join(root, `examples/report/${program}.ts`),
      ...["--db", place.db, "--out", place.out, "--folder", folder, "--ttl", "1s", ...args],
    ],
    { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, npm_lifecycle_event: "" } },
  );
  let output = "";
  const watchers = new Set<() => void>();
  const take = (chunk: Buffer): void => {
    output += chunk;
    for (const watch of watchers) watch();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const gone = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  return {
    child,
    pid: child.pid!,
    output: () => output,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const found = () => (typeof text === "string" ? output.includes(text) : text.test(output));
        const watch = () => {
          if (!found()) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
        watch();
        void gone.then(() => found() || reject(new Error(`it ended without printing ${text}:\n${output}`)));
      }),
    async end(signal) {
      child.kill(signal);
      await gone;
    },
  };
}

/** Waits until something holds, looking every few ms. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Reads all reports. */
export function readReports(place: Place): Report[] {
  if (!existsSync(place.out)) return [];
  return readdirSync(place.out)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(place.out, name), "utf8")) as Report);
}

/** Reads which steps ran, in order: `job step pid`. */
export function readRuns(place: Place): string[] {
  const path = join(place.out, "steps.log");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n").filter(Boolean) : [];
}

/** Counts jobs that have not ended. */
export function countUnfinished(place: Place): number {
  return query<{ n: number }>(place, "SELECT count(*) n FROM belfry_jobs WHERE state <> 'completed'")[0]!.n;
}

/**
 * Lets a running program come to rest: pauses all schedules, so that nothing more fires, and waits until every job is
 * completed. A report on disk does not say that: its job is settled a moment later, and the next one may have begun.
 */
export async function comeToRest(place: Place): Promise<void> {
  const belfry = new Belfry({ storage: sqlite(place.db) });
  for (const { name } of (await belfry.schedules.list()).schedules) await belfry.schedules.pause(name);
  await belfry.close();
  await until(() => countUnfinished(place) === 0, "all jobs completed");
}

/** Reads rows of the database directly. */
export function query<Row>(place: Place, sql: string): Row[] {
  const db = new DatabaseSync(place.db, { readOnly: true, timeout: 5_000 });
  try {
    return db.prepare(sql).all() as Row[];
  } finally {
    db.close();
  }
}
