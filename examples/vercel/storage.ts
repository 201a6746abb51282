/** Where the example stores: Postgres, which every instance of a function reaches; a file only to try it out here. */
import process from "node:process";
import pg from "pg";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import type { Storage } from "../../src/storage/port.ts";

/** Opens what DATABASE_URL names: `postgres://...` or `file:belfry.db`. */
export function openStorage(): Storage {
  const url = process.env["DATABASE_URL"] ?? "file:belfry.db";
  if (url.startsWith("file:")) return sqlite(url.slice("file:".length));
  return postgres(new pg.Pool({ connectionString: url }));
}
