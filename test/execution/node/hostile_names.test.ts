/** Users' names that look like the engine's own, on SQLite and PostgreSQL. */
import { afterAll, beforeAll, describe, inject, test } from "vitest";
import { postgres } from "../../../adapters/postgres.ts";
import { sqlite } from "../../../adapters/sqlite.ts";
import { type FreshSchema, freshSchema } from "../../engines/databases.ts";
import { HOSTILE_NAMES, runHostile } from "../hostile_names.ts";

test("on SQLite a job may give any hostile name to every durable call", async () => {
  const storage = sqlite(":memory:");
  await storage.migrate({ now: 0 });
  await runHostile(storage, HOSTILE_NAMES);
  await storage.close();
});

describe("on PostgreSQL", () => {
  let schema: FreshSchema;
  beforeAll(async () => {
    schema = await freshSchema(inject("postgresUrl"));
  });
  afterAll(() => schema.dispose());

  test("a job may give any hostile name to every durable call", async () => {
    const storage = postgres(schema.pool());
    await storage.migrate({ now: 0 });
    await runHostile(storage, HOSTILE_NAMES);
  });
});
