/**
 * Which open databases does sqlite() take? Those of node:sqlite, of bun:sqlite (where the tests run on Bun), and
 * objects as strict as better-sqlite3's: `run` refuses statements that return rows, `all` refuses those that return
 * none. A transaction of the user is waited for.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { type SqliteDatabase, sqlite } from "../../adapters/sqlite.ts";
import { storageDifferential } from "../../src/testing/conformance/mod.ts";
import { newJob, T0 } from "../../src/testing/conformance/rig.ts";

/** A database that behaves as better-sqlite3 documents it. */
function strict(database: DatabaseSync): SqliteDatabase {
  return {
    prepare(sql: string) {
      const statement = database.prepare(sql);
      const reader = statement.columns().length > 0;
      return {
        all(...params: SQLInputValue[]) {
          if (!reader) throw new TypeError("This statement does not return data. Use run() instead");
          return statement.all(...params);
        },
        run(...params: SQLInputValue[]) {
          if (reader) throw new TypeError("This statement returns data. Use get(), all(), or iterate() instead");
          return statement.run(...params);
        },
      };
    },
    exec: (sql) => database.exec(sql),
    close: () => database.close(),
    get inTransaction() {
      return database.isTransaction;
    },
  };
}

const objects: Record<string, () => Promise<SqliteDatabase>> = {
  "as strict as better-sqlite3": async () => strict(new DatabaseSync(":memory:")),
};
if ("bun" in process.versions) {
  objects["bun:sqlite"] = async () => {
    const name = "bun:sqlite";
    const { Database } = (await import(name)) as { Database: new (path: string) => SqliteDatabase };
    return new Database(":memory:");
  };
}

describe.each(Object.keys(objects))("sqlite() on an object %s", (name) => {
  test("answers as the model does", async () => {
    const subject = sqlite(await objects[name]!());
    await storageDifferential({ model: memory(), subject, seed: 4, operations: 1000 });
  });
});

test("sqlite() waits for the user's own transaction on the same object, and is no part of it", async () => {
  const database = new DatabaseSync(":memory:");
  const storage = sqlite(database);
  await storage.migrate({ now: T0 });
  database.exec("CREATE TABLE mine (id INTEGER)");
  database.exec("BEGIN");
  database.exec("INSERT INTO mine VALUES (1)");
  const enqueued = storage.enqueue({ op: "e", now: T0, jobs: [newJob("a")] });
  await Promise.resolve();
  expect(database.isTransaction).toBe(true);
  database.exec("ROLLBACK");
  expect(await enqueued).toEqual({ jobs: [{ id: "a", created: true }] });
  expect(database.prepare("SELECT count(*) AS n FROM mine").get()).toMatchObject({ n: 0 });
  expect(await storage.getJob({ id: "a" })).not.toBeNull();
  await storage.close();
  // An object that the user passed in stays open.
  expect(database.prepare("SELECT 1 AS one").get()).toMatchObject({ one: 1 });
  database.close();
});

test("sqlite() says STORAGE_BUSY when another connection keeps the lock, with the event loop free meanwhile", async () => {
  const folder = mkdtempSync(join(tmpdir(), "belfry-busy-"));
  const path = join(folder, "app.db");
  const storage = sqlite(path, { busyTimeout: 300 });
  await storage.migrate({ now: T0 });
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await expect(storage.enqueue({ op: "e", now: T0, jobs: [newJob("a")] })).rejects.toMatchObject({
    code: "STORAGE_BUSY",
    message: expect.stringMatching(/app\.db.*raise the option "busyTimeout"/),
  });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(3);
  // Reads work while another connection writes, and the write works once the lock is free.
  expect(await storage.getJob({ id: "a" })).toBeNull();
  other.exec("ROLLBACK");
  expect(await storage.enqueue({ op: "e", now: T0, jobs: [newJob("a")] })).toEqual({
    jobs: [{ id: "a", created: true }],
  });
  other.close();
  await storage.close();
  rmSync(folder, { recursive: true });
});
