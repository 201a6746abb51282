/** Is the D1 adapter a storage? The kit on D1 in real workerd; `d1_model.test.ts` compares it with the model. */
import { env } from "cloudflare:test";
import { expect, test } from "vitest";
import { type D1Database, d1 } from "../../../adapters/d1.ts";
import { storageConformance } from "../../../src/testing/conformance/mod.ts";

const { DB } = env as unknown as { DB: D1Database };
let made = 0;

storageConformance({
  name: "d1",
  test,
  skip: test.skip,
  manifest: { reopen: true, listen: false, statements: true, durable: true, serverClock: true },
  open: async () => {
    const prefix = `t${made++}_`;
    return { storage: d1(DB, { prefix }), reopen: async () => d1(DB, { prefix }) };
  },
  runStatements: async (_target, statements) => {
    await DB.batch(statements.map(({ sql, params }) => DB.prepare(sql).bind(...params)));
  },
});

test("d1 asks for its schema once in an isolate", async () => {
  const first = d1(DB, { prefix: "once_" });
  expect(await first.migrate({ now: 0 })).toMatchObject({ from: 0 });
  const second = d1(DB, { prefix: "once_" });
  const { to } = await second.migrate({ now: 0 });
  expect(to).toBeGreaterThan(0);
  expect(second.driver.counters.roundTrips).toBe(0);
});
