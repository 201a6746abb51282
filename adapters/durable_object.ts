/**
 * A storage inside a Cloudflare Durable Object, in the SQLite database that the object holds.
 *
 * Nobody else writes to it, and its calls are synchronous: no round trips, no races. Jobs can be enqueued in the
 * object's own `transactionSync` beside the user's rows. `belfry/cloudflare` has the class that wakes itself by alarm.
 */
import { BelfryError } from "../src/base/error.ts";
import { checkOptions } from "../src/base/options.ts";
import { localSqliteDialect } from "../src/sql/dialect.ts";
import { DurableObjectDriver, type DurableObjectStorage } from "../src/sql/durable_object/driver.ts";
import { SQL_CHECKS, type SqlOptions, SqlStorage } from "../src/sql/storage.ts";

export type { DurableObjectCursor, DurableObjectStorage } from "../src/sql/durable_object/driver.ts";
export type { SqlOptions } from "../src/sql/storage.ts";

/** Options of {@link durableObject}. */
export type DurableObjectOptions = SqlOptions;

/**
 * Makes a storage in a Durable Object with SQLite.
 *
 * @param storage the object's own: `ctx.storage`
 * @throws BelfryError `OPTION_INVALID` where the object has no SQLite (its class must be among `new_sqlite_classes`)
 *
 * @example
 * ```ts ignore
 * import { DurableObject } from "cloudflare:workers";
 * import { Belfry } from "belfry";
 * import { durableObject } from "belfry/durable-object";
 *
 * export class Bells extends DurableObject {
 *   readonly belfry = new Belfry({ storage: durableObject(this.ctx.storage) });
 * }
 * ```
 */
export function durableObject(storage: DurableObjectStorage, options: DurableObjectOptions = {}): SqlStorage {
  if (typeof storage?.sql?.exec !== "function" || typeof storage.transactionSync !== "function") {
    throw new BelfryError(
      "OPTION_INVALID",
      "Cannot use the object's storage: it has no SQLite; give ctx.storage, and name the class in new_sqlite_classes",
    );
  }
  checkOptions(options, "durableObject", SQL_CHECKS);
  return new SqlStorage({
    driver: new DurableObjectDriver(storage),
    dialect: localSqliteDialect,
    capabilities: {
      serverClock: false,
      durable: true,
      shared: false,
      statements: true,
      maxBatchRows: 1000,
      maxBatchBytes: 8_000_000,
    },
    where: "the Durable Object's database",
    options,
  });
}
