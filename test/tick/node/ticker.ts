/**
 * A process that fires schedules until SIGTERM: what the failover tests start, kill, stop and freeze.
 *
 * `node ticker.ts SPEC TTL_MS [OFF_MS]`; prints its holder's name once it runs. OFF_MS sets its clock wrong.
 */

import { systemClock } from "../../../src/base/clock.ts";
import { Belfry } from "../../../src/belfry.ts";
import { openStorage } from "./storages.ts";

const [spec = "", ttl = "1500", off = "0"] = process.argv.slice(2);
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort());
const belfry = new Belfry({
  storage: await openStorage(spec),
  leaseTtl: Number(ttl),
  clock: { ...systemClock, now: () => systemClock.now() + Number(off) },
  onError: (error, during) => console.error(during, error),
});
const running = belfry.run({ signal: stop.signal, work: false });
console.log(belfry.engine.holder);
await running;
await belfry.close();
process.exit(0);
