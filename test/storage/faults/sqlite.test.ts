/** What if another program locks a SQLite file, or its disk is full? No batch is half written, and the engine goes on. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sqlite } from "../../../adapters/sqlite.ts";
import { Belfry } from "../../../mod.ts";
import { instant, job } from "../races/rows.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "belfry-fault-"));
  path = join(folder, "app.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("a batch waits for another writer that has the lock for 2 s, with a free event loop", async () => {
  const storage = sqlite(path);
  await storage.migrate({ now: 0 });
  const foreign = new DatabaseSync(path);
  foreign.exec("BEGIN IMMEDIATE");
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  setTimeout(() => foreign.exec("COMMIT"), 2000);
  const reply = await storage.enqueue({ op: "in", now: instant(0), jobs: [job("a", instant(0))] });
  clearInterval(ticking);
  expect(reply.jobs).toEqual([{ id: "a", created: true }]);
  expect(foreign.isTransaction).toBe(false);
  // Of up to 2,000; waiting that blocks would leave none.
  expect(turns).toBeGreaterThan(10);
  foreign.close();
  await storage.close();
});

it("a batch ends with STORAGE_BUSY and the remedy when the other writer keeps the lock, and writes nothing", async () => {
  const storage = sqlite(path, { busyTimeout: "100ms" });
  await storage.migrate({ now: 0 });
  const foreign = new DatabaseSync(path);
  foreign.exec("BEGIN IMMEDIATE");
  const request = { op: "in", now: instant(0), jobs: [job("a", instant(0))] };
  await expect(storage.enqueue(request)).rejects.toMatchObject({
    code: "STORAGE_BUSY",
    message: expect.stringMatching(/app\.db.*100 ms.*busyTimeout/s),
  });
  foreign.exec("ROLLBACK");
  expect(await storage.listJobs({ limit: 9 })).toEqual([]);
  expect((await storage.enqueue(request)).jobs).toEqual([{ id: "a", created: true }]);
  foreign.close();
  await storage.close();
});

/** Bounds the growth of a database to so many pages, as a full disk does; null: no bound. */
function roomFor(database: DatabaseSync, pages: number | null): void {
  const { page_count } = database.prepare("PRAGMA page_count").get() as { page_count: number };
  database.exec(`PRAGMA max_page_count = ${pages === null ? 1_000_000 : page_count + pages}`);
}

it("a full disk is reported with its remedy; a batch is there whole or not at all, and works again with room", async () => {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  const storage = sqlite(database);
  await storage.migrate({ now: 0 });
  roomFor(database, 20);
  const batch = (n: number) => ({
    op: `in ${n}`,
    now: instant(0),
    jobs: Array.from({ length: 50 }, (_, i) => job(`${n} ${i}`, instant(0), { input: `"${"x".repeat(300)}"` })),
  });
  let taken = 0;
  const fill = async (): Promise<void> => {
    for (; taken < 100; taken++) await storage.enqueue(batch(taken));
  };
  await expect(fill()).rejects.toMatchObject({
    code: "STORAGE_UNUSABLE",
    message: expect.stringMatching(/the disk is full; free some space/),
  });
  expect(taken).toBeGreaterThan(0);
  expect(await storage.listJobs({ limit: 9999 })).toHaveLength(50 * taken);
  roomFor(database, null);
  await storage.enqueue(batch(taken));
  expect(await storage.listJobs({ limit: 9999 })).toHaveLength(50 * (taken + 1));
  await storage.close();
  database.close();
});

it("an engine whose disk is full reports it, and runs its jobs when there is room again", async () => {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA journal_mode = WAL");
  const errors: string[] = [];
  const belfry = new Belfry({
    storage: sqlite(database),
    claimTtl: "1s",
    onError: (error) => errors.push((error as Error).message),
  });
  const big = belfry.task("big", async (ctx, size: number) => ctx.step("write", () => "x".repeat(size)));
  const first = await belfry.enqueue(big, 10);
  const second = await belfry.enqueue(big, 400_000);
  roomFor(database, 20);
  const stop = new AbortController();
  const running = belfry.run({ signal: stop.signal });
  expect(await first.result()).toHaveLength(10);
  while (!errors.some((message) => message.includes("the disk is full"))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  roomFor(database, null);
  expect(await second.result()).toHaveLength(400_000);
  stop.abort();
  await running;
  await belfry.close();
  database.close();
});
