/**
 * Requests to the storage that correct the engine's clock by the server's time in the reply.
 */
import type { CorrectedClock } from "../base/clock.ts";

/** Sends a request, and corrects the clock when the reply carries the server's time. */
export async function timed<T extends { time?: number }>(
  engine: { readonly clock: CorrectedClock },
  send: () => Promise<T>,
): Promise<T> {
  const sentMs = engine.clock.monotonic();
  const reply = await send();
  if (reply.time !== undefined) engine.clock.observe(reply.time, sentMs);
  return reply;
}
