/**
 * Which faults and actions does a failure need? Removes them as long as the world still fails.
 *
 * Halves, quarters and ever smaller parts are removed in turn (delta debugging, Zeller and Hildebrandt, 2002), first of the
 * faults, then of the actions. What is left is a short list and a command that runs it.
 */
import type { Action } from "./actions.ts";
import type { Fault } from "./plan.ts";
import { runWorld, type WorldOptions, type WorldReport } from "./world.ts";

/** Runs smaller and smaller worlds. @returns the report of the smallest that still fails */
export async function shrinkWorld(
  failed: WorldReport,
  options: WorldOptions,
  maxRuns: number = 300,
): Promise<WorldReport> {
  let best = failed;
  let runs = 0;
  const fails = async (plan: readonly Fault[], actions: readonly Action[]): Promise<boolean> => {
    if (runs++ >= maxRuns) return false;
    const report = await runWorld({ ...options, plan, actions });
    if (report.violation === null) return false;
    best = report;
    return true;
  };
  await reduce(best.plan, (plan) => fails(plan, best.actions));
  await reduce(best.actions, (actions) => fails(best.plan, actions));
  return best;
}

/** Removes parts of a list as long as `holds` is true for the rest. */
async function reduce<T>(list: readonly T[], holds: (rest: readonly T[]) => Promise<boolean>): Promise<void> {
  let items = [...list];
  for (let size = Math.ceil(items.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < items.length; ) {
      const rest = [...items.slice(0, from), ...items.slice(from + size)];
      if (await holds(rest)) items = rest;
      else from += size;
    }
  }
}
