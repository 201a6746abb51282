/**
 * Runs simulated worlds: `npm run simulate -- [--seeds N | --minutes M] [--from SEED] [--steps STEPS]`, or one of them again:
 * `npm run simulate -- --seed SEED [--steps STEPS] [--keep FAULTS/ACTIONS]`. With `--on sqlite` the hosts share a real
 * SQLite database instead of the memory storage.
 *
 * A world that fails is reduced to the faults and actions that it needs, and the command that runs it is printed.
 */
import { parseArgs } from "node:util";
import { runWorld, shrinkWorld, type WorldReport } from "../test/simulation/simulator/mod.ts";
import { sqliteWorldStorage } from "../test/simulation/sqlite_world_storage.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    from: { type: "string", default: "1" },
    seeds: { type: "string", default: "100" },
    minutes: { type: "string" },
    steps: { type: "string", default: "2000" },
    keep: { type: "string" },
    on: { type: "string", default: "memory" },
  },
});
if (values.on !== "memory" && values.on !== "sqlite") throw new Error(`No worlds on ${values.on}: memory or sqlite`);
const storage = values.on === "sqlite" ? () => sqliteWorldStorage() : undefined;
const on = values.on === "sqlite" ? " --on sqlite" : "";
const steps = Number(values.steps);
// Scripts throw a lot, and their stacks are not read.
Error.stackTraceLimit = 0;

/** Runs a world with some of its faults and actions only, by index: `1,5/0,2`. The first run draws them. */
async function runReduced(seed: number, keep: string): Promise<WorldReport> {
  const { plan, actions } = await runWorld({ seed, steps, storage });
  const [faults = "", acts = ""] = keep.split("/");
  const pick = <T>(list: T[], indexes: string): T[] =>
    indexes === "" ? [] : indexes.split(",").map((index) => list[Number(index)]!);
  return runWorld({ seed, steps, storage, plan: pick(plan, faults), actions: pick(actions, acts) });
}

async function show(failed: WorldReport): Promise<void> {
  const { seed } = failed;
  console.error(`\nseed ${seed} violates a promise at step ${failed.violatedAt}: ${failed.violation}`);
  console.error(`again:   npm run simulate --${on} --seed ${seed} --steps ${steps}`);
  const small = await shrinkWorld(failed, { seed, steps, storage });
  const places = <T>(all: readonly T[], some: readonly T[]): string => some.map((item) => all.indexOf(item)).join(",");
  const keep = `${places(failed.plan, small.plan)}/${places(failed.actions, small.actions)}`;
  console.error(`smaller: npm run simulate --${on} --seed ${seed} --steps ${steps} --keep ${keep}`);
  console.error(
    `         ${small.plan.length} faults of ${failed.plan.length}, ${small.actions.length} actions of ${failed.actions.length}: ${small.violation}`,
  );
  for (const { step, kind, host, ms } of small.plan)
    console.error(`         before step ${step}: ${kind} of host ${host}, ${ms} ms`);
}

async function one(seed: number): Promise<void> {
  const report =
    values.keep === undefined ? await runWorld({ seed, steps, storage }) : await runReduced(seed, values.keep);
  const { plan: _, actions: __, ...rest } = report;
  console.log(rest);
  if (report.violation !== null) process.exitCode = 1;
}

async function many(): Promise<void> {
  const from = Number(values.from);
  const untilMs =
    values.minutes === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.minutes) * 60_000;
  const last = values.minutes === undefined ? from + Number(values.seeds) : Number.POSITIVE_INFINITY;
  const total = { worlds: 0, steps: 0, requests: 0, jobs: 0, occurrences: 0, covered: 0, simulatedHours: 0, failed: 0 };
  const injected: Record<string, number> = {};
  const begun = performance.now();
  let told = begun;
  for (let seed = from; seed < last && performance.now() < untilMs; seed++) {
    const report = await runWorld({ seed, steps, storage });
    total.worlds++;
    total.steps += report.steps;
    total.requests += report.requests;
    total.jobs += report.jobs;
    total.occurrences += report.occurrences;
    total.covered += report.covered;
    total.simulatedHours += report.simulatedMs / 3_600_000;
    for (const [kind, count] of Object.entries(report.injected)) injected[kind] = (injected[kind] ?? 0) + count;
    if (report.violation !== null) {
      total.failed++;
      process.exitCode = 1;
      if (total.failed <= 3) await show(report);
      else console.error(`seed ${seed} fails too: ${report.violation}`);
    }
    if (performance.now() - told > 10_000) {
      told = performance.now();
      console.log(
        `${total.worlds} worlds, ${total.steps} steps, ${total.failed} failed, ${Math.round((told - begun) / 1000)} s`,
      );
    }
  }
  const seconds = (performance.now() - begun) / 1000;
  console.log({
    ...total,
    simulatedHours: Math.round(total.simulatedHours),
    seconds: Math.round(seconds),
    usPerStep: Math.round((seconds * 1e6) / total.steps),
  });
  console.log(injected);
}

if (values.seed !== undefined) await one(Number(values.seed));
else await many();
