/**
 * How does each case get a database of its own on a shared PostgreSQL? A schema per case, selected by the search path.
 */
import { Pool, type PoolConfig } from "pg";

let made = 0;

/** A fresh schema: pools that live in it, and the way to drop it. */
export interface FreshSchema {
  pool(config?: PoolConfig): Pool;
  url: string;
  dispose(): Promise<void>;
}

/** Makes a schema. @param url address of the server */
export async function freshSchema(url: string): Promise<FreshSchema> {
  const name = `s${process.pid}_${made++}_${Math.floor(performance.now())}`;
  const pools: Pool[] = [];
  const pool = (config: PoolConfig = {}): Pool => {
    const opened = new Pool({ connectionString: url, options: `-c search_path=${name}`, max: 8, ...config });
    // A server that a test kills breaks idle connections; the pool makes new ones.
    opened.on("error", () => undefined);
    pools.push(opened);
    return opened;
  };
  await pool().query(`CREATE SCHEMA ${name}`);
  return {
    pool,
    url: `${url}?options=-c%20search_path%3D${name}`,
    async dispose() {
      await pools[0]!.query(`DROP SCHEMA ${name} CASCADE`).catch(() => undefined);
      for (const opened of pools) await opened.end().catch(() => undefined);
    },
  };
}
