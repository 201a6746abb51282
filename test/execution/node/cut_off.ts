/**
 * A worker process that its parent stops and continues: `node cut_off.ts '{...}'`.
 *
 * Its job writes to an outside system (a file that remembers the highest fence) before and after a long step. The parent stops
 * the process in that step and continues it when another worker has the job.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Belfry } from "../../../mod.ts";
import { note } from "./matrix_job.ts";
import { openStorage } from "./storages.ts";

/** The arguments of the process. */
export interface CutOffOrders {
  spec: string;
  name: string;
  journal: string;
  outside: string;
  /** The job's long step ends when this file exists. */
  gate: string;
  claimTtlMs: number;
}

/** Writes to the outside system, which refuses a fence lower than the highest it has seen. */
export function writeOutside(path: string, fence: number): boolean {
  const highest = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (fence < highest) return false;
  writeFileSync(path, String(fence));
  return true;
}

/** Makes a Belfry with the task. */
export async function cutOffBelfry(orders: CutOffOrders): Promise<Belfry> {
  const { spec, name, journal, outside, gate, claimTtlMs } = orders;
  const belfry = new Belfry({ storage: await openStorage(spec), claimTtl: claimTtlMs, onError: () => {} });
  belfry.task("guarded", async (ctx) => {
    ctx.signal.addEventListener("abort", () =>
      note(journal, `${name} aborted ${(ctx.signal.reason as { code: string }).code}`),
    );
    await ctx.step("first", () => note(journal, `${name} first ${writeOutside(outside, ctx.fence)}`));
    await ctx.step("long", async ({ signal }) => {
      note(journal, `${name} long begins`);
      while (!existsSync(gate)) await new Promise((resolve) => setTimeout(resolve, 20));
      // Long enough for the worker to learn, once it is continued, that another worker has the job.
      if (name === "old")
        for (let i = 0; i < 200 && !signal.aborted; i++) await new Promise((resolve) => setTimeout(resolve, 20));
      note(journal, `${name} writes outside ${writeOutside(outside, ctx.fence)}`);
    });
    await ctx.step("last", () => note(journal, `${name} last`));
    return name;
  });
  return belfry;
}

if (process.argv[2]) {
  const orders = JSON.parse(process.argv[2]) as CutOffOrders;
  const belfry = await cutOffBelfry(orders);
  await belfry.engine.open();
  const running = belfry.run({ schedule: false });
  note(orders.journal, `${orders.name} runs`);
  await running;
}
