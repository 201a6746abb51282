/**
 * A storage in Cloudflare D1, over the binding that a Worker has (`env.DB`).
 *
 * Each operation is one `batch()`: one subrequest, one transaction. D1's clock is the one that counts. D1 does not report
 * writes of other Workers, so jobs that they enqueue are found at the next tick.
 */

import { BelfryError } from "../src/base/error.ts";
import { checkOptions } from "../src/base/options.ts";
import { type D1Database, D1Driver } from "../src/sql/d1/driver.ts";
import { remoteSqliteDialect } from "../src/sql/dialect.ts";
import { SQL_CHECKS, type SqlOptions, SqlStorage, type SqlStorageParts } from "../src/sql/storage.ts";
import type { CallOptions, MigrateReply } from "../src/storage/port.ts";

export type { D1Database, D1Result, D1Statement } from "../src/sql/d1/driver.ts";
export type { SqlOptions } from "../src/sql/storage.ts";

/** Options of {@link d1}. */
export type D1Options = SqlOptions;

/**
 * Bindings whose schema this isolate has found up to date, with their table prefixes. A Worker makes its engine anew for
 * every event; so the schema is not read each time.
 */
const current = new WeakMap<D1Database, Map<string, MigrateReply>>();

/** The SQL storage, which remembers per isolate that its schema is up to date. */
class D1Storage extends SqlStorage {
  readonly #db: D1Database;
  readonly #prefix: string;
  #asked = false;

  constructor(db: D1Database, parts: SqlStorageParts) {
    super(parts);
    this.#db = db;
    this.#prefix = parts.options.prefix ?? "";
  }

  override async migrate(request: { now: number }, call?: CallOptions): Promise<MigrateReply> {
    const known = this.#asked ? undefined : current.get(this.#db)?.get(this.#prefix);
    this.#asked = true;
    if (known) return { ...known, from: known.to, warnings: [] };
    const { time, ...reply } = await super.migrate(request, call);
    const prefixes = current.get(this.#db) ?? new Map<string, MigrateReply>();
    current.set(this.#db, prefixes.set(this.#prefix, reply));
    return time === undefined ? reply : { ...reply, time };
  }
}

/**
 * Makes a storage in a D1 database.
 *
 * @param db the binding: `env.DB`
 * @throws BelfryError `OPTION_INVALID`
 *
 * @example
 * ```ts ignore
 * import { Belfry } from "belfry";
 * import { d1 } from "belfry/d1";
 *
 * export default {
 *   async scheduled(_controller, env) {
 *     await new Belfry({ storage: d1(env.DB) }).tick();
 *   },
 * };
 * ```
 */
export function d1(db: D1Database, options: D1Options = {}): SqlStorage {
  if (typeof db?.batch !== "function" || typeof db.prepare !== "function") {
    throw new BelfryError("OPTION_INVALID", "Cannot use the D1 database: give the binding, such as env.DB");
  }
  checkOptions(options, "d1", SQL_CHECKS);
  return new D1Storage(db, {
    driver: new D1Driver(db),
    dialect: remoteSqliteDialect,
    capabilities: {
      serverClock: true,
      durable: true,
      shared: true,
      statements: true,
      maxBatchRows: 500,
      // A bound value may have 2 MB; a list is one value.
      maxBatchBytes: 1_000_000,
    },
    where: "the D1 database",
    pushes: false,
    options,
  });
}
