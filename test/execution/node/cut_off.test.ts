/** Real worker processes that are stopped and continued, or killed while another worker stands by. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RETRY_ONCE } from "../../engines/retry.ts";
import { type CutOffOrders, cutOffBelfry, writeOutside } from "./cut_off.ts";
import { readJournal } from "./matrix_job.ts";

const CLAIM_MS = 2_000;
const WORKER = fileURLToPath(new URL("./cut_off.ts", import.meta.url));

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a worker on a SQLite file", RETRY_ONCE, () => {
  let folder: string;
  let children: ChildProcess[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "belfry-cut-"));
    children = [];
  });

  afterEach(async () => {
    for (const child of children) {
      child.kill("SIGCONT");
      child.kill("SIGKILL");
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function orders(name: string, claimTtlMs = CLAIM_MS): CutOffOrders {
    writeFileSync(join(folder, "journal"), "", { flag: "a" });
    return {
      spec: `sqlite:${join(folder, "jobs.db")}`,
      name,
      journal: join(folder, "journal"),
      outside: join(folder, "outside"),
      gate: join(folder, "gate"),
      claimTtlMs,
    };
  }

  function launch(name: string, claimTtlMs?: number): ChildProcess {
    const child = spawn(process.execPath, [WORKER, JSON.stringify(orders(name, claimTtlMs))], { stdio: "inherit" });
    children.push(child);
    return child;
  }

  async function until(line: string, limitMs = 60_000): Promise<number> {
    const start = performance.now();
    while (!readJournal(join(folder, "journal")).includes(line)) {
      if (performance.now() - start > limitMs) {
        throw new Error(`no line "${line}" in ${JSON.stringify(readJournal(join(folder, "journal")))}`);
      }
      await pause(10);
    }
    return performance.now();
  }

  test("a worker that is stopped for longer than its claim saves nothing afterwards: its signal aborts and its fence is refused", async () => {
    const enqueuer = await cutOffBelfry(orders("test"));
    const handle = await enqueuer.enqueue("guarded");
    const old = launch("old");
    await until("old long begins");
    old.kill("SIGSTOP");
    launch("new");
    await until("new long begins");
    writeFileSync(join(folder, "gate"), "");
    expect(await handle.result({ timeout: "60s" })).toBe("new");
    const before = await enqueuer.jobs.get(handle.id);
    old.kill("SIGCONT");
    await until("old aborted CLAIM_LOST");
    await until("old writes outside false");
    await pause(1_000);
    expect(await enqueuer.jobs.get(handle.id)).toEqual(before);
    const journal = readJournal(join(folder, "journal"));
    expect(journal).toContain("new writes outside true");
    expect(journal).not.toContain("old last");
    // Of the old worker's work only the first step counts, which it had saved before.
    expect(journal).toContain("old first true");
    expect(journal).not.toContain("new first true");
    expect(writeOutside(join(folder, "outside"), 1)).toBe(false);
    await enqueuer.close();
  }, 180_000);

  test("a worker that is stopped for less than its claim keeps its job, though another worker looks for jobs", async () => {
    const enqueuer = await cutOffBelfry(orders("test"));
    const handle = await enqueuer.enqueue("guarded");
    // A third of the claim may have passed when it is stopped; the rest must be long enough on a busy machine, too.
    const claimTtlMs = 3 * CLAIM_MS;
    const worker = launch("slow", claimTtlMs);
    await until("slow long begins");
    launch("other", claimTtlMs);
    await until("other runs");
    worker.kill("SIGSTOP");
    await pause(900);
    worker.kill("SIGCONT");
    writeFileSync(join(folder, "gate"), "");
    expect(await handle.result({ timeout: "60s" })).toBe("slow");
    expect(await enqueuer.jobs.get(handle.id)).toMatchObject({ attempt: 1, claims: 1 });
    await enqueuer.close();
  }, 180_000);

  test("after kill -9 another worker has the job within the claim time and a second", async () => {
    const enqueuer = await cutOffBelfry(orders("test"));
    const handle = await enqueuer.enqueue("guarded");
    const dead = launch("dead");
    await until("dead long begins");
    launch("standby");
    await until("standby runs");
    const killedAt = performance.now();
    dead.kill("SIGKILL");
    const takenAt = await until("standby long begins");
    expect(takenAt - killedAt).toBeLessThanOrEqual(CLAIM_MS + 1_000);
    writeFileSync(join(folder, "gate"), "");
    expect(await handle.result({ timeout: "60s" })).toBe("standby");
    await enqueuer.close();
  }, 180_000);

  test("a sleep of 100 ms in a running worker is late by less than 50 ms", async () => {
    const belfry = await cutOffBelfry(orders("test"));
    const late: number[] = [];
    belfry.task("nap", async (ctx) => {
      const start = performance.now();
      await ctx.sleep("nap", 100);
      late.push(performance.now() - start - 100);
    });
    const stop = new AbortController();
    const running = belfry.run({ signal: stop.signal, schedule: false });
    for (let i = 0; i < 20; i++) await (await belfry.enqueue("nap")).result();
    stop.abort();
    await running;
    await belfry.close();
    late.sort((a, b) => a - b);
    // The median, since the machine may be busy for a moment.
    expect(late[10]).toBeLessThan(50);
    expect(late[0]).toBeGreaterThan(-2);
  }, 180_000);
});
