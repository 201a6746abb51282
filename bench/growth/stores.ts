/** How does a storage come to hold millions of jobs in a minute? Rows are generated inside the database, then analyzed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { postgres } from "../../adapters/postgres.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import type { Storage } from "../../src/storage/port.ts";
import { freshSchema } from "../../test/engines/databases.ts";
import { startPostgres } from "../../test/engines/postgres.ts";

/** The instant of the bench. */
export const NOW = 1_800_000_000_000;

/** How many jobs of each kind. */
export interface Stored {
  finished: number;
  future: number;
  ready: number;
}

/** An empty storage and a full one, in the same engine. */
export interface Pair {
  empty: Storage;
  full: Storage;
  dispose(): Promise<void>;
}

/** The insert of so many generated rows. @param series a query of `i` from 0, @param pad an expression of `i` as 12 digits */
function fill(kind: keyof Stored, series: string, pad: string): string {
  const [state, due, alarm, available, finished, attempt, result] = {
    finished: ["completed", 0, "NULL", "NULL", `${NOW} - 86400000 + i % 1000`, 1, "'42'"],
    future: ["ready", 0, `${NOW} + 3600000 + i`, `${NOW} + 3600000 + i`, "NULL", 0, "NULL"],
    ready: ["ready", 1, "NULL", `${NOW} - 1000`, "NULL", 0, "NULL"],
  }[kind];
  return `INSERT INTO belfry_jobs (id, state, due, held, tied, resuming, attempt, claims, arrivals, priority, queue, task,
      alarm_at, available_at, created_at, finished_at, options, input, result)
    SELECT '${kind}-' || ${pad}, '${state}', ${due}, 0, 0, 0, ${attempt}, ${attempt}, 0, 0, 'default', 'report', ${alarm},
      ${available}, ${NOW}, ${finished}, '{"retry":{"attempts":3}}', '{"userId":123}', ${result} FROM (${series}) AS series`;
}

const KINDS = ["finished", "future", "ready"] as const;

/** SQLite files; commits are not synced, so that the disk hides nothing. */
export async function sqlitePair(stored: Stored): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), "belfry-growth-"));
  const open = (name: string): Storage => sqlite(join(folder, name), { durability: "process" });
  const [empty, full] = [open("empty.db"), open("full.db")];
  await empty.migrate({ now: NOW });
  await full.migrate({ now: NOW });
  const database = new DatabaseSync(join(folder, "full.db"));
  database.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -500000");
  for (const kind of KINDS) {
    const series = `WITH RECURSIVE s (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM s WHERE i + 1 < ${stored[kind]}) SELECT i FROM s`;
    database.exec(fill(kind, series, "printf('%012d', i)"));
  }
  database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  database.close();
  return {
    empty,
    full,
    async dispose() {
      await empty.close();
      await full.close();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Postgres, a schema for each; commits are not synced either. */
export async function postgresPair(stored: Stored): Promise<Pair> {
  const server = await startPostgres();
  const schemas = [await freshSchema(server.url), await freshSchema(server.url)];
  const pools = schemas.map((schema) => schema.pool({ max: 2 }));
  const [empty, full] = [postgres(pools[0]!), postgres(pools[1]!)];
  await empty.migrate({ now: NOW });
  await full.migrate({ now: NOW });
  for (const kind of KINDS) {
    const series = `SELECT i FROM generate_series(0, ${stored[kind] - 1}) AS g(i)`;
    await pools[1]!.query(fill(kind, series, "lpad(i::text, 12, '0')"));
  }
  // What autovacuum does a minute later by itself.
  await pools[1]!.query("VACUUM ANALYZE belfry_jobs");
  return {
    empty,
    full,
    async dispose() {
      for (const schema of schemas) await schema.dispose();
      await server.dispose();
    },
  };
}
