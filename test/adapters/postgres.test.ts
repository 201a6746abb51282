/**
 * Does the Postgres adapter fulfil the port? The conformance kit on PostgreSQL 18 through pg and postgres.js, and the
 * model.
 */
import type { Pool } from "pg";
import postgresJs from "postgres";
import { afterAll, inject, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { type PostgresJs, postgres } from "../../adapters/postgres.ts";
import { postgresDialect } from "../../src/sql/dialect.ts";
import { storageConformance, storageDifferential } from "../../src/testing/conformance/mod.ts";
import { type FreshSchema, freshSchema } from "../engines/databases.ts";
import { emptying, Reused } from "../storage/reused_tables.ts";
import { DIFFERENTIAL_OPERATIONS } from "../storage/rounds.ts";

const url = inject("postgresUrl");

/** A schema and the connections to it. */
interface Tables {
  schema: FreshSchema;
  pools: Pool[];
  sql?: ReturnType<typeof postgresJs>;
}

/** Tables in schemas of their own, used by one case after the other. */
function tablesOf(make: (schema: FreshSchema) => Partial<Tables>): Reused<Tables> {
  const reused = new Reused<Tables>({
    make: async () => {
      const schema = await freshSchema(url);
      return { schema, pools: [schema.pool()], ...make(schema) };
    },
    empty: async ({ pools }) => {
      await pools[0]!.query(emptying("belfry_", postgresDialect).join(";\n"));
    },
  });
  afterAll(() =>
    reused.end(async ({ schema, sql }) => {
      await sql?.end();
      await schema.dispose();
    }),
  );
  return reused;
}

const ofPg = tablesOf(() => ({}));
storageConformance({
  name: "postgres (pg)",
  // Side by side, since most of the time is spent waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: true, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const tables = await ofPg.take();
    const opened = [postgres(tables.pools[0]!)];
    return {
      storage: opened[0]!,
      tables,
      reopen: async () => {
        tables.pools[opened.length] ??= tables.schema.pool();
        const storage = postgres(tables.pools[opened.length]!);
        opened.push(storage);
        await storage.migrate({ now: 0 });
        return storage;
      },
      dispose: async () => {
        for (const storage of opened) await storage.close();
        await ofPg.give(tables);
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

const ofJs = tablesOf((schema) => ({ sql: postgresJs(schema.url, { max: 4, onnotice: () => undefined }) }));
storageConformance({
  name: "postgres (postgres.js)",
  // Side by side, since most of the time is spent waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: false, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const tables = await ofJs.take();
    const storage = postgres(tables.sql as unknown as PostgresJs);
    return {
      storage,
      tables,
      dispose: async () => {
        await storage.close();
        await ofJs.give(tables);
      },
    };
  },
  runStatements: async (target, statements) => {
    const { tables } = target as unknown as { tables: Tables };
    await tables.sql!.begin(async (transaction) => {
      for (const { sql: text, params } of statements) await transaction.unsafe(text, params);
    });
  },
});

for (const seed of [1, 2]) {
  test.concurrent(`postgres answers as the model does, seed ${seed}`, { timeout: 240_000 }, async () => {
    const schema = await freshSchema(url);
    const subject = postgres(schema.pool());
    await storageDifferential({ model: memory(), subject, seed, operations: DIFFERENTIAL_OPERATIONS / 2 });
    await subject.close();
    await schema.dispose();
  });
}
