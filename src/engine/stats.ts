/**
 * Reads the storage's figures (depths of queues, states of schedules, the lease) and learns the server's time from them.
 */
import type { StatsReply } from "../storage/port.ts";
import type { Engine } from "./engine.ts";
import { timed } from "./timed.ts";

/** Reads the depths of all queues, the number of schedules by state, and the lease; one round trip. */
export async function readStats(engine: Engine): Promise<StatsReply> {
  await engine.open();
  return timed(engine, () => engine.storage.stats({ now: engine.clock.now() }));
}
