/**
 * Does Belfry keep its promises under faults? A deterministic simulation of hosts, faults and clients, drawn from a seed.
 *
 * `runWorld` runs one simulated world and reports the first violation; `shrinkWorld` reduces a failing world to the faults
 * that it needs. The command is `npm run simulate`; docs/reliability.md says what is simulated, what is checked, and what
 * was found.
 */
export { shrinkWorld } from "./shrink.ts";
export { runWorld, type WorldReport } from "./world.ts";
export type { MakeWorldStorage, RowWatcher, WorldStorage } from "./world_storage.ts";
