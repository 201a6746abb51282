/**
 * Is the Postgres adapter a storage? The kit on PostgreSQL 18 through pg and postgres.js, and against the model.
 */
import postgresJs from "postgres";
import { inject, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { type PostgresJs, postgres } from "../../adapters/postgres.ts";
import { storageConformance, storageDifferential } from "../../src/testing/mod.ts";
import { type FreshSchema, freshSchema } from "../engines/databases.ts";
import { DIFFERENTIAL_OPERATIONS } from "./rounds.ts";

const url = inject("postgresUrl");

storageConformance({
  name: "postgres (pg)",
  // Side by side: what takes time is waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: true, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const schema = await freshSchema(url);
    const opened = [postgres(schema.pool())];
    return {
      storage: opened[0]!,
      schema,
      reopen: async () => {
        const storage = postgres(schema.pool());
        opened.push(storage);
        await storage.migrate({ now: 0 });
        return storage;
      },
      dispose: async () => {
        for (const storage of opened) await storage.close();
        await schema.dispose();
      },
    };
  },
  runStatements: async (target, statements) => {
    const { schema } = target as unknown as { schema: FreshSchema };
    const client = await schema.pool().connect();
    await client.query("BEGIN");
    for (const { sql, params } of statements) await client.query(sql, params);
    await client.query("COMMIT");
    client.release();
  },
});

storageConformance({
  name: "postgres (postgres.js)",
  // Side by side: what takes time is waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: false, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const schema = await freshSchema(url);
    const sql = postgresJs(schema.url, { max: 4, onnotice: () => undefined });
    const storage = postgres(sql as unknown as PostgresJs);
    return {
      storage,
      sql,
      dispose: async () => {
        await storage.close();
        await sql.end();
        await schema.dispose();
      },
    };
  },
  runStatements: async (target, statements) => {
    const { sql } = target as unknown as { sql: ReturnType<typeof postgresJs> };
    await sql.begin(async (transaction) => {
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
