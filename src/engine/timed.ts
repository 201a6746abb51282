/**
 * Sends a request to the storage and learns the server's time from the reply.
 */
import type { CorrectedClock } from "../base/clock.ts";

/** Learns the server's time from a reply, where the storage reports one. */
export async function timed<T extends { time?: number }>(
  engine: { readonly clock: CorrectedClock },
  send: () => Promise<T>,
): Promise<T> {
  const sentMs = engine.clock.monotonic();
  const reply = await send();
  if (reply.time !== undefined) engine.clock.observe(reply.time, sentMs);
  return reply;
}
