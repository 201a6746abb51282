/**
 * A storage in libSQL or Turso, over an `@libsql/client` object that you have: a file, a server over HTTP or WebSocket,
 * or an embedded replica. `@libsql/client/web` fits too, for Workers and Deno.
 *
 * Every operation is one batch: libSQL's interactive transactions lose their lock after five seconds. Where a server
 * runs the batch, its clock is the one that counts. A client on a file needs its `timeout` option
 * (`createClient({ url: "file:app.db", timeout: 5000 })`), or others' writes make it wait in small steps.
 */
import { systemClock } from "../src/base/clock.ts";
import { type Duration, parseDuration } from "../src/base/duration.ts";
import { BelfryError } from "../src/base/error.ts";
import { type Checks, checkOptions, duration, flag } from "../src/base/options.ts";
import { remoteSqliteDialect, sqliteDialect } from "../src/sql/dialect.ts";
import { type LibsqlClient, LibsqlDriver } from "../src/sql/libsql/driver.ts";
import { SQL_CHECKS, type SqlOptions, SqlStorage } from "../src/sql/storage.ts";

export type { LibsqlClient, LibsqlResult } from "../src/sql/libsql/driver.ts";
export type { SqlOptions } from "../src/sql/storage.ts";

/** Options of {@link libsql}. */
export interface LibsqlOptions extends SqlOptions {
  /** The client is an embedded replica (`syncUrl`): its batches run on the primary, whose clock counts. @default false */
  replica?: boolean;
  /** How long to wait for another writer, or a server that has too much to do, before `STORAGE_BUSY`. @default "15s" */
  busyTimeout?: Duration;
}

const CHECKS: Checks<LibsqlOptions> = { ...SQL_CHECKS, replica: flag, busyTimeout: duration() };

/**
 * Makes a storage in a libSQL database.
 *
 * @param client what `createClient` returned; it stays the caller's to close
 * @throws BelfryError `OPTION_INVALID`, `DURATION_INVALID`
 *
 * @example
 * ```ts ignore
 * import { createClient } from "@libsql/client";
 * import { libsql } from "belfry/libsql";
 *
 * const storage = libsql(createClient({ url: process.env.TURSO_URL, authToken: process.env.TURSO_TOKEN }));
 * ```
 */
export function libsql(client: LibsqlClient, options: LibsqlOptions = {}): SqlStorage {
  if (typeof client?.batch !== "function" || typeof client.protocol !== "string") {
    throw new BelfryError(
      "OPTION_INVALID",
      'Cannot use the libSQL client: give what createClient of "@libsql/client" returns',
    );
  }
  checkOptions(options, "libsql", CHECKS);
  const remote = client.protocol !== "file";
  const where = remote ? "the libSQL server" : "the libSQL file";
  const server = remote || options.replica === true;
  const driver = new LibsqlDriver({
    client,
    clock: options.clock ?? systemClock,
    where,
    // A replica reads in write mode too: its own copy may not have the latest writes of other programs.
    remote: server,
    busyTimeoutMs: parseDuration(options.busyTimeout ?? "15s", "busyTimeout"),
  });
  return new SqlStorage({
    driver,
    dialect: server ? remoteSqliteDialect : sqliteDialect,
    capabilities: {
      serverClock: server,
      durable: true,
      shared: true,
      statements: true,
      maxBatchRows: 1000,
      maxBatchBytes: 4_000_000,
    },
    where,
    pushes: false,
    options,
  });
}
