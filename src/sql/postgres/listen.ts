/**
 * How do notifications of other processes come in? Over one connection that stays on LISTEN, and comes back when it
 * breaks.
 *
 * A connection that the network has forgotten stays open and silent, which is what LISTEN looks like on a quiet day. So
 * a heartbeat asks it for something every few seconds, and a connection that does not answer is destroyed and replaced.
 * After each connection but the first the listener is called once, for what was notified while none was open.
 */
import { type Clock, delay } from "../../base/clock.ts";
import type { Wake } from "../../storage/port.ts";
import type { PostgresJs } from "./client.ts";
import {
  destroy,
  guard,
  isPool,
  isPostgresJs,
  type PgClient,
  type PgConnection,
  type PostgresClient,
} from "./client.ts";
import { Sockets } from "./sockets.ts";

const MAX_PAUSE_MS = 2_000;
/** Between two heartbeats, and how long one may wait for its answer. */
const HEARTBEAT_MS = 5_000;
const ANSWER_MS = 5_000;

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
  const { client } = options;
  const onPayload = (payload: string | undefined): void => {
    options.onWake(payload === "jobs" || payload === "schedules" ? payload : "any");
  };
  if (isPostgresJs(client)) return listenOnPostgresJs(client, options, onPayload);
  if (!isPool(client)) return listenOnClient(client, options.channel, onPayload);
  return listenOnPool(client, options, onPayload);
}

/** postgres.js keeps a connection of its own for it, and brings it back when it breaks. */
async function listenOnPostgresJs(
  client: PostgresJs,
  { clock, channel, onWake }: ListenOptions,
  onPayload: (payload: string) => void,
): Promise<() => Promise<void>> {
  const stop = new AbortController();
  let first = true;
  const listening = client.listen(channel, onPayload, () => {
    if (!first) onWake("any");
    first = false;
  });
  const beat = async (): Promise<void> => {
    while (await delay(clock, HEARTBEAT_MS, stop.signal)) {
      const { sql } = client.listen;
      const sockets = Sockets.track(client);
      if (!sql || !sockets) continue;
      const destroyStuck = sockets.watch();
      if (!(await answers(clock, () => sql.unsafe("SELECT 1").simple()))) destroyStuck();
    }
  };
  void beat();
  await Promise.resolve(listening).catch((error: unknown) => {
    stop.abort();
    throw error;
  });
  return async () => {
    stop.abort();
    // A connection that never opened has nothing to take back.
    void Promise.resolve(listening)
      .then(({ unlisten }) => unlisten())
      .catch(() => undefined);
  };
}

/** On the one connection that the caller shares with everything else, whose calls notice when it is stuck. */
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
    void client.query(`UNLISTEN ${channel}`).catch(() => undefined);
  };
}

/** On a connection taken out of the pool, and a new one each time it breaks or falls silent. */
async function listenOnPool(
  pool: PgClient,
  { clock, channel, onWake }: ListenOptions,
  onPayload: (payload: string | undefined) => void,
): Promise<() => Promise<void>> {
  const stop = new AbortController();
  const { signal } = stop;
  guard(pool);
  let again = false;

  /** Listens on one connection until it breaks, falls silent or listening stops. */
  const listen = async (connection: PgConnection, onListening: () => void): Promise<void> => {
    const broken = new AbortController();
    const end = (): void => broken.abort();
    signal.addEventListener("abort", end, { once: true });
    connection.on?.("error", end);
    connection.on?.("end", end);
    connection.on?.("notification", (message: Notification) => {
      if (message.channel === channel && !broken.signal.aborted) onPayload(message.payload);
    });
    let alive = await answers(clock, () => connection.query(`LISTEN ${channel}`));
    if (alive && again) onWake("any");
    if (alive) onListening();
    again ||= alive;
    while (alive && (await delay(clock, HEARTBEAT_MS, broken.signal))) {
      alive = await answers(clock, () => connection.query("SELECT 1"));
    }
    signal.removeEventListener("abort", end);
    // Released as broken, so that the pool does not hand on a connection that listens.
    if (!alive) destroy(connection);
    connection.release?.(true);
  };
  /** @param onFirst hears how the first try went */
  const keep = async (onFirst: (error?: unknown) => void): Promise<void> => {
    for (let pauseMs = 100; !signal.aborted; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      try {
        const connection = (await pool.connect!()) as PgConnection;
        if (signal.aborted) connection.release?.();
        else {
          await listen(connection, onFirst);
          pauseMs = 100;
        }
      } catch (error) {
        // Later on the server may be away for a while: workers poll, and their batches report what is wrong.
        onFirst(error);
      }
      await delay(clock, pauseMs, signal);
    }
  };
  await new Promise<void>((resolve, reject) => {
    void keep((error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  }).catch((error: unknown) => {
    stop.abort();
    throw error;
  });
  return async () => stop.abort();
}

/** Asks a connection. @returns whether it answered in time */
async function answers(clock: Clock, ask: () => PromiseLike<unknown>): Promise<boolean> {
  const late = new AbortController();
  try {
    return await Promise.race([
      Promise.resolve(ask()).then(() => true),
      delay(clock, ANSWER_MS, late.signal).then(() => false),
    ]);
  } catch {
    return false;
  } finally {
    late.abort();
  }
}
