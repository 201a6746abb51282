/**
 * Cron expressions: parse, next from a random instant, walk 1,000; against croner, cron-parser, cronosjs, cron-schedule.
 *
 * Every figure is measured in a process of its own; processes alternate, forwards and backwards, so that a machine that
 * slows down slows all; the median of the runs counts. Ratios are to Belfry: how many times longer a peer takes.
 *
 *     npm run bench -- cron [runs, 5 by default]
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LIBRARIES } from "./libraries.ts";

const runs = Number(process.argv[2] ?? 5);
const names = Object.keys(LIBRARIES);
const zones = ["UTC", "America/New_York"];
const tasks = ["parse", "next", "nextMs", "walk", "walkMs", "memory"];
/** Tasks that only Belfry has, and the one of the others that they are compared with. */
const against: Record<string, string> = { nextMs: "next", walkMs: "walk" };
const one = fileURLToPath(new URL("one.ts", import.meta.url));
const figures = new Map<string, number[]>();

for (let round = 0; round < runs; round++) {
  for (const task of tasks) {
    for (const zone of zones) {
      for (const library of round % 2 ? [...names].reverse() : names) {
        if (against[task] && library !== "belfry") continue;
        // Only the library without zones depends on the process's; the others must not gain or lose by it.
        const env = { ...process.env, TZ: library === "cron-schedule" ? zone : "UTC" };
        const child = spawnSync(process.execPath, ["--expose-gc", one, library, task, zone], { env, encoding: "utf8" });
        if (child.status !== 0) throw new Error(child.stderr);
        const key = `${task} ${zone} ${library}`;
        figures.set(key, [...(figures.get(key) ?? []), Number(child.stdout)]);
      }
    }
  }
}

function median(list: number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

function ratio(value: number): string {
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function say(task: string, value: number): string {
  if (task === "memory") return `${Math.round(value)} B`;
  const us = value / 1000;
  return us >= 1000 ? `${(us / 1000).toPrecision(3)} ms` : `${us.toPrecision(3)} µs`;
}

console.log(`Node ${process.version}, ${process.platform} ${process.arch}; medians of ${runs} processes\n`);
console.log(`| | zone | ${names.join(" | ")} |\n|---|---|${names.map(() => "---|").join("")}`);
const labels: Record<string, string> = {
  parse: "parse",
  next: "next, random instant",
  nextMs: "the same, milliseconds",
  walk: "walk 1,000",
  walkMs: "the same, milliseconds",
  memory: "memory, parsed",
};
for (const task of tasks) {
  for (const zone of zones) {
    const own = median(figures.get(`${task} ${zone} belfry`)!);
    const cells = names.map((library) => {
      if (library === "belfry") return say(task, own);
      const value = median(figures.get(`${against[task] ?? task} ${zone} ${library}`)!);
      return `${against[task] ? "" : say(task, value)} (${ratio(value / own)}x)`.trim();
    });
    console.log(`| ${labels[task]} | ${zone} | ${cells.join(" | ")} |`);
  }
}
