/**
 * Schedules on a SQLite file: registering, firing, waking, idling, catching up.
 *
 * Each figure is measured in a process of its own on a file of its own; variants alternate, forwards and backwards; the
 * median of the runs counts. Ratios are to raw `node:sqlite` on the same rows in the same run. What PEERS saw of others on
 * this kind of machine stands beside them, and was not measured here.
 *
 *     npm run bench -- schedule [runs, 3 by default] [variant ...]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const [runsText = "3", ...chosen] = process.argv.slice(2);
const runs = Number(runsText);
const VARIANTS = ["sync", "fire-process", "fire-disk", "catch-up", "lateness", "idle"];
const variants = chosen.length > 0 ? chosen : VARIANTS;
const one = fileURLToPath(new URL("one.ts", import.meta.url));
const figures = new Map<string, number[]>();

for (let round = 0; round < runs; round++) {
  for (const variant of round % 2 ? [...variants].reverse() : variants) {
    // Long ones say the same each time.
    if (round > 0 && (variant === "idle" || variant === "catch-up")) continue;
    const child = spawnSync(process.execPath, ["--no-warnings", "--expose-gc", one, variant], { encoding: "utf8" });
    if (child.status !== 0) throw new Error(`${variant}: ${child.stderr}`);
    for (const [name, value] of Object.entries(JSON.parse(child.stdout) as Record<string, number>)) {
      figures.set(name, [...(figures.get(name) ?? []), value]);
    }
  }
}

function median(name: string): number {
  const sorted = [...(figures.get(name) ?? [])].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
const ms = (name: string): string => `${median(name).toFixed(median(name) < 10 ? 2 : 0)} ms`;
const ratio = (name: string, raw: string): string => `${(median(name) / median(raw)).toFixed(2)}x`;
const has = (name: string): boolean => figures.has(name);

console.log(
  `Node ${process.version}, ${process.platform} ${process.arch}, SQLite file; medians of ${runs} processes\n`,
);
if (has("syncFirst")) {
  console.log(
    `sync of 100,000 schedules, first time:      ${ms("syncFirst")}, ${median("syncFirstTrips")} round trips`,
  );
  console.log(
    `sync again, unchanged:                      ${ms("syncAgain")}, ${median("syncAgainTrips")} round trips`,
  );
  console.log(`  raw node:sqlite read of the same rows:    ${ms("syncRaw")}  -> ${ratio("syncAgain", "syncRaw")}`);
  console.log(`  of it, checking the list in code:         ${ms("syncDefine")}`);
  console.log(`idle tick beside 100,000 schedules:         ${ms("idleTick")}\n`);
}
for (const durability of ["process", "disk"]) {
  const name = (what: string): string => `${what} ${durability}`;
  if (!has(name("fire"))) continue;
  console.log(
    `10,000 due at one instant, durability ${durability}: ${ms(name("fire"))}, ${median(name("fireTrips"))} round trips`,
  );
  console.log(
    `  raw node:sqlite, the same rows:           ${ms(name("fireRaw"))}  -> ${ratio(name("fire"), name("fireRaw"))}`,
  );
}
if (has("fire process")) {
  console.log(
    "  PEERS: honker 390-440 ms, BullMQ 4.6 s, graphile-worker 8.0 s, bunqueue 9.8 s, Agenda 53 s, pg-boss 200 s\n",
  );
}
if (has("catchUp")) {
  const occurrences = median("catchUpOccurrences");
  console.log(`@every 1s missed on 10 schedules, ${occurrences.toLocaleString("en")} occurrences: ${ms("catchUp")}`);
  console.log(
    `  ${Math.round((occurrences / median("catchUp")) * 1000).toLocaleString("en")} a second, memory ${median("catchUpFirstMb")} MB after the first tenth, ${median("catchUpLastMb")} MB at the end`,
  );
  console.log(
    `  a week of it under catchUp "latest" (6,048,000 occurrences): ${ms("catchUpLatest")}; of "* * * * * *": ${ms("catchUpLatestCron")}\n`,
  );
}
if (has("latenessMedian")) {
  console.log(
    `lateness of the loop, every second: median ${ms("latenessMedian")}, p99 ${ms("latenessP99")} (asked: 10 ms)\n`,
  );
}
if (has("idleCpu")) {
  console.log(
    `idle leader with 10,000 schedules beside 500 unrelated rows/s: ${median("idleCpu").toFixed(2)} % of a core over ${median("idleSeconds")} s, ${median("idleTicks")} ticks (asked: 0.5 %; PEERS: honker 3-5 %, 23 % beside 500 enqueues/s)`,
  );
}
