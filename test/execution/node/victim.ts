/**
 * A worker process that kills itself with SIGKILL at one chosen place: `node victim.ts '{...}'`.
 *
 * Places are counted in the order in which they come: before and after each save, after each claim that found a job, and the
 * beginning of each step's function. At the end of an undisturbed job the process prints how many there were.
 */
import type { ClaimReply, SaveReply, SaveRequest, Storage } from "../../../src/storage/port.ts";
import { matrixBelfry, note } from "./matrix_job.ts";
import { openStorage } from "./storages.ts";

/** The arguments of the process. */
export interface Orders {
  spec: string;
  queue: string;
  jobId: string;
  journal: string;
  claimTtlMs: number;
  /** Dies at this boundary; -1: at none. */
  dieAt: number;
}

const orders = JSON.parse(process.argv[2]!) as Orders;
let boundaries = 0;

function boundary(): void {
  if (boundaries++ === orders.dieAt) process.kill(process.pid, "SIGKILL");
}

function watched(storage: Storage): Storage {
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return async (request: SaveRequest) => {
        if (key === "save") boundary();
        const reply: unknown = await (value as (request: unknown) => unknown).call(target, request);
        if (key === "claim" && (reply as ClaimReply).jobs.length > 0) boundary();
        if (key === "save") {
          const held = new Set((reply as SaveReply).saved.map((saved) => saved.id));
          for (const write of request.writes) {
            if (!held.has(write.id)) continue;
            for (const step of write.steps) if (step.state === "done") note(orders.journal, `saved ${step.name}`);
          }
          boundary();
        }
        return reply;
      };
    },
  });
}

const storage = await openStorage(orders.spec);
const belfry = matrixBelfry({
  storage: watched(storage),
  queues: [orders.queue],
  claimTtlMs: orders.claimTtlMs,
  enter: boundary,
});
const stop = new AbortController();
const running = belfry.run({ signal: stop.signal, schedule: false });
for (;;) {
  const job = await belfry.jobs.get(orders.jobId);
  if (job?.state === "completed" || job?.state === "failed") break;
  await new Promise((resolve) => setTimeout(resolve, 25));
}
process.stdout.write(`${boundaries}\n`);
stop.abort();
await running;
await belfry.close();
process.exit(0);
