/**
 * How does a batch run on Postgres in one round trip? As one message of the simple protocol: statements joined by
 * semicolons are one implicit transaction. At READ COMMITTED each statement sees what was committed when it began, as
 * the batches expect.
 *
 * After a deadlock or a serialization failure nothing has happened, so the batch is sent again at once. After a broken
 * connection it may have happened. Notifications go out in the batch as `pg_notify` and come in over one connection
 * that listens.
 */
import { type Clock, delay } from "../../base/clock.ts";
import { BelfryError } from "../../base/error.ts";
import { systemIds } from "../../base/id.ts";
import type { CallOptions, Wake } from "../../storage/port.ts";
import { type BatchMode, type Counters, counters, type Driver, DriverError, type Query, type Row } from "../driver.ts";
import { maxConnections, type PostgresClient, send } from "./client.ts";
import { listenOn } from "./listen.ts";
import { PreparedNames, SETTINGS } from "./prepared.ts";

const UNPREPARED = "26000";
const DOUBLY_PREPARED = "42P05";
const COLLIDED = "40001";
const DEADLOCKED = "40P01";
const MAX_ROUNDS = 20;

/** What the driver needs. */
export interface PostgresDriverOptions {
  client: PostgresClient;
  clock: Clock;
  /** Name of the channel of wake-ups. */
  channel: string;
}

/** Runs batches on a Postgres client. */
export class PostgresDriver implements Driver {
  readonly name = "postgres";
  readonly counters: Counters = counters();
  readonly #options: PostgresDriverOptions;
  readonly #prepared = new PreparedNames();
  #closed = false;

  /** Absent where the pool has no connection to spare for it. */
  readonly listen?: (onWake: (wake: Wake) => void) => Promise<() => Promise<void>>;

  constructor(options: PostgresDriverOptions) {
    this.#options = options;
    const { client, clock, channel } = options;
    if (maxConnections(client) > 1) this.listen = (onWake) => listenOn({ client, clock, channel, onWake });
  }

  async batch(queries: readonly Query[], _mode: BatchMode, options?: CallOptions): Promise<Row[][]> {
    const { client, clock } = this.#options;
    let heal = false;
    for (let round = 1; ; round++) {
      if (this.#closed) throw new BelfryError("CLOSED", "Cannot use the Postgres database: its storage was closed");
      const texts = this.#prepared.textsOf(queries, heal);
      const message = [SETTINGS, ...texts.map(({ text }) => text)].join(";\n");
      this.counters.roundTrips++;
      this.counters.statements += queries.length;
      try {
        const results = (await send(
          client,
          message,
          [true, ...texts.map(({ returns }) => returns)],
          options?.signal,
        )) as Row[][];
        return texts.flatMap(({ of }, i) => (of === 1 ? [results[i + 1]!] : Array.from({ length: of }, () => [])));
      } catch (error) {
        const code = (error as { code?: unknown }).code;
        // In each of these cases nothing has happened. A name that is missing on this connection; one that another
        // batch prepared behind a pooler between the look and the preparing; two batches that collided.
        const again = code === UNPREPARED || code === DOUBLY_PREPARED || code === COLLIDED || code === DEADLOCKED;
        if (!again || round === MAX_ROUNDS) throw explain(error);
        if (code === UNPREPARED) {
          heal = true;
          continue;
        }
      }
      await delay(clock, systemIds.random() * Math.min(100, 2 ** round), options?.signal);
      if (options?.signal.aborted) throw options.signal.reason;
    }
  }

  notification(wake: Wake): string {
    return `SELECT pg_notify('${this.#options.channel}', '${wake}')`;
  }

  async warnings(): Promise<string[]> {
    if (this.listen) return [];
    return [
      "the pool has one connection, which LISTEN would keep: jobs and schedules of other processes are found by polling; " +
        "give the pool two connections or more",
    ];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

/** Codes of errors without an answer (no connection, or a lost one): the batch may have happened and is sent again. */
const NO_ANSWER = new Set([
  "57P01",
  "57P02",
  "57P03",
  "53300",
  "57014",
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
]);

/** What the storage is told about an error of a client. */
function explain(error: unknown): Error {
  if (error instanceof BelfryError || error instanceof RangeError) return error;
  const { code, message } = error as { code?: unknown; message: string };
  const name = typeof code === "string" ? code : "";
  const lost =
    name.startsWith("08") ||
    NO_ANSWER.has(name) ||
    (name === "" && /terminat|timeout|closed|not queryable/i.test(message));
  if (lost) {
    return new DriverError(
      "STORAGE_UNAVAILABLE",
      `The Postgres database did not answer (${message || name}); what was asked may or may not have happened. ` +
        "Check that the server runs and can be reached",
      { cause: error, ambiguous: true },
    );
  }
  if (name === "22P05" || name === "22021") {
    return new BelfryError("PAYLOAD_UNSERIALIZABLE", `Cannot store a text in Postgres: ${message}`, { cause: error });
  }
  const remedy =
    name === "25006"
      ? "; it is read-only: connect to the primary"
      : name === "53100"
        ? "; its disk is full: free some space"
        : "";
  return new DriverError("STORAGE_UNUSABLE", `Cannot use the Postgres database: ${message}${remedy}`, {
    cause: error,
    missing: name === "42P01" || name === "42703",
    conflict: name === "23505" || name === "42P07" || name === "42710" || name === "42P06",
  });
}
