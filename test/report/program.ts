/** Runs the example's programs as real processes on a folder of their own, and reads what they left. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

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
  const folder = mkdtempSync(join(tmpdir(), "belfry-report-"));
  return { db: join(folder, "report.db"), out: join(folder, "reports") };
}

/** Starts a program of examples/report. */
export function start(program: "main" | "register" | "worker", place: Place, args: string[] = []): Program {
  const child = spawn(
    process.execPath,
    [
      join(root, `examples/report/${program}.ts`),
      ...["--db", place.db, "--out", place.out, "--folder", join(root, "src/cron"), "--ttl", "1s", ...args],
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
export async function until(holds: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!holds()) {
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

/** Asks the database itself. */
export function query<Row>(place: Place, sql: string): Row[] {
  const db = new DatabaseSync(place.db, { readOnly: true, timeout: 5_000 });
  try {
    return db.prepare(sql).all() as Row[];
  } finally {
    db.close();
  }
}
