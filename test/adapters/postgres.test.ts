/**
 * Is the Postgres adapter a storage? The kit on PostgreSQL 18 through pg and postgres.js, and against the model.
 */
import type { Pool } from "pg";
import postgresJs from "postgres";
import { afterAll, inject, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { type PostgresJs, postgres } from "../../adapters/postgres.ts";
import { postgresDialect } from "../../src/sql/dialect.ts";
import { storageConformance, storageDifferential } from "../../src/testing/conformance/mod.ts";
import { type FreshSchema, freshSchema } from "../engines/databases.ts";
import { DIFFERENTIAL_OPERATIONS } from "../storage/rounds.ts";
import { emptying, Worlds } from "../storage/worlds.ts";

const url = inject("postgresUrl");

/** A schema and the connections to it. */
interface World {
  schema: FreshSchema;
  pools: Pool[];
  sql?: ReturnType<typeof postgresJs>;
}

/** Worlds whose cases keep apart by schemas. */
function worldsOf(make: (schema: FreshSchema) => Partial<World>): Worlds<World> {
  const worlds = new Worlds<World>({
    make: async () => {
      const schema = await freshSchema(url);
      return { schema, pools: [schema.pool()], ...make(schema) };
    },
    empty: async ({ pools }) => {
      await pools[0]!.query(emptying("belfry_", postgresDialect).join(";\n"));
    },
  });
  afterAll(() =>
    worlds.end(async ({ schema, sql }) => {
      await sql?.end();
      await schema.dispose();
    }),
  );
  return worlds;
}

const ofPg = worldsOf(() => ({}));
storageConformance({
  name: "postgres (pg)",
  // Side by side: what takes time is waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: true, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const world = await ofPg.take();
    const opened = [postgres(world.pools[0]!)];
    return {
      storage: opened[0]!,
      world,
      reopen: async () => {
        world.pools[opened.length] ??= world.schema.pool();
        const storage = postgres(world.pools[opened.length]!);
        opened.push(storage);
        await storage.migrate({ now: 0 });
        return storage;
      },
      dispose: async () => {
        for (const storage of opened) await storage.close();
        await ofPg.give(world);
      },
    };
  },
  runStatements: async (target, statements) => {
    const { world } = target as unknown as { world: World };
    const client = await world.pools[0]!.connect();
    await client.query("BEGIN");
    for (const { sql, params } of statements) await client.query(sql, params);
    await client.query("COMMIT");
    client.release();
  },
});

const ofJs = worldsOf((schema) => ({ sql: postgresJs(schema.url, { max: 4, onnotice: () => undefined }) }));
storageConformance({
  name: "postgres (postgres.js)",
  // Side by side: what takes time is waiting for the server.
  test: test.concurrent,
  skip: test.skip,
  manifest: { reopen: false, listen: true, statements: true, durable: true, serverClock: true },
  open: async () => {
    const world = await ofJs.take();
    const storage = postgres(world.sql as unknown as PostgresJs);
    return {
      storage,
      world,
      dispose: async () => {
        await storage.close();
        await ofJs.give(world);
      },
    };
  },
  runStatements: async (target, statements) => {
    const { world } = target as unknown as { world: World };
    await world.sql!.begin(async (transaction) => {
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
