/**
 * Reads the storage's figures (depths of queues, states of schedules, the lease) and learns the server's time from them.
 */
import type { StatsReply } from "../storage/port.ts";
import type { Engine } from "./engine.ts";
import { timed } from "./timed.ts";

/** Reads depths of all queues, how many schedules there are by state, and who leads; one round trip. */
export async function readStats(engine: Engine): Promise<StatsReply> {
  await engine.open();
  return timed(engine, () => engine.storage.stats({ now: engine.clock.now() }));
}
