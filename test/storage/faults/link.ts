/** How do the fault tests reach a server? Through storages on Postgres and sqld, directly or over the proxy. */
import { createClient } from "@libsql/client";
import pg from "pg";
import { libsql } from "../../../adapters/libsql.ts";
import { postgres } from "../../../adapters/postgres.ts";
import type { Storage } from "../../../src/storage/port.ts";

/** A storage, and the function that closes it. */
export interface Link {
  storage: Storage;
  close(): Promise<void>;
}

/** The engines that are reached over a network. */
export const SERVERS = ["postgres", "sqld"] as const;

let made = 0;

/** A table prefix that no other test has. */
export function freshPrefix(): string {
  return `f${process.pid}_${made++}_`;
}

/** Opens a storage. @param prefix of its tables; equal ones share them */
export function link(engine: (typeof SERVERS)[number], url: string, prefix: string): Link {
  if (engine === "sqld") {
    const client = createClient({ url });
    const storage = libsql(client, { prefix });
    return {
      storage,
      async close() {
        await storage.close();
        client.close();
      },
    };
  }
  const pool = new pg.Pool({ connectionString: url, max: 6 });
  // Without this listener the end of the server would end the process.
  pool.on("error", () => undefined);
  const storage = postgres(pool, { prefix });
  return {
    storage,
    async close() {
      await storage.close();
      await pool.end().catch(() => undefined);
    },
  };
}

/** All stored rows, sorted; without the token of the lease, which grows twice when a takeover is sent twice. */
export async function allRows(storage: Storage): Promise<string[]> {
  const rows: string[] = [];
  let cursor: string | null = null;
  do {
    const page = await storage.exportPage({ cursor, limit: 100 });
    for (const row of page.page.rows) {
      rows.push(JSON.stringify([page.page.table, page.page.table === "lease" ? { ...row, token: 0 } : row]));
    }
    cursor = page.cursor;
  } while (cursor !== null);
  return rows.sort();
}
