/**
 * Which Postgres clients can Belfry use? The slices of `pg` (a Pool or a Client) and of postgres.js that it needs, and
 * one small face over both: a connection that takes a text of many statements in one message.
 */

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
}

/** A Pool or a connected Client of `pg`. */
export interface PgClient extends PgConnection {
  connect?(): Promise<unknown>;
  readonly totalCount?: number;
}

/** The tag function of postgres.js. */
export interface PostgresJs {
  (...args: never[]): unknown;
  unsafe(text: string): { simple(): PromiseLike<unknown> };
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen?: () => void,
  ): Promise<{ unlisten(): Promise<void> }>;
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

/**
 * Sends a text of statements in one message.
 *
 * @param returns for each statement whether it gives rows
 * @returns the rows of each
 */
export async function send(client: PostgresClient, text: string, returns: readonly boolean[]): Promise<unknown[][]> {
  if (isPostgresJs(client)) return spread((await client.unsafe(text).simple()) as unknown[], returns);
  const results = (await (isPool(client) ? sendToPool(client, text) : client.query(text))) as PgResult | PgResult[];
  return (Array.isArray(results) ? results : [results]).map((result) => result.rows);
}

/** Connections that may break without ending the process. */
const guarded = new WeakSet<PgConnection>();

/** The pool's own `query` throws a connection away after any error, and what was prepared on it. */
async function sendToPool(pool: PgClient, text: string): Promise<unknown> {
  const connection = (await pool.connect!()) as PgConnection;
  // A connection that breaks says so twice: to its query, and as an event, which the pool hears of idle ones only and
  // which ends the process where nobody listens.
  if (!guarded.has(connection)) {
    connection.on?.("error", () => undefined);
    guarded.add(connection);
  }
  try {
    const results = await connection.query(text);
    connection.release?.();
    return results;
  } catch (error) {
    // An error that the server gave leaves the connection whole.
    const { code } = error as { code?: unknown };
    connection.release?.(!(typeof code === "string" && /^(2|4[0-4])/.test(code)));
    throw error;
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
