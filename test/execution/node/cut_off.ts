/**
 * A worker process for the test of being cut off: `node cut_off.ts '{...}'`.
 *
 * Its job asks an outside system (a file that remembers the highest fence) before and after a long step. The process is
 * stopped in that step by its parent, and let go on when another worker has the job.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { Belfry } from "../../../mod.ts";
import { note } from "./matrix_job.ts";
import { openStorage } from "./storages.ts";

/** What the process is told. */
export interface CutOffOrders {
  spec: string;
  name: string;
  journal: string;
  outside: string;
  /** The job's long step ends when this file exists. */
  gate: string;
  claimTtlMs: number;
}

/** A write to the outside system, refused where a later claim has written before. */
export function writeOutside(path: string, fence: number): boolean {
  const highest = existsSync(path) ? Number(readFileSync(path, "utf8")) : 0;
  if (fence < highest) return false;
  writeFileSync(path, String(fence));
  return true;
}

/** A Belfry with the task. */
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
      // Long enough for the worker to learn, after it was let go on, that the job is another's.
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
