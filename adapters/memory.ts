/**
 * A storage in this process's memory: for tests, for trials, and as the model of what the port means.
 *
 * Several Belfry objects may share one memory storage, as several processes share a database; it ends with the process.
 * The work is done in `src/memory`: `storage` has the methods of the port, `jobs` and `schedules` keep and index rows,
 * `batch` applies the effects of ended jobs, `claim`, `save` and `limits` do what their names say.
 */
import { type MemoryOptions, newTables, storageOf } from "../src/memory/storage.ts";
import type { Storage } from "../src/storage/port.ts";

export type { MemoryOptions } from "../src/memory/storage.ts";

/**
 * Makes an empty storage in memory.
 *
 * @example
 * ```ts
 * import { memory } from "belfry/memory";
 *
 * const storage = memory();
 * await storage.migrate({ now: 0 });
 * await storage.enqueue({
 *   op: "first",
 *   now: 0,
 *   jobs: [{
 *     id: "job-1", task: "hello", queue: "default", priority: 0, availableAt: 0, expiresAt: null, key: null,
 *     input: "null", options: "{}", schedule: null, scheduledAt: null, parentId: null, limit: null,
 *   }],
 * });
 * const { jobs } = await storage.claim({
 *   token: "t", worker: "w", queues: ["default"], tasks: null, limit: 1, now: 0, claimMs: 30_000,
 * });
 * if (jobs[0]?.id !== "job-1") throw new Error("not claimed");
 * ```
 */
export function memory(options: MemoryOptions = {}): Storage {
  return storageOf(newTables(), options);
}
