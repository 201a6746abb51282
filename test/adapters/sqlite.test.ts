/**
 * Does the SQLite adapter fulfil the port? The conformance kit on files and on an open database object, and the model.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { storageConformance, storageDifferential } from "../../src/testing/conformance/mod.ts";
import { DIFFERENTIAL_OPERATIONS } from "../storage/rounds.ts";

storageConformance({
  name: "sqlite file",
  test,
  skip: test.skip,
  manifest: { reopen: true, listen: true, statements: true, durable: true },
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), "belfry-kit-"));
    const path = join(folder, "app.db");
    const opened = [sqlite(path, { durability: "process" })];
    return {
      storage: opened[0]!,
      path,
      reopen: async () => {
        const storage = sqlite(path, { durability: "process" });
        opened.push(storage);
        await storage.migrate({ now: 0 });
        return storage;
      },
      dispose: async () => {
        for (const storage of opened) await storage.close();
        rmSync(folder, { recursive: true });
      },
    };
  },
  runStatements: async (target, statements) => {
    const user = new DatabaseSync((target as unknown as { path: string }).path, { timeout: 1000 });
    user.exec("BEGIN IMMEDIATE");
    for (const { sql, params } of statements) user.prepare(sql).run(...(params as SQLInputValue[]));
    user.exec("COMMIT");
    user.close();
  },
});

storageConformance({
  name: "sqlite object",
  test,
  skip: test.skip,
  manifest: { reopen: false, listen: true, statements: true, durable: true },
  open: async () => {
    const database = new DatabaseSync(":memory:");
    return { storage: sqlite(database), database, dispose: async () => database.close() };
  },
  runStatements: async (target, statements) => {
    const { database } = target as unknown as { database: DatabaseSync };
    database.exec("BEGIN");
    for (const { sql, params } of statements) database.prepare(sql).run(...(params as SQLInputValue[]));
    database.exec("COMMIT");
  },
});

for (const seed of [1, 2, 3, 6, 10]) {
  test(`sqlite answers as the model does, seed ${seed}`, async () => {
    const subject = sqlite(":memory:");
    await storageDifferential({ model: memory(), subject, seed, operations: DIFFERENTIAL_OPERATIONS / 5 });
    await subject.close();
  });
}
