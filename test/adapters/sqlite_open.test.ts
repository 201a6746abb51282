/**
 * Which files, databases and options does the SQLite adapter refuse when it opens? Each error has a code and names the
 * file and the remedy, and nothing is written.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sqlite } from "../../adapters/sqlite.ts";
import type { BelfryError, ErrorCode } from "../../src/base/error.ts";
import type { Storage } from "../../src/storage/port.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "belfry-door-"));
  path = join(folder, "app.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

async function refusal(storage: Storage): Promise<BelfryError> {
  try {
    await storage.migrate({ now: 0 });
  } catch (error) {
    await storage.close();
    return error as BelfryError;
  }
  throw new Error("it was opened");
}

function change(sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

async function expectRefusal(code: ErrorCode, message: RegExp): Promise<void> {
  const before = readFileSync(path);
  const error = await refusal(sqlite(path));
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
  expect(error.message).toContain("app.db");
  expect(readFileSync(path).equals(before)).toBe(true);
}

describe("sqlite()", () => {
  it("refuses a file that is not a database", async () => {
    writeFileSync(path, "This is a letter, and no database at all.\n".repeat(50));
    await expectRefusal("STORAGE_UNUSABLE", /not a SQLite database; choose another path/);
  });

  it("refuses a schema of a newer Belfry", async () => {
    const storage = sqlite(path);
    await storage.migrate({ now: 0 });
    await storage.close();
    change("UPDATE belfry_meta SET value = '99' WHERE key = 'schema_version'; PRAGMA journal_mode = DELETE");
    await expectRefusal("SCHEMA_NEWER", /version 99 .* update Belfry here/);
  });

  it("refuses tables with its names that it did not make", async () => {
    change("CREATE TABLE belfry_jobs (id INTEGER PRIMARY KEY, what TEXT)");
    await expectRefusal("SCHEMA_INVALID", /"belfry_jobs" .* choose another prefix/);
  });

  it("refuses a meta table with other columns", async () => {
    change("CREATE TABLE belfry_meta (a TEXT)");
    await expectRefusal("SCHEMA_INVALID", /"belfry_meta"/);
  });

  it("refuses a meta table without the version", async () => {
    change("CREATE TABLE belfry_meta (key TEXT, value TEXT)");
    await expectRefusal("SCHEMA_INVALID", /"belfry_meta"/);
  });

  it("refuses a read-only database that has the schema", async () => {
    const storage = sqlite(path);
    await storage.migrate({ now: 0 });
    await storage.close();
    const database = new DatabaseSync(path, { readOnly: true });
    const error = await refusal(sqlite(database));
    database.close();
    expect(error.code).toBe("STORAGE_UNUSABLE");
    expect(error.message).toMatch(/read-only; let this process write to the file and its folder/);
  });

  // Root may write whatever the permission bits say, so the file is opened read-only by its URL.
  it("refuses a read-only file", async () => {
    change("CREATE TABLE mine (id INTEGER)");
    const error = await refusal(sqlite(`file:${path}?mode=ro`));
    expect(error.code).toBe("STORAGE_UNUSABLE");
    expect(error.message).toMatch(/read-only/);
    expect(error.message).toContain("app.db");
  });

  it("refuses a path in a folder that does not exist", async () => {
    const error = await refusal(sqlite(join(folder, "none", "app.db")));
    expect(error.code).toBe("STORAGE_UNUSABLE");
    expect(error.message).toMatch(/check that its folder exists/);
  });

  it.each([[""], [undefined], [null], [{}]])("refuses %j as a database", (database) => {
    expect(() => sqlite(database as string)).toThrow(/give the path of a file/);
  });

  it.each([["1abc"], ["a-b"], [""], ["x; DROP TABLE y"]])("refuses the table prefix %j", (prefix) => {
    expect(() => sqlite(path, { prefix })).toThrow(/prefix/);
  });

  it("keeps two sets of tables in one file, beside the user's, under two prefixes", async () => {
    change("CREATE TABLE jobs (id INTEGER PRIMARY KEY); INSERT INTO jobs VALUES (1)");
    for (const prefix of ["a_", "b_"]) {
      const storage = sqlite(path, { prefix });
      expect(await storage.migrate({ now: 0 })).toMatchObject({ from: 0, to: 1, warnings: [] });
      expect(await storage.migrate({ now: 0 })).toMatchObject({ from: 1, to: 1 });
      await storage.close();
    }
  });

  it("rejects calls after close() with CLOSED, and close() may be called twice", async () => {
    const storage = sqlite(path);
    await storage.migrate({ now: 0 });
    await storage.close();
    await storage.close();
    await expect(storage.stats({ now: 0 })).rejects.toMatchObject({ code: "CLOSED" });
  });
});
