/**
 * Listens for changes that other programs make in the storage, for as long as a loop runs.
 *
 * Opening the connection for this may take long or fail, so it happens in the background: the loop polls meanwhile, and
 * neither its start nor its end waits for the connection.
 */
import { delay } from "../base/clock.ts";
import type { Wake } from "../storage/port.ts";
import type { Engine } from "./engine.ts";

/** Pause after the first failure; each further one is twice as long, up to the longest. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;

/**
 * Starts listening when the storage announces changes, and tries again while that fails.
 *
 * @param onWake called for each announced change
 * @param during names the caller in reports: `"listening for jobs"`
 * @returns a function that stops listening
 */
export function startListening(engine: Engine, onWake: (wake: Wake) => void, during: string): () => void {
  const { storage, clock } = engine;
  const stop = new AbortController();
  const listen = async (): Promise<void> => {
    for (let pauseMs = FIRST_PAUSE_MS; !stop.signal.aborted; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        const unlisten = await storage.listen!((wake) => stop.signal.aborted || onWake(wake));
        await delay(clock, Infinity, stop.signal);
        await unlisten();
        return;
      } catch (error) {
        engine.report(error, during);
        await delay(clock, pauseMs, stop.signal);
      }
    }
  };
  if (storage.listen) void listen();
  return () => stop.abort();
}
