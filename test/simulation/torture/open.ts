/** Which database? Opens a storage from one text: `sqlite:PATH`, `libsql:URL` or `postgres:URL`. */
import { createClient } from "@libsql/client";
import { Pool } from "pg";
import { libsql } from "../../../adapters/libsql.ts";
import { postgres } from "../../../adapters/postgres.ts";
import { sqlite } from "../../../adapters/sqlite.ts";
import type { Storage } from "../../../src/storage/port.ts";

/** A storage and what must be closed after it. */
export function openStorage(where: string): { storage: Storage; close: () => Promise<void> } {
  const [kind, ...rest] = where.split(":");
  const address = rest.join(":");
  if (kind === "sqlite") {
    const storage = sqlite(address);
    return { storage, close: () => storage.close() };
  }
  if (kind === "libsql") {
    const client = createClient({ url: address });
    const storage = libsql(client);
    return { storage, close: () => storage.close().then(() => client.close()) };
  }
  const pool = new Pool({ connectionString: address, max: 4 });
  // A server that goes away tells every idle connection.
  pool.on("error", () => {});
  const storage = postgres(pool);
  return { storage, close: () => storage.close().then(() => pool.end()) };
}
