/**
 * Does the Postgres adapter work behind a pooler in transaction mode? The conformance kit and the model, through a real
 * PgBouncer with three connections to the server; only `LISTEN` cannot work there.
 */
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { postgres } from "../../adapters/postgres.ts";
import { postgresDialect } from "../../src/sql/dialect.ts";
import { conformanceCases } from "../../src/testing/conformance/kit.ts";
import { storageConformance, storageDifferential } from "../../src/testing/conformance/mod.ts";
import { HAS_PGBOUNCER, type Pgbouncer, startPgbouncer } from "../engines/pgbouncer.ts";
import { emptying, Reused } from "../storage/reused_tables.ts";
import { DIFFERENTIAL_OPERATIONS } from "../storage/rounds.ts";

/** Cases that wait for a notification. */
const listening = Object.fromEntries(
  conformanceCases.filter(({ needs }) => needs === "listen").map(({ title }) => [title, "LISTEN needs a session"]),
);

let made = 0;

/** Tables and the pools that reach them. */
interface Tables {
  prefix: string;
  pools: pg.Pool[];
}

if (HAS_PGBOUNCER) describe("behind PgBouncer", suite);
else
  test.skip("postgres behind PgBouncer: the kit, and against the model (skipped: there is no pgbouncer in the PATH)");

function suite(): void {
  let pooler: Pgbouncer;
  beforeAll(async () => {
    pooler = await startPgbouncer(inject("postgresUrl"), { connections: 3 });
  });
  const newPool = (): pg.Pool => new pg.Pool({ connectionString: pooler.url, max: 8 });
  const reused = new Reused<Tables>({
    make: () => ({ prefix: `pool${process.pid}_${made++}_`, pools: [newPool()] }),
    empty: async ({ prefix, pools }) => {
      await pools[0]!.query(emptying(prefix, postgresDialect).join(";\n"));
    },
  });
  afterAll(async () => {
    await reused.end(async ({ pools }) => {
      for (const pool of pools) await pool.end();
    });
    await pooler.dispose();
  });

  storageConformance({
    name: "postgres behind PgBouncer",
    test: test.concurrent,
    skip: test.skip,
    skips: listening,
    manifest: { reopen: true, listen: true, statements: true, durable: true, serverClock: true },
    open: async () => {
      const tables = await reused.take();
      const opened = [postgres(tables.pools[0]!, { prefix: tables.prefix })];
      return {
        storage: opened[0]!,
        tables,
        reopen: async () => {
          tables.pools[opened.length] ??= newPool();
          const storage = postgres(tables.pools[opened.length]!, { prefix: tables.prefix });
          opened.push(storage);
          await storage.migrate({ now: 0 });
          return storage;
        },
        dispose: async () => {
          for (const storage of opened) await storage.close();
          await reused.give(tables);
        },
      };
    },
    runStatements: async (target, statements) => {
      const { tables } = target as unknown as { tables: Tables };
      const client = await tables.pools[0]!.connect();
      await client.query("BEGIN");
      for (const { sql, params } of statements) await client.query(sql, params);
      await client.query("COMMIT");
      client.release();
    },
  });

  test.concurrent("postgres behind PgBouncer answers as the model does", { timeout: 240_000 }, async () => {
    const pool = newPool();
    const subject = postgres(pool, { prefix: `pool${process.pid}_${made++}_` });
    const operations = DIFFERENTIAL_OPERATIONS / 5;
    const { rows } = await storageDifferential({ model: memory(), subject, seed: 12, operations });
    expect(rows).toBeGreaterThan(0);
    await subject.close();
    await pool.end();
  });
}
