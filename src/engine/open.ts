/**
 * Opens a storage once, on its first use: concurrent callers share one try, and a failed try is repeated by the next caller.
 */
import type { CorrectedClock } from "../base/clock.ts";
import { BelfryError } from "../base/error.ts";
import type { Logger } from "../base/log.ts";
import type { Storage } from "../storage/port.ts";

/**
 * Makes the function that every operation awaits before it uses the storage.
 *
 * @param closed aborted when the engine is closed: from then on opening fails
 * @returns a function that opens the storage; it throws what `migrate` throws, and `CLOSED`
 */
export function openStorage(
  storage: Storage,
  clock: CorrectedClock,
  logger: Logger,
  closed: AbortSignal,
): () => Promise<void> {
  let opened: Promise<void> | undefined;
  const open = async (): Promise<void> => {
    const sentMs = clock.monotonic();
    const { time, warnings, from, to } = await storage.migrate({ now: clock.now() });
    if (time !== undefined) clock.observe(time, sentMs);
    for (const warning of warnings) logger.warn(warning);
    if (from !== to)
      logger[from === 0 ? "debug" : "info"](`schema of ${storage.name} is now version ${to}`, { from, to });
  };
  return () => {
    if (closed.aborted) return Promise.reject(new BelfryError("CLOSED", "Cannot use this Belfry: it was closed"));
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
