/** CPU of a job beside so many stored ones, in a process of its own: prints JSON. See `main.ts`. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory } from "../../adapters/memory.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";

const [name, storedText] = process.argv.slice(2) as [string, string];
const folder = mkdtempSync(join(tmpdir(), "belfry-stored-"));
const storage = name === "memory" ? memory() : sqlite(join(folder, "jobs.db"));
const belfry = new Belfry({ storage, concurrency: 40 });
const quick = belfry.task("quick", async (ctx) => ctx.step("s", () => 1));
belfry.task("waits", async (ctx) => ctx.waitFor("never"));
const stop = new AbortController();
const running = belfry.run({ signal: stop.signal, schedule: false });

async function run(count: number): Promise<void> {
  let left = count;
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      while (left-- > 0) await (await belfry.enqueue(quick)).result();
    }),
  );
}

await storage.migrate({ now: Date.now() });

// Half of what is stored is finished, half waits.
const stored = Number(storedText);
const now = Date.now();
for (let at = 0; at < stored / 2; at += 500) {
  const jobs = Array.from({ length: 500 }, (_, i) => ({
    id: `stored-${at + i}`,
    task: "waits",
    queue: "default",
    priority: 0,
    availableAt: now,
    expiresAt: null,
    key: null,
    input: "",
    options: "{}",
    schedule: null,
    scheduledAt: null,
    parentId: null,
    limit: null,
  }));
  await storage.enqueue({ op: `fill-${at}`, now, jobs });
}
await run(stored / 2);
for (;;) {
  const queues = await belfry.queues.list();
  if (queues.every((queue) => queue.ready === 0 && queue.running === 0)) break;
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const count = 2_000;
const cpu = process.cpuUsage();
await run(count);
const used = process.cpuUsage(cpu);
process.stdout.write(`${JSON.stringify({ cpuUs: (used.user + used.system) / count })}\n`);
stop.abort();
await running;
await belfry.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
