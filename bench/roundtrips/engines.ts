/**
 * How is the work of a storage counted on each engine? Round trips by the driver; rows by whoever knows them.
 *
 * - SQLite counts rows written (rows changed, without index entries); it does not tell how many it read.
 * - sqld and D1 report rows read and written with every answer, index entries included; sqld's are taken from the wire.
 * - Postgres keeps both in its statistics (rows of tables: read by scans and fetched through indexes).
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client/web";
import { Pool } from "pg";
import { type D1Database, d1 } from "../../adapters/d1.ts";
import { libsql } from "../../adapters/libsql.ts";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import type { SqlStorage } from "../../src/sql/storage.ts";
import { startPostgres } from "../../test/engines/postgres.ts";
import { startSqld } from "../../test/engines/sqld.ts";

/** What was done so far; null where the engine does not tell. */
export interface Work {
  trips: number;
  read: number | null;
  written: number | null;
}

/** A storage whose work is counted. */
export interface Engine {
  readonly name: string;
  readonly storage: SqlStorage;
  work(): Promise<Work>;
  dispose(): Promise<void>;
}

async function sqliteEngine(): Promise<Engine> {
  const folder = mkdtempSync(join(tmpdir(), "belfry-trips-"));
  const storage = sqlite(join(folder, "app.db"), { durability: "process" });
  const { counters } = storage.driver;
  return {
    name: "SQLite",
    storage,
    work: async () => ({ trips: counters.roundTrips, read: null, written: counters.rowsWritten }),
    async dispose() {
      await storage.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function sqldEngine(): Promise<Engine> {
  const server = await startSqld();
  const rows = { read: 0, written: 0 };
  // The client drops the counts that each answer carries.
  const counting: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const text = await response.clone().text();
    for (const [, count] of text.matchAll(/"rows_read":(\d+)/g)) rows.read += Number(count);
    for (const [, count] of text.matchAll(/"rows_written":(\d+)/g)) rows.written += Number(count);
    return response;
  };
  const client = createClient({ url: server.url, fetch: counting });
  const storage = libsql(client);
  return {
    name: "sqld",
    storage,
    work: async () => ({ trips: storage.driver.counters.roundTrips, ...rows }),
    async dispose() {
      await storage.close();
      client.close();
      await server.dispose();
    },
  };
}

async function d1Engine(): Promise<Engine> {
  const { getPlatformProxy } = await import("wrangler");
  const folder = mkdtempSync(join(tmpdir(), "belfry-trips-"));
  const configPath = join(folder, "wrangler.json");
  const databases = [{ binding: "DB", database_name: "db", database_id: "db" }];
  writeFileSync(configPath, JSON.stringify({ name: "w", compatibility_date: "2026-10-01", d1_databases: databases }));
  const platform = await getPlatformProxy<{ DB: D1Database }>({ configPath, persist: false });
  const storage = d1(platform.env.DB);
  const { counters } = storage.driver;
  return {
    name: "D1",
    storage,
    work: async () => ({ trips: counters.roundTrips, read: counters.rowsRead, written: counters.rowsWritten }),
    async dispose() {
      await storage.close();
      await platform.dispose();
      rmSync(folder, { recursive: true });
    },
  };
}

async function postgresEngine(): Promise<Engine> {
  const server = await startPostgres();
  const pool = new Pool({ connectionString: server.url, max: 1 });
  pool.on("error", () => undefined);
  const storage = postgres(pool);
  return {
    name: "Postgres",
    storage,
    async work() {
      const trips = storage.driver.counters.roundTrips;
      await pool.query("SELECT pg_stat_force_next_flush()");
      const { rows } = await pool.query<{ read: string | null; written: string | null }>(
        `SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) AS read,
          sum(n_tup_ins + n_tup_upd + n_tup_del) AS written FROM pg_stat_user_tables`,
      );
      return { trips, read: Number(rows[0]!.read), written: Number(rows[0]!.written) };
    },
    async dispose() {
      await storage.close();
      await pool.end();
      await server.dispose();
    },
  };
}

/** All engines by name, to be opened one after the other. */
export const ENGINES: Readonly<Record<string, () => Promise<Engine>>> = {
  sqlite: sqliteEngine,
  sqld: sqldEngine,
  d1: d1Engine,
  postgres: postgresEngine,
};
