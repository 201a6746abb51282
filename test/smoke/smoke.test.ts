/** Runs the smoke suite on the storages that every runtime has: memory, and a SQLite file where there is node:sqlite. */
import { describe, expect, it } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { smokeSuite } from "./suite.ts";

smokeSuite("memory", () => {
  const storage = memory();
  return () => storage;
});

const sqlite = await import("node:sqlite").catch(() => undefined);

if (sqlite) {
  const { sqlite: open } = await import("../../adapters/sqlite.ts");
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const { join } = await import("node:path");
  smokeSuite("a SQLite file", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "belfry-smoke-")), "app.db");
    return () => open(path);
  });
} else {
  describe("on a SQLite file", () => {
    it.skip("this runtime has no node:sqlite (Node before 22.13)", () => expect.fail());
  });
}
