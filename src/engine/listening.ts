/**
 * Listens for what other programs write, for as long as a loop runs. Opening a connection for it may take long or fail: the
 * loop polls meanwhile, so it never waits for it here, and neither does its end.
 */
import { delay } from "../base/clock.ts";
import type { Wake } from "../storage/port.ts";
import type { Engine } from "./engine.ts";

const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;

/**
 * Starts listening, where the storage can push, and tries again while that fails.
 *
 * @param during names the caller in reports: `"listening for jobs"`
 * @returns stops
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
