/**
 * Which Postgres clients can Belfry use? The parts of `pg` (a Pool or a Client) and of postgres.js that it needs, and
 * one function over both that sends a text of many statements in one message.
 */
import { Sockets } from "./sockets.ts";

/** What `pg` answers to one statement. */
export interface PgResult {
  readonly rows: unknown[];
  readonly rowCount?: number | null;
}

/** A connected client of `pg`. */
export interface PgConnection {
  query(text: string): Promise<unknown>;
  on?(event: string, listener: (...args: never[]) => void): unknown;
  release?(error?: boolean | Error): void;
  /** False while it is being opened. */
  readonly _connected?: boolean;
  /** The protocol's connection below the client: its stream is destroyed where an answer never comes. */
  readonly connection?: { readonly stream?: { destroy(): unknown } };
}

/** A Pool or a connected Client of `pg`. */
export interface PgClient extends PgConnection {
  connect?(): Promise<unknown>;
  readonly totalCount?: number;
  readonly options?: { readonly max?: number };
  /** All clients of a pool, those that are being opened included: its own record, since it has no call for it. */
  readonly _clients?: readonly PgConnection[];
}

/** The tag function of postgres.js. */
export interface PostgresJs {
  (...args: never[]): unknown;
  unsafe(text: string): { simple(): PromiseLike<unknown> & { cancel?(): void } };
  readonly listen: {
    (
      channel: string,
      onNotify: (payload: string) => void,
      onListen?: () => void,
    ): Promise<{ unlisten(): Promise<void> }>;
    /** The client of the one connection that listens, once there is one. */
    readonly sql?: { unsafe(text: string): { simple(): PromiseLike<unknown> } };
  };
}

/** A client of either kind. */
export type PostgresClient = PgClient | PostgresJs;

/** Tells which kind it is. */
export function isPostgresJs(client: PostgresClient): client is PostgresJs {
  return typeof client === "function" && typeof (client as Partial<PostgresJs>).unsafe === "function";
}

/** A pool of `pg` rather than a single client. */
export function isPool(client: PgClient): boolean {
  return typeof client.connect === "function" && typeof client.totalCount === "number";
}

/** How many connections a client may have; a single client, which shares its one connection, counts as unbounded. */
export function maxConnections(client: PostgresClient): number {
  return !isPostgresJs(client) && isPool(client) ? (client.options?.max ?? Infinity) : Infinity;
}

/**
 * Sends a text of statements in one message.
 *
 * @param returns for each statement whether it gives rows
 * @param signal aborts when nobody waits for the answer any more: the connection is then destroyed
 * @returns the rows of each
 */
export async function send(
  client: PostgresClient,
  text: string,
  returns: readonly boolean[],
  signal?: AbortSignal,
): Promise<unknown[][]> {
  if (isPostgresJs(client)) return spread((await sendToPostgresJs(client, text, signal)) as unknown[], returns);
  const results = (await (isPool(client) ? sendToPool(client, text, signal) : sendToClient(client, text, signal))) as
    | PgResult
    | PgResult[];
  return (Array.isArray(results) ? results : [results]).map((result) => result.rows);
}

/** Connections and pools whose errors are heard, so that a broken one does not end the process. */
const guarded = new WeakSet<PgConnection>();

/** Listens for the errors of a connection or of a pool's idle ones; the query that was under way reports them. */
export function guard(connection: PgConnection): void {
  if (guarded.has(connection)) return;
  guarded.add(connection);
  connection.on?.("error", () => undefined);
}

/** Destroys a connection on which an answer does not come; nothing else ever ends it. */
export function destroy(connection: PgConnection): void {
  connection.connection?.stream?.destroy();
}

async function sendToClient(client: PgConnection, text: string, signal: AbortSignal | undefined): Promise<unknown> {
  guard(client);
  const abort = (): void => destroy(client);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await client.query(text);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

async function sendToPostgresJs(client: PostgresJs, text: string, signal: AbortSignal | undefined): Promise<unknown> {
  const destroyStuck = signal && Sockets.track(client)?.watch();
  const query = client.unsafe(text).simple();
  const abort = (): void => {
    if (destroyStuck) destroyStuck();
    else query.cancel?.();
  };
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await query;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/** The pool's own `query` throws a connection away after any error, and what was prepared on it. */
async function sendToPool(pool: PgClient, text: string, signal: AbortSignal | undefined): Promise<unknown> {
  guard(pool);
  // A connection that is being opened while the network swallows its packets would keep its place in the pool for good.
  const abortOpening = (): void => {
    for (const client of pool._clients ?? []) if (client._connected === false) destroy(client);
  };
  signal?.addEventListener("abort", abortOpening, { once: true });
  const connection = (await pool.connect!()) as PgConnection;
  signal?.removeEventListener("abort", abortOpening);
  if (signal?.aborted) {
    // It came too late for this call and is as good as new for the next.
    connection.release?.();
    throw signal.reason;
  }
  guard(connection);
  const abort = (): void => destroy(connection);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    const results = await connection.query(text);
    connection.release?.(signal?.aborted);
    return results;
  } catch (error) {
    // An error that the server gave leaves the connection whole.
    const { code } = error as { code?: unknown };
    connection.release?.(signal?.aborted || !(typeof code === "string" && /^(2|4[0-4])/.test(code)));
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * Gives each statement its rows in an answer of postgres.js, which begins a new result only with a statement that gives
 * rows: what gives none is part of the result before it, and a single result comes without a list around it.
 */
function spread(answer: unknown[], returns: readonly boolean[]): unknown[][] {
  const givers = returns.filter(Boolean).length;
  const begunEmpty = returns[0] ? 0 : 1;
  const results = (givers + begunEmpty > 1 ? answer : [answer]) as unknown[][];
  let next = begunEmpty;
  return returns.map((gives) => (gives ? results[next++]! : []));
}
