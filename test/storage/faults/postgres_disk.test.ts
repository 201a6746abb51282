/**
 * What if the disk of a Postgres server is full? Tables in a tablespace on a small file system in memory, which is made
 * larger afterwards. Mounting needs root on Linux; elsewhere the test is skipped, and its title says so.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, expect, inject, it } from "vitest";
import { postgres } from "../../../adapters/postgres.ts";
import { Belfry } from "../../../mod.ts";
import { UNPRIVILEGED } from "../../engines/unprivileged.ts";
import { instant, job } from "../races/rows.ts";

const folder = mkdtempSync(join(tmpdir(), "belfry-disk-"));

/** Mounts, remounts or unmounts. @returns whether it could */
function mounted(command: string, ...args: string[]): boolean {
  return spawnSync(command, [...args, folder], { stdio: "ignore" }).status === 0;
}

const owner = `uid=${UNPRIVILEGED},gid=${UNPRIVILEGED},mode=700`;
const can = process.platform === "linux" && mounted("mount", "-t", "tmpfs", "-o", `size=6m,${owner}`, "tmpfs");
const title = "says that the disk is full, all of a batch or none of it is there, and goes on with room";
const options = "-c search_path=small_disk -c default_tablespace=small_disk";
const url = inject("postgresUrl");

afterAll(() => {
  if (can) mounted("umount");
  rmdirSync(folder);
});

it.skipIf(!can)(`postgres ${title}${can ? "" : " (skipped: mount needs root on Linux)"}`, async () => {
  mounted("mount", "-o", "remount,size=6m");
  const admin = new pg.Pool({ connectionString: url, max: 1 });
  await admin.query(`CREATE TABLESPACE small_disk LOCATION '${folder}'`);
  await admin.query("CREATE SCHEMA small_disk");
  const pool = new pg.Pool({ connectionString: url, options, max: 4 });
  const storage = postgres(pool);
  try {
    await storage.migrate({ now: 0 });
    const errors: string[] = [];
    const belfry = new Belfry({ storage, claimTtl: "1s", onError: (error) => errors.push((error as Error).message) });
    const write = belfry.task("write", (_ctx, _input: unknown) => noise(0, 900_000));
    const handle = await belfry.enqueue(write, 1);
    const batch = (n: number) => ({
      op: `in ${n}`,
      now: instant(0),
      // Random text, since Postgres compresses long texts that repeat.
      jobs: Array.from({ length: 50 }, (_, i) => job(`${n} ${i}`, instant(0), { input: `"${noise(n * 50 + i)}"` })),
    });
    let taken = 0;
    const fill = async (): Promise<void> => {
      for (; taken < 500; taken++) await storage.enqueue(batch(taken));
    };
    await expect(fill()).rejects.toMatchObject({
      code: "STORAGE_UNUSABLE",
      message: expect.stringMatching(/its disk is full: free some space/),
    });
    expect(taken).toBeGreaterThan(0);
    expect(await storage.listJobs({ limit: 99_999 })).toHaveLength(50 * taken + 1);

    // The engine reports that it cannot save, and goes on when there is room.
    const stop = new AbortController();
    const running = belfry.run({ signal: stop.signal });
    while (!errors.some((message) => message.includes("disk is full"))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(mounted("mount", "-o", "remount,size=200m")).toBe(true);
    expect(await handle.result()).toHaveLength(900_000);
    stop.abort();
    await running;
    await storage.enqueue(batch(taken));
    expect(await storage.listJobs({ limit: 99_999 })).toHaveLength(50 * (taken + 1) + 1);
    await belfry.close();
  } finally {
    await storage.close();
    await pool.end();
    await admin.query("DROP SCHEMA small_disk CASCADE");
    await admin.query("DROP TABLESPACE small_disk");
    await admin.end();
  }
});

/** A text that does not repeat. */
function noise(seed: number, length = 300): string {
  let state = seed + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    text += state.toString(36);
  }
  return text.slice(0, length);
}
