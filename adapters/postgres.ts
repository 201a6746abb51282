/**
 * A storage in PostgreSQL (13 or later), over a client that you have: a Pool or Client of `pg`, or postgres.js.
 *
 * Each batch is one message and one transaction, so it works through poolers in transaction mode too. Wake-ups come
 * over LISTEN/NOTIFY, which needs a session: behind such a pooler, give a direct connection, or workers poll. The
 * server's clock is the one that counts.
 */
import { systemClock } from "../src/base/clock.ts";
import { BelfryError } from "../src/base/error.ts";
import { checkOptions } from "../src/base/options.ts";
import { postgresDialect } from "../src/sql/dialect.ts";
import type { PostgresClient } from "../src/sql/postgres/client.ts";
import { PostgresDriver } from "../src/sql/postgres/driver.ts";
import { SQL_CHECKS, type SqlOptions, SqlStorage } from "../src/sql/storage.ts";

export type { PgClient, PgConnection, PostgresClient, PostgresJs } from "../src/sql/postgres/client.ts";
export type { SqlOptions } from "../src/sql/storage.ts";

/** Options of {@link postgres}. */
export type PostgresOptions = SqlOptions;

/**
 * Makes a storage in a Postgres database. Its tables are made in the first schema of the connection's `search_path`.
 *
 * @param client a Pool or a connected Client of `pg`, or the tag function of postgres.js; it stays the caller's to end
 * @throws BelfryError `OPTION_INVALID`
 *
 * @example
 * ```ts ignore
 * import { Pool } from "pg";
 * import { postgres } from "belfry/postgres";
 *
 * const storage = postgres(new Pool({ connectionString: process.env.DATABASE_URL }));
 * ```
 */
export function postgres(client: PostgresClient, options: PostgresOptions = {}): SqlStorage {
  const { unsafe, query } = (client ?? {}) as { unsafe?: unknown; query?: unknown };
  if (typeof unsafe !== "function" && typeof query !== "function") {
    throw new BelfryError(
      "OPTION_INVALID",
      "Cannot use the Postgres client: give a Pool or Client of pg, or the function that postgres.js returns",
    );
  }
  checkOptions(options, "postgres", SQL_CHECKS);
  const driver = new PostgresDriver({
    client,
    clock: options.clock ?? systemClock,
    channel: `${(options.prefix ?? "belfry_").toLowerCase()}wake`,
  });
  return new SqlStorage({
    driver,
    dialect: postgresDialect,
    capabilities: {
      serverClock: true,
      durable: true,
      shared: true,
      statements: true,
      maxBatchRows: 1000,
      maxBatchBytes: 16_000_000,
    },
    where: "the Postgres database",
    options,
  });
}
