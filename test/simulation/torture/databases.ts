/**
 * Which database does the torture test run on, and is it intact afterwards? Each kind is started, addressed, and checked by
 * its own means.
 *
 * - SQLite: `PRAGMA integrity_check`, which reads every page, compares each index with its table and checks constraints.
 * - sqld: the same, executed by the server where it allows it; and on its file, after the server was killed as by a loss of
 *   power and node:sqlite has recovered the write-ahead log.
 * - PostgreSQL: `amcheck` of every table (`verify_heapam`) and every B-tree (`bt_index_parent_check` with `heapallindexed`:
 *   each row has its entry), after the server was killed and has recovered.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createClient } from "@libsql/client";
import { Client } from "pg";
import { startPostgres } from "../../engines/postgres.ts";
import { startSqld } from "../../engines/sqld.ts";

/** A database of the torture test. */
export interface TorturedDatabase {
  /** Address for `openStorage`. */
  readonly where: string;
  /** Kills the server and starts it again on the same data; absent where there is none. */
  restart?(): Promise<void>;
  /** Checks the database's own integrity, after all processes ended. @returns what was checked, and violations */
  check(): Promise<{ checked: string; violations: string[] }>;
  dispose(): Promise<void>;
}

/** Starts a database. @param on `sqlite`, `libsql` or `postgres` */
export async function openDatabase(on: string): Promise<TorturedDatabase> {
  if (on === "libsql") return openSqld();
  if (on === "postgres") return openPostgres();
  const folder = mkdtempSync(join(tmpdir(), "belfry-torture-"));
  const path = join(folder, "a.db");
  return {
    where: `sqlite:${path}`,
    check: async () => ({ checked: "integrity_check", violations: checkFile(path) }),
    dispose: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

function checkFile(path: string): string[] {
  const database = new DatabaseSync(path);
  const rows = database.prepare("PRAGMA integrity_check").all() as { integrity_check: string }[];
  database.close();
  return rows.map((row) => row.integrity_check).filter((said) => said !== "ok");
}

async function openSqld(): Promise<TorturedDatabase> {
  const engine = await startSqld();
  return {
    where: `libsql:${engine.url}`,
    restart: () => engine.kill().then(() => engine.start()),
    async check() {
      const checked: string[] = [];
      const violations: string[] = [];
      const client = createClient({ url: engine.url });
      try {
        const { rows } = await client.execute("PRAGMA integrity_check");
        checked.push("integrity_check by the server");
        violations.push(...rows.map((row) => String(row[0])).filter((said) => said !== "ok"));
      } catch (error) {
        // Some versions allow no such pragma; the file is looked at in any case.
        checked.push(`no integrity_check by the server (${(error as Error).message.slice(0, 60)})`);
      } finally {
        client.close();
      }
      await engine.kill();
      const path = findDatabase(engine.folder);
      checked.push("integrity_check of its file after kill -9");
      violations.push(...checkFile(path));
      return { checked: checked.join(", "), violations };
    },
    dispose: () => engine.dispose(),
  };
}

/** The file that a sqld keeps its one database in. */
function findDatabase(folder: string): string {
  const path = join(folder, "data.sqld", "dbs", "default", "data");
  if (!existsSync(path)) {
    throw new Error(`Cannot find sqld's database: there is ${readdirSync(folder, { recursive: true }).join(", ")}`);
  }
  return path;
}

async function openPostgres(): Promise<TorturedDatabase> {
  const engine = await startPostgres({ durable: true });
  return {
    where: `postgres:${engine.url}`,
    restart: () => engine.kill().then(() => engine.start()),
    async check() {
      await engine.kill();
      await engine.start();
      const client = new Client({ connectionString: engine.url });
      await client.connect();
      try {
        return await amcheck(client);
      } finally {
        await client.end();
      }
    },
    dispose: () => engine.dispose(),
  };
}

async function amcheck(client: Client): Promise<{ checked: string; violations: string[] }> {
  const violations: string[] = [];
  await client.query("CREATE EXTENSION IF NOT EXISTS amcheck");
  const found = await client.query<{ name: string; kind: string }>(
    `SELECT c.oid::regclass::text AS name, c.relkind AS kind FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
      WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
        AND (c.relkind = 'r' OR (c.relkind = 'i' AND a.amname = 'btree')) ORDER BY 1`,
  );
  let tables = 0;
  for (const { name, kind } of found.rows) {
    try {
      if (kind === "r") {
        tables++;
        const { rows } = await client.query<{ msg: string }>("SELECT msg FROM verify_heapam($1::regclass)", [name]);
        violations.push(...rows.map(({ msg }) => `${name}: ${msg}`));
      } else await client.query("SELECT bt_index_parent_check($1::regclass, true, true)", [name]);
    } catch (error) {
      violations.push(`${name}: ${(error as Error).message}`);
    }
  }
  return { checked: `amcheck of ${tables} tables and ${found.rows.length - tables} indexes after kill -9`, violations };
}
