/**
 * Do the promises hold when everything goes wrong? A simulated world of hosts, faults and clients, from a seed.
 *
 * `runWorld` plays one world and says what was violated; `shrinkWorld` cuts a failing one down. The command is
 * `npm run simulate`; docs/reliability.md tells what is simulated, what is checked, and what was found.
 */
export type { Action, ActionKind } from "./actions.ts";
export type { Ground, MakeGround, RowWatcher } from "./ground.ts";
export type { Fault, FaultKind } from "./plan.ts";
export { shrinkWorld } from "./shrink.ts";
export { runWorld, type WorldOptions, type WorldReport } from "./world.ts";
