/**
 * The HTTP face in figures: load on loopback against Node and SQLite, and the size and start of a Worker.
 *
 *   npm run bench -- http                 all of it, about a minute
 *   npm run bench -- http load 200 30     clients, seconds
 *   npm run bench -- http bundle
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundles } from "./bundle.ts";
import { load } from "./load.ts";

const TOKEN = "a-token-for-the-bench-0123";

async function measureLoad(clients: number, seconds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "belfry-load-"));
  const program = fileURLToPath(new URL("./server.ts", import.meta.url));
  const server = spawn(process.execPath, [program, join(folder, "app.db"), TOKEN], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const url = await new Promise<string>((resolve) => {
      server.stdout.on("data", (chunk: Buffer) => {
        const found = /listening on (\S+)/.exec(chunk.toString());
        if (found) resolve(found[1]!);
      });
    });
    console.log(
      `\nload: ${clients} clients for ${seconds} s against Node ${process.version} and SQLite (synced to disk)`,
    );
    const report = await load({ url, token: TOKEN, clients, seconds });
    console.log(`  ${report.requests} requests, ${report.perSecond}/s, ${report.errors.length} errors`);
    for (const [operation, { count, p50, p99, max }] of Object.entries(report.latencies)) {
      console.log(
        `  ${operation.padEnd(8)} ${String(count).padStart(6)}   p50 ${p50} ms   p99 ${p99} ms   max ${max} ms`,
      );
    }
    console.log(`  ${report.enqueued} jobs: ${report.lost} lost, ${report.doubled} doubled`);
    console.log(`  ${report.occurrences} occurrences: ${report.wrongOccurrences} with other than one job`);
    for (const error of report.errors) console.log(`  ${error}`);
    if (report.errors.length + report.lost + report.doubled + report.wrongOccurrences > 0) process.exitCode = 1;
  } finally {
    server.kill("SIGTERM");
    await new Promise((resolve) => server.once("exit", resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

const [what, clients = "200", seconds = "30"] = process.argv.slice(2);
if (what === undefined || what === "bundle") await bundles();
if (what === undefined || what === "load") await measureLoad(Number(clients), Number(seconds));
