/**
 * The report: a task that reads a folder of source files and writes what it found, in four checkpointed steps.
 *
 * Each step notes in `steps.log` that it ran (job, step, process), and keeps the same note in its saved output. The
 * written report holds the saved notes, so after a crash one can see that finished steps did not run again: their notes
 * name the process that died.
 */
import { appendFile, mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative, sep } from "node:path";
import { parseArgs } from "node:util";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";

/** Where things lie, and which folder the report is about. */
export interface Settings {
  /** The SQLite file. */
  db: string;
  /** The folder to report on. */
  folder: string;
  /** Where reports and `steps.log` go. */
  out: string;
  /** Pause between steps, ms: gives a test time to kill the process there. */
  pauseMs: number;
  /** How long a lease or a claim outlives a process that was killed: `"5s"`. */
  ttl: string;
}

/** Which step ran, and who ran it. */
interface Note {
  step: string;
  pid: number;
  attempt: number;
  at: string;
}

interface Count {
  files: number;
  lines: number;
  bytes: number;
}

const LEFT_OUT = new Set(["node_modules", ".git", ".belfry", "dist", ".wrangler"]);

/** Reads settings from the command line: `--db`, `--folder`, `--out`, `--pause`, `--ttl`. */
export function readSettings(args: string[] = process.argv.slice(2)): Settings {
  const { values } = parseArgs({
    args,
    options: {
      db: { type: "string", default: ".belfry/report.db" },
      folder: { type: "string", default: "." },
      out: { type: "string" },
      pause: { type: "string", default: "0" },
      ttl: { type: "string", default: "5s" },
    },
  });
  return {
    db: values.db,
    folder: values.folder,
    out: values.out ?? join(dirname(values.db), "reports"),
    pauseMs: Number(values.pause),
    ttl: values.ttl,
  };
}

/** Makes an engine on the SQLite file that knows the task `report`. */
export async function createReporter(settings: Settings) {
  await mkdir(dirname(settings.db), { recursive: true });
  await mkdir(settings.out, { recursive: true });
  const belfry = new Belfry({
    storage: sqlite(settings.db),
    leaseTtl: settings.ttl,
    claimTtl: settings.ttl,
    onError: (error, during) => console.error(`error during ${during}:`, error),
  });

  const report = belfry.task("report", async (ctx, input: { folder: string }) => {
    const note = async (step: string): Promise<Note> => {
      const made = { step, pid: process.pid, attempt: ctx.job.attempt, at: new Date().toISOString() };
      await appendFile(join(settings.out, "steps.log"), `${ctx.job.id} ${step} ${process.pid}\n`);
      return made;
    };
    const pause = () => new Promise((resolve) => setTimeout(resolve, settings.pauseMs));

    const listed = await ctx.step("list", async () => ({
      files: await listFiles(input.folder),
      ran: await note("list"),
    }));
    await pause();

    const counted = await ctx.step("count", async () => {
      const byType: Record<string, Count> = {};
      for (const path of listed.files) {
        const text = await readFile(join(input.folder, path), "utf8").catch(() => undefined);
        if (text === undefined) continue; // gone since it was listed
        const type = extname(path) || "(none)";
        byType[type] ??= { files: 0, lines: 0, bytes: 0 };
        const count = byType[type];
        count.files++;
        count.lines += text.split("\n").length - 1;
        count.bytes += Buffer.byteLength(text);
      }
      return { byType, ran: await note("count") };
    });
    await pause();

    const summary = await ctx.step("summarise", async () => {
      const counts = Object.entries(counted.byType).sort(([, a], [, b]) => b.lines - a.lines);
      const total: Count = { files: 0, lines: 0, bytes: 0 };
      for (const [, count] of counts) {
        total.files += count.files;
        total.lines += count.lines;
        total.bytes += count.bytes;
      }
      return {
        total,
        largest: counts.slice(0, 5).map(([type, count]) => ({ type, ...count })),
        ran: await note("summarise"),
      };
    });
    await pause();

    return await ctx.step("write", async () => {
      const { schedule, scheduledAt, id } = ctx.job;
      const occurrence = scheduledAt === null ? id : new Date(scheduledAt).toISOString().replaceAll(":", "-");
      const path = join(settings.out, `${schedule ?? "by-hand"}-${occurrence}.json`);
      const content = {
        job: id,
        schedule,
        occurrence: scheduledAt === null ? null : new Date(scheduledAt).toISOString(),
        folder: input.folder,
        total: summary.total,
        largest: summary.largest,
        steps: [listed.ran, counted.ran, summary.ran, await note("write")],
      };
      // Written aside and renamed, so that a reader (or a crash) never meets half a report.
      await writeFile(`${path}.${process.pid}`, `${JSON.stringify(content, null, 2)}\n`);
      await rename(`${path}.${process.pid}`, path);
      return { path, files: summary.total.files, lines: summary.total.lines };
    });
  });

  /** Registers the three schedules; doing it again changes nothing. Jobs of one schedule run one after the other. */
  const register = async () => {
    const options = { input: { folder: settings.folder }, overlap: "queue" } as const;
    return [
      await belfry.schedule("every-5-seconds", "*/5 * * * * *", report, options),
      await belfry.schedule("every-7s-elapsed", "@every 7s", report, options),
      await belfry.schedule("daily-in-berlin", "0 9 * * *", report, { ...options, timeZone: "Europe/Berlin" }),
    ];
  };

  return { belfry, report, register };
}

/** Prints one line for each finished job, and `caught up N` when occurrences from before the start were fired. */
export function printProgress({ belfry }: Awaited<ReturnType<typeof createReporter>>): void {
  const startedAt = Date.now();
  let caughtUp = 0;
  belfry.on("schedule:fired", ({ at }) => {
    if (at >= startedAt) return;
    // A tick fires them in one go: the count is said once, when it is complete.
    if (caughtUp++ === 0) {
      setTimeout(() => {
        console.log(`caught up ${caughtUp}`);
        caughtUp = 0;
      }, 0);
    }
  });
  belfry.on("lease:acquired", () => console.log("leads      this process fires from now on"));
  belfry.on("job:completed", (job) => {
    const lateMs = job.scheduledAt === null ? 0 : Date.now() - job.durationMs - job.scheduledAt;
    const occurrence = job.scheduledAt === null ? "by hand" : new Date(job.scheduledAt).toISOString();
    const again = job.attempt > 1 ? ` (attempt ${job.attempt})` : "";
    console.log(
      `completed  ${(job.schedule ?? job.task).padEnd(16)}  ${occurrence}  late ${formatLate(lateMs)}  took ${Math.round(job.durationMs)} ms${again}`,
    );
  });
  belfry.on("job:retried", (job) => console.log(`will retry ${job.schedule ?? job.task}: ${job.error.message}`));
  belfry.on("job:failed", (job) => console.log(`failed     ${job.schedule ?? job.task}: ${job.error.message}`));
}

/** Aborts on SIGINT and SIGTERM, and when the npm that started this process is gone. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  if (process.env["npm_lifecycle_event"] === "start") {
    const parent = process.ppid;
    // `kill -9` of npm alone would leave this process running unseen; it ends as abruptly as npm did.
    setInterval(() => process.ppid === parent || process.exit(1), 500).unref();
  }
  return stop.signal;
}

function formatLate(ms: number): string {
  if (ms < 10_000) return `${Math.max(0, Math.round(ms))} ms`;
  return `${Math.round(ms / 1000)} s`;
}

async function listFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (path: string): Promise<void> => {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (LEFT_OUT.has(entry.name)) continue;
      const child = join(path, entry.name);
      if (entry.isDirectory()) await walk(child);
      else if (entry.isFile() && /\.(ts|mjs|js|json|md)$/.test(entry.name))
        found.push(relative(folder, child).split(sep).join("/"));
    }
  };
  await walk(folder);
  return found.sort();
}
