/**
 * One process of the torture: an engine on a shared database, which plays scripts until it is killed.
 *
 * `node player.ts WHERE LOG`: what it sees goes to the side log, see `side_log.ts`.
 */

import { delay, systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry } from "../../../src/belfry.ts";
import { type Op, playScript, type Stage } from "../simulator/script.ts";
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
const stage: Stage = {
  rest: (ms, signal) => delay(systemClock, ms, signal),
  begin: (job, step, fence) => {
    note({ kind: "started", job, step, fence });
    return count(`${job} ${step}`);
  },
  end: () => {},
  pass: (jobId, place) => count(`${jobId} at ${place}`),
};
const belfry = new Belfry({
  storage: noted(storage, note),
  leaseTtl: "2s",
  claimTtl: "3s",
  concurrency: 8,
  logger: silentLogger,
  onError: () => {},
});
belfry.task("play", (ctx, script: Op[]) => playScript(stage, ctx, script), {
  retry: { maxAttempts: 3, initial: 200, max: 1000 },
});
// Until the database can be opened: it may be locked, or away for a moment.
for (;;) {
  try {
    await belfry.run();
    break;
  } catch {
    await delay(systemClock, 200);
  }
}
