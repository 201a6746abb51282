/**
 * Who fires 10,000 due schedules how fast? Belfry on SQLite and Postgres beside plainjob (SQLite), graphile-worker and
 * pg-boss (Postgres) and BullMQ (Redis): the time from the instant at which all are due until all their jobs are stored.
 *
 * Each in a process of its own, one after the other, servers with the durability they come with; pg-boss looks every second
 * (30 by default) and is given up after four minutes. BullMQ's time includes that its worker takes the jobs, since that is
 * how its schedules go on. It needs a Redis server, given by its address.
 *
 * Opt in, since it takes minutes and installs the peers:
 *
 *     npm run bench -- peers --yes [redis://127.0.0.1:6379] [peer ...]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const NAMES = ["belfry-sqlite", "plainjob", "belfry-postgres", "graphile-worker", "pg-boss", "bullmq"];
const args = process.argv.slice(2);
if (!args.includes("--yes")) {
  console.log("This takes minutes: npm run bench -- peers --yes [redis://127.0.0.1:6379] [peer ...]");
  process.exit(2);
}
const redis = args.find((arg) => arg.startsWith("redis://"));
const chosen = args.filter((arg) => NAMES.includes(arg));
const one = fileURLToPath(new URL("one.ts", import.meta.url));

console.log("| | fired | time | a second |\n|---|--:|--:|--:|");
for (const name of chosen.length > 0 ? chosen : NAMES) {
  if (name === "bullmq" && !redis) {
    console.log("| bullmq | | no Redis server was given | |");
    continue;
  }
  const child = spawnSync(process.execPath, ["--no-warnings", one, name, ...(redis ? [redis] : [])], {
    encoding: "utf8",
    timeout: 480_000,
  });
  if (child.status !== 0) {
    console.log(`| ${name} | | failed: ${/\w*Error.*/.exec(child.stderr)?.[0] ?? child.signal} | |`);
    process.exitCode = 1;
    continue;
  }
  const { fired, ms } = JSON.parse(child.stdout.trim().split("\n").at(-1)!) as { fired: number; ms: number };
  console.log(
    `| ${name} | ${fired.toLocaleString("en")} | ${(ms / 1000).toFixed(2)} s | ${Math.round((fired / ms) * 1000).toLocaleString("en")} |`,
  );
}
