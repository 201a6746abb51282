/**
 * Does a claim slow down as jobs pile up? Claim + settle beside 1,000,000 finished, 1,000,000 future and 100,000 ready jobs,
 * against an almost empty table, on SQLite and Postgres; one by one, and in batches of 50.
 *
 * Blocks on the empty and on the full storage alternate in one process per engine; the median block counts, so that other
 * load on the machine meets both alike. Ends with 1 where full costs more than 1.5 times empty.
 *
 *     npm run bench -- growth [thousand jobs of each, 1000 by default] [sqlite|postgres]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { NewJob, Storage } from "../../src/storage/port.ts";
import { NOW, postgresPair, sqlitePair } from "./stores.ts";

const GOAL = 1.5;
const BLOCKS = 15;
const SHAPES = [
  { name: "one by one", limit: 1, claims: 60 },
  { name: "in batches of 50", limit: 50, claims: 4 },
];

const [text = "1000", only, inside] = process.argv.slice(2);
const thousands = Number(text);

let made = 0;
function job(): NewJob {
  const id = `z-${String(made++).padStart(12, "0")}`;
  return {
    id,
    task: "report",
    queue: "default",
    priority: 0,
    availableAt: NOW,
    expiresAt: null,
    key: null,
    input: '{"userId":123}',
    options: '{"retry":{"attempts":3}}',
    schedule: null,
    scheduledAt: null,
    parentId: null,
    limit: null,
  };
}

/** Time of a block, ms a job. */
async function block(storage: Storage, { limit, claims }: (typeof SHAPES)[number]): Promise<number> {
  // As many come in as go out, so that both storages keep their size; not counted.
  const jobs = Array.from({ length: limit * claims }, job);
  await storage.enqueue({ op: `in ${made}`, now: NOW, jobs });
  const start = performance.now();
  for (let i = 0; i < claims; i++) {
    const token = `t ${made} ${i}`;
    const claimed = await storage.claim({
      token,
      worker: "w",
      queues: ["default"],
      tasks: ["report"],
      limit,
      now: NOW,
      claimMs: 30_000,
    });
    if (claimed.jobs.length !== limit) throw new Error(`${claimed.jobs.length} of ${limit} claimed`);
    const transition = { to: "completed", result: "42" } as const;
    const writes = claimed.jobs.map(({ id }) => ({ id, token, steps: [], forget: [], children: [], transition }));
    const { saved } = await storage.save({ op: `s ${made} ${i}`, now: NOW, claimMs: 30_000, writes });
    if (saved.length !== limit) throw new Error(`${saved.length} of ${limit} settled`);
  }
  return (performance.now() - start) / (limit * claims);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function measure(engine: string): Promise<void> {
  const stored = { finished: thousands * 1000, future: thousands * 1000, ready: thousands * 100 };
  const pair = await (engine === "sqlite" ? sqlitePair : postgresPair)(stored);
  for (const shape of SHAPES) {
    const times = { empty: [] as number[], full: [] as number[] };
    for (let i = -2; i < BLOCKS; i++) {
      for (const which of i % 2 ? (["empty", "full"] as const) : (["full", "empty"] as const)) {
        const ms = await block(pair[which], shape);
        // The first two warm up.
        if (i >= 0) times[which].push(ms);
      }
    }
    const [empty, full] = [median(times.empty), median(times.full)];
    const ratio = full / empty;
    console.log(
      `| ${engine} | ${shape.name} | ${empty.toFixed(3)} ms | ${full.toFixed(3)} ms | ${ratio.toFixed(2)}x |${ratio > GOAL ? ` more than ${GOAL}x` : ""}`,
    );
    if (ratio > GOAL) process.exitCode = 1;
  }
  await pair.dispose();
}

if (inside && only) await measure(only);
else {
  console.log(
    `Claim + settle, ms a job; full: ${thousands},000 finished, ${thousands},000 future, ${thousands}00 ready jobs\n`,
  );
  console.log("| | | empty | full | full / empty |\n|---|---|--:|--:|--:|");
  for (const engine of only ? [only] : ["sqlite", "postgres"]) {
    const path = fileURLToPath(import.meta.url);
    const { status } = spawnSync(process.execPath, ["--no-warnings", path, text, engine, "inside"], {
      stdio: "inherit",
    });
    if (status !== 0) process.exitCode = 1;
  }
}
