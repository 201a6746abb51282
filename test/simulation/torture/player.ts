/**
 * One process of the torture test: an engine on a shared database that runs scripts until it is killed.
 *
 * `node player.ts DATABASE LOG`: it writes what it sees to the side log, see `side_log.ts`.
 */

import { delay, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry } from "../../../src/belfry.ts";
import { type Op, playScript, type ScriptHost } from "../simulator/script.ts";
import { openStorage } from "./open.ts";
import { noted, openSideLog } from "./side_log.ts";

const [where, log] = process.argv.slice(2) as [string, string];
const note = openSideLog(log);
const { storage } = openStorage(where);
const counts = new Map<string, number>();
const count = (key: string): number => {
  const before = counts.get(key) ?? 0;
  counts.set(key, before + 1);
  return before;
};
const scriptHost: ScriptHost = {
  sleep: (ms, signal) => delay(systemClock, ms, signal),
  stepBegins: (job, step, fence) => {
    note({ kind: "started", job, step, fence });
    return count(`${job} ${step}`);
  },
  stepEnds: () => {},
  reachesThrow: (jobId, place) => count(`${jobId} at ${place}`),
};
const belfry = new Belfry({
  storage: noted(storage, note),
  leaseTtl: "2s",
  claimTtl: "3s",
  concurrency: 8,
  logger: silentLogger,
  onError: () => {},
});
belfry.task("play", (ctx, script: Op[]) => playScript(scriptHost, ctx, script), {
  retry: { maxAttempts: 3, initial: 200, max: 1000 },
});
// The database may be locked or down for a moment: the engine is started again until it can open it.
for (;;) {
  try {
    await belfry.run();
    break;
  } catch {
    await delay(systemClock, 200);
  }
}
