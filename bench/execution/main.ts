/**
 * Executions per second to their result: 1 and 10 steps and a child job, 1 and 20 callers, on memory, SQLite and
 * PostgreSQL, beside Resonate's local mode and DBOS on the same PostgreSQL; and the CPU of a job beside stored ones.
 *
 * Every figure is measured in a process of its own on an empty database; the order alternates; medians count. PostgreSQL
 * syncs to disk, as it does by default; SQLite is in WAL mode with the adapter's default durability.
 *
 *     npm run bench -- execution [rounds, 3 by default] [seconds a figure, 2 by default] [only systems named so: postgres]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startPostgres } from "../../test/engines/postgres.ts";
import { SYSTEMS } from "./systems.ts";

const rounds = Number(process.argv[2] ?? 3);
const seconds = Number(process.argv[3] ?? 2);
const only = process.argv[4] ?? "";
const systems = Object.keys(SYSTEMS).filter((name) => name.includes(only));
const columns = ["1", "10", "child"].flatMap((shape) => [1, 20].map((callers) => ({ shape, callers })));
const figures = new Map<string, { perSecond: number; cpuUs: number }[]>();
const one = fileURLToPath(new URL("one.ts", import.meta.url));
const stored = fileURLToPath(new URL("stored.ts", import.meta.url));

/** Not `spawnSync`: who blocks does not read the server's log, and a server whose log nobody reads stops. */
async function measure<T>(script: string, args: string[]): Promise<T> {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
    timeout: 120_000,
  });
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  const [status, signal] = (await once(child, "exit")) as [number | null, string | null];
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status ?? signal}`);
  return JSON.parse(out.trim().split("\n").at(-1)!) as T;
}

function median(list: number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
}

const server = await startPostgres({ durable: true });
const { Client } = (await import("pg")).default;
const admin = new Client({ connectionString: server.url });
await admin.connect();
let databases = 0;
try {
  for (let round = 0; round < rounds; round++) {
    for (const { shape, callers } of columns) {
      for (const system of round % 2 ? systems.toReversed() : systems) {
        const database = `bench_${++databases}`;
        await admin.query(`CREATE DATABASE ${database}`);
        const url = new URL(server.url);
        url.pathname = `/${database}`;
        const key = `${system} ${shape} ${callers}`;
        const figure = await measure<{ perSecond: number; cpuUs: number }>(one, [
          system,
          shape,
          `${callers}`,
          `${seconds}`,
          url.href,
        ]);
        figures.set(key, [...(figures.get(key) ?? []), figure]);
      }
    }
  }
} finally {
  await admin.end();
  await server.dispose();
}

function title({ shape, callers }: { shape: string; callers: number }): string {
  const what = shape === "child" ? "child job" : `${shape} step${shape === "1" ? "" : "s"}`;
  return `${what}, ${callers} caller${callers === 1 ? "" : "s"}`;
}

const rate = (system: string, shape: string, callers: number): number =>
  median(figures.get(`${system} ${shape} ${callers}`)!.map((figure) => figure.perSecond));

console.log(
  `Node ${process.version}, ${process.platform} ${process.arch}; medians of ${rounds} processes of ${seconds} s`,
);
console.log("\nExecutions per second\n");
console.log(`| | ${columns.map(title).join(" | ")} |\n|---|${columns.map(() => "---:|").join("")}`);
for (const system of systems) {
  console.log(
    `| ${system} | ${columns.map(({ shape, callers }) => Math.round(rate(system, shape, callers)).toLocaleString("en")).join(" | ")} |`,
  );
}
for (const [ours, theirs] of [
  ["belfry memory", "resonate local"],
  ["belfry postgres", "dbos postgres"],
] as const) {
  if (!systems.includes(ours) || !systems.includes(theirs)) continue;
  const ratios = columns.map(
    ({ shape, callers }) => `${(rate(ours, shape, callers) / rate(theirs, shape, callers)).toFixed(1)}x`,
  );
  console.log(`| ${ours} : ${theirs} | ${ratios.join(" | ")} |`);
}

console.log("\nCPU of an execution in the process that runs it, µs (the database server's is not in it)\n");
console.log(`| | ${columns.map(title).join(" | ")} |\n|---|${columns.map(() => "---:|").join("")}`);
for (const system of systems) {
  const cells = columns.map(({ shape, callers }) =>
    Math.round(median(figures.get(`${system} ${shape} ${callers}`)!.map((figure) => figure.cpuUs))).toLocaleString(
      "en",
    ),
  );
  console.log(`| ${system} | ${cells.join(" | ")} |`);
}

console.log("\nCPU of a job of one step (µs, 20 callers) beside stored jobs, half finished, half waiting\n");
console.log("| | 1,000 | 10,000 | 100,000 |\n|---|---:|---:|---:|");
for (const storage of only === "" ? ["memory", "sqlite"] : []) {
  const cells: number[] = [];
  for (const count of ["1000", "10000", "100000"]) {
    cells.push(Math.round((await measure<{ cpuUs: number }>(stored, [storage, count])).cpuUs));
  }
  console.log(`| belfry ${storage} | ${cells.join(" | ")} |`);
}
