/**
 * Which statements does an operation send? A driver writes them down and answers nothing, so no database is needed.
 */
import type { Dialect } from "../../src/sql/dialect.ts";
import { counters, type Driver, DriverError, type Query, type Row } from "../../src/sql/driver.ts";
import { SqlStorage } from "../../src/sql/storage.ts";
import type { Wake } from "../../src/storage/port.ts";

/** A database whose SQL is snapshot. */
export interface Target {
  readonly dialect: Dialect;
  /** As {@link Driver.notification}. */
  readonly notification?: (wake: Wake) => string;
}

/** Thrown in place of an answer: the batch was written down. */
class Recorded extends Error {}

/**
 * Calls a storage on a driver that has no database.
 *
 * @returns the batches that it sent, or what it returned where it sends none
 */
export async function record(
  { dialect, notification }: Target,
  call: (storage: SqlStorage) => unknown,
): Promise<{ batches: Query[][]; returned: unknown }> {
  const batches: Query[][] = [];
  const driver: Driver = {
    name: "recorder",
    counters: counters(),
    batch: async (queries) => {
      batches.push([...queries]);
      return answer(queries[0]!.sql.text);
    },
    close: async () => undefined,
    ...(notification && { notification }),
  };
  const capabilities = {
    serverClock: dialect.serverTime !== null,
    durable: true,
    shared: true,
    statements: true,
    maxBatchRows: 1000,
    maxBatchBytes: 1_000_000,
  };
  const storage = new SqlStorage({ driver, dialect, capabilities, where: "the recorder", options: {} });
  let returned: unknown;
  try {
    returned = await call(storage);
  } catch (error) {
    if (!(error instanceof Recorded)) throw error;
  }
  return { batches, returned };
}

/** A migration goes on past its first looks, as in an empty database; everything else ends with its one batch. */
function answer(text: string): Row[][] {
  if (text.startsWith("SELECT value")) throw new DriverError("STORAGE_UNUSABLE", "no such table", { missing: true });
  if (/FROM (sqlite_master|pg_class)/.test(text)) return [[]];
  throw new Recorded();
}
