/**
 * How do wake-ups of other processes come in? Over one connection that stays on LISTEN, and comes back when it breaks.
 *
 * After each new connection the listener is woken once: what happened while nobody listened is looked for.
 */
import { type Clock, delay } from "../../base/clock.ts";
import type { Wake } from "../../storage/port.ts";
import { isPool, isPostgresJs, type PgClient, type PgConnection, type PostgresClient } from "./client.ts";

const MAX_PAUSE_MS = 10_000;

/** What `pg` hands out when another connection notified. */
interface Notification {
  channel: string;
  payload?: string;
}

/** What listening needs. */
export interface ListenOptions {
  client: PostgresClient;
  clock: Clock;
  channel: string;
  onWake: (wake: Wake) => void;
}

/** Listens until stopped. @returns a function that stops it */
export async function listenOn(options: ListenOptions): Promise<() => Promise<void>> {
  const { client, channel } = options;
  const onPayload = (payload: string | undefined): void => {
    options.onWake(payload === "jobs" || payload === "schedules" ? payload : "any");
  };
  if (isPostgresJs(client)) {
    // postgres.js keeps a connection of its own for it, and brings it back by itself.
    let first = true;
    const { unlisten } = await client.listen(channel, onPayload, () => {
      if (!first) options.onWake("any");
      first = false;
    });
    return unlisten;
  }
  if (!isPool(client)) return listenOnClient(client, channel, onPayload);
  return listenOnPool(client, options, onPayload);
}

/** On the one connection that the caller shares with everything else. */
async function listenOnClient(
  client: PgConnection,
  channel: string,
  onPayload: (payload: string | undefined) => void,
): Promise<() => Promise<void>> {
  let stopped = false;
  client.on?.("notification", (message: Notification) => {
    if (!stopped && message.channel === channel) onPayload(message.payload);
  });
  await client.query(`LISTEN ${channel}`);
  return async () => {
    stopped = true;
    await client.query(`UNLISTEN ${channel}`).catch(() => undefined);
  };
}

/** On a connection taken out of the pool, and a new one each time it breaks. */
async function listenOnPool(
  pool: PgClient,
  { clock, channel, onWake }: ListenOptions,
  onPayload: (payload: string | undefined) => void,
): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let connection: PgConnection | undefined;

  const connect = async (): Promise<void> => {
    const taken = (await pool.connect!()) as PgConnection;
    const lost = (): void => {
      if (connection !== taken) return;
      connection = undefined;
      taken.release?.(true);
      void reconnect();
    };
    taken.on?.("error", lost);
    taken.on?.("end", lost);
    taken.on?.("notification", (message: Notification) => {
      if (message.channel === channel) onPayload(message.payload);
    });
    try {
      await taken.query(`LISTEN ${channel}`);
    } catch (error) {
      taken.release?.(true);
      throw error;
    }
    if (stop.signal.aborted) taken.release?.(true);
    else connection = taken;
  };
  const reconnect = async (): Promise<void> => {
    for (let pauseMs = 100; !stop.signal.aborted; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      await delay(clock, pauseMs, stop.signal);
      if (stop.signal.aborted) return;
      try {
        await connect();
        onWake("any");
        return;
      } catch {
        // The server is still away; polling goes on meanwhile, and batches report what is wrong.
      }
    }
  };

  await connect();
  return async () => {
    stop.abort();
    const last = connection;
    connection = undefined;
    // Released as broken, so that the pool does not hand on a connection that listens.
    last?.release?.(true);
  };
}
