/** Are concurrent calls linearizable on the real databases? */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "@libsql/client";
import type { Pool } from "pg";
import { expect, inject, test } from "vitest";
import { libsql } from "../../adapters/libsql.ts";
import { memory } from "../../adapters/memory.ts";
import { postgres } from "../../adapters/postgres.ts";
import type { Storage } from "../../src/storage/port.ts";
import { freshSchema } from "../engines/databases.ts";
import { checkLinearizable } from "./linearizable.ts";
import { sqliteInThread } from "./thread.ts";

const BURSTS = process.env["BELFRY_LONG"] ? 150 : 40;

test("memory: an order explains every burst of concurrent calls", async () => {
  const storage = memory();
  const report = await checkLinearizable([storage, storage, storage], { seed: 2, bursts: 40 });
  expect(report.raced).toBeGreaterThan(40);
  expect(report.unanswered).toBeGreaterThan(0);
  expect(report.claims).toBeGreaterThan(10);
});

test("a storage that loses every second signal is detected", async () => {
  const storage = memory();
  let sent = 0;
  const forgetful: Storage = {
    ...storage,
    signal: async (request) =>
      sent++ % 2 === 0 ? { outcomes: request.signals.map(() => "accepted" as const) } : storage.signal(request),
  };
  const connections = [forgetful, forgetful, forgetful];
  await expect(checkLinearizable(connections, { seed: 2, bursts: 40 })).rejects.toThrow("No order explains");
});

test("sqlite: an order explains every burst of three threads on one file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "belfry-linear-"));
  const threads = [1, 2, 3].map(() => sqliteInThread(join(folder, "a.db")));
  const report = await checkLinearizable(
    threads.map(({ storage }) => storage),
    { seed: 2, bursts: BURSTS },
  );
  expect(report.raced).toBeGreaterThan(BURSTS / 2);
  expect(report.claims).toBeGreaterThan(BURSTS / 4);
  for (const { close } of threads) await close();
  rmSync(folder, { recursive: true });
});

test("sqld over HTTP: an order explains every burst on three connections", async () => {
  const prefix = `linear${process.pid}_`;
  const clients = [1, 2, 3].map(() => createClient({ url: inject("sqldUrl") }));
  const connections = clients.map((client) => libsql(client, { prefix }));
  const report = await checkLinearizable(connections, { seed: 4, bursts: BURSTS });
  expect(report.raced).toBeGreaterThan(BURSTS / 2);
  for (const client of clients) client.close();
});

test("postgres: an order explains every burst on three connections", async () => {
  const schema = await freshSchema(inject("postgresUrl"));
  const connections = [1, 2, 3].map(() => postgres(schema.pool() as Pool));
  const report = await checkLinearizable(connections, { seed: 3, bursts: BURSTS, passesOver: true });
  expect(report.raced).toBeGreaterThan(BURSTS / 2);
  for (const storage of connections) await storage.close();
  await schema.dispose();
});
