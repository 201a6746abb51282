/**
 * How does a batch run through a libSQL client? As `client.batch(statements, mode)`: one transaction, and over the
 * network one request.
 *
 * A batch to a server is sent in write mode even when it only reads: BEGIN IMMEDIATE makes it run on the primary, and a
 * replica may not have what the same client has just written. A server that refuses for the moment (429, 503) has done
 * nothing, so the batch is sent again after growing pauses. When there was no answer the batch may have happened, or
 * may still happen; the sender sends it again with a new op mark.
 */
import { type Clock, delay } from "../../base/clock.ts";
import { BelfryError } from "../../base/error.ts";
import { systemIds } from "../../base/id.ts";
import type { CallOptions } from "../../storage/port.ts";
import {
  type BatchMode,
  type Cell,
  type Counters,
  counters,
  type Driver,
  DriverError,
  type Query,
  type Row,
  sent,
} from "../driver.ts";

/** The result of one statement of a batch. */
export interface LibsqlResult {
  readonly columns: readonly string[];
  readonly rows: readonly ArrayLike<unknown>[];
  readonly rowsAffected: number;
}

/** The part of an `@libsql/client` object that is used. */
export interface LibsqlClient {
  /** `"file"`, `"http"` or `"ws"`. */
  readonly protocol: string;
  batch(statements: { sql: string; args: Cell[] }[], mode: "write" | "read"): Promise<readonly LibsqlResult[]>;
  execute(sql: string): Promise<LibsqlResult>;
  /** Closes the connection and opens a new one; batches under way on it reject. */
  reconnect?(): unknown;
}

/** What the driver needs. */
export interface LibsqlDriverOptions {
  client: LibsqlClient;
  clock: Clock;
  where: string;
  /** Whether batches run on a server. */
  remote: boolean;
  busyTimeoutMs: number;
}

const MAX_PAUSE_MS = 1_000;

/** Runs batches through a libSQL client. */
export class LibsqlDriver implements Driver {
  readonly name = "libsql";
  readonly counters: Counters = counters();
  readonly #options: LibsqlDriverOptions;
  #closed = false;
  /** Number of the connection, for the batches that were sent over it. */
  #connection = 0;

  constructor(options: LibsqlDriverOptions) {
    this.#options = options;
  }

  async batch(queries: readonly Query[], mode: BatchMode, options?: CallOptions): Promise<Row[][]> {
    const { clock, remote, where, busyTimeoutMs } = this.#options;
    const statements = queries.map(({ sql, args }) => ({
      sql: sql.text,
      args: sql.names.map((name) => sent(args[name])),
    }));
    const since = clock.monotonic();
    for (let pauseMs = 4; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
      if (this.#closed) throw new BelfryError("CLOSED", `Cannot use ${where}: its storage was closed`);
      this.counters.roundTrips++;
      this.counters.statements += statements.length;
      try {
        const answers = await this.#send(statements, remote ? "write" : mode, options?.signal);
        for (const { rowsAffected } of answers) this.counters.rowsWritten += rowsAffected;
        return answers.map(rowsOf);
      } catch (error) {
        if (!isRefusal(error)) throw explain(error, where);
        if (clock.monotonic() - since >= busyTimeoutMs) {
          throw new DriverError(
            "STORAGE_BUSY",
            `Cannot use ${where}: it was busy for ${busyTimeoutMs} ms (${textOf(error)}); end long transactions, send it ` +
              'less at once, or raise the option "busyTimeout"',
            { cause: error },
          );
        }
      }
      await delay(clock, pauseMs * (0.5 + systemIds.random()), options?.signal);
      if (options?.signal.aborted) throw options.signal.reason;
    }
  }

  /** Sends a batch; when nobody waits for its answer any more, the connection is closed and a new one opened. */
  async #send(
    statements: { sql: string; args: Cell[] }[],
    mode: BatchMode,
    signal: AbortSignal | undefined,
  ): Promise<readonly LibsqlResult[]> {
    const { client, remote } = this.#options;
    if (!remote || !signal || !client.reconnect) return client.batch(statements, mode);
    const connection = this.#connection;
    const abort = (): void => {
      // Of the batches that were stuck on one connection the first replaces it.
      if (connection !== this.#connection) return;
      this.#connection++;
      void Promise.resolve(client.reconnect!()).catch(() => undefined);
    };
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await client.batch(statements, mode);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** A file is put in WAL mode, where readers and writers do not wait for each other; a server has its own. */
  async prepare(): Promise<void> {
    const { client, where, remote } = this.#options;
    if (remote) return;
    try {
      await client.execute("PRAGMA journal_mode = WAL");
    } catch (error) {
      if (!isRefusal(error)) throw explain(error, where);
    }
  }

  async warnings(): Promise<string[]> {
    const { client, where, remote } = this.#options;
    if (remote) return [];
    const { rows } = await client.execute("PRAGMA journal_mode");
    const mode = String(rows[0]?.[0]);
    if (mode === "wal" || mode === "memory") return [];
    return [`${where} is in journal mode "${mode}", not WAL: readers and writers wait for each other`];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

function rowsOf({ columns, rows }: LibsqlResult): Row[] {
  return rows.map((row) => {
    const found: Row = {};
    for (let i = 0; i < columns.length; i++) found[columns[i]!] = row[i];
    return found;
  });
}

/** The texts of an error and its causes. */
function textOf(error: unknown): string {
  const texts: string[] = [];
  for (let at = error; at instanceof Error && texts.length < 5; at = at.cause) {
    const { code, status } = at as { code?: unknown; status?: unknown };
    texts.push([code, status, at.message].filter((part) => part !== undefined).join(" "));
  }
  return texts.join(": ");
}

/** Whether the database refused for the moment and has done nothing. */
function isRefusal(error: unknown): boolean {
  return /SQLITE_BUSY|SQLITE_LOCKED|database is locked|database table is locked|\b(status )?429\b|\bstatus 503\b|Too many (concurrent )?requests/i.test(
    textOf(error),
  );
}

function explain(error: unknown, where: string): Error {
  if (error instanceof BelfryError) return error;
  const text = textOf(error);
  // An error of SQLite itself is an answer; anything else (no connection, a broken stream, 5xx) is none.
  const answered = /SQLITE_|SQLite error|SQL_|no such (table|column)|constraint failed/i.test(text);
  if (!answered) {
    const auth = /\b401\b|\b403\b|JWT|authentication/i.test(text);
    if (auth) {
      return new DriverError(
        "STORAGE_UNUSABLE",
        `Cannot use ${where}: it refuses the token (${text}); check authToken`,
        {
          cause: error,
        },
      );
    }
    return new DriverError(
      "STORAGE_UNAVAILABLE",
      `${where[0]!.toUpperCase()}${where.slice(1)} did not answer (${text}); what was asked may or may not have happened. ` +
        "Check that the server runs and can be reached",
      { cause: error, ambiguous: true },
    );
  }
  const remedy = /SQLITE_NOTADB|not a database/i.test(text)
    ? "; the file is not a SQLite database: choose another path"
    : /SQLITE_READONLY|readonly/i.test(text)
      ? "; it is read-only: let this process (or token) write"
      : /SQLITE_FULL/i.test(text)
        ? "; the disk is full: free some space"
        : "";
  return new DriverError("STORAGE_UNUSABLE", `Cannot use ${where}: ${text}${remedy}`, {
    cause: error,
    missing: /no such (table|column)|has no column/.test(text),
    conflict: /constraint failed|SQLITE_CONSTRAINT|already exists/i.test(text),
  });
}
