/**
 * How big is a Worker, and how long does it take to start? The example for Cloudflare (app, engine, D1) bundled as
 * wrangler bundles it, its parts, and a bare Hono app beside it; both then started in workerd, alternately, medians.
 */

import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { Miniflare } from "miniflare";

const root = fileURLToPath(new URL("../..", import.meta.url));
const BARE = `import { Hono } from "hono"; const app = new Hono(); app.get("/health", (c) => c.json({ ok: true })); export default app;`;

/** A bundle's size, and what it takes from outside. */
export interface Bundle {
  code: string;
  minified: number;
  gzip: number;
  /** Modules that it imports at run time: Node built-ins would be among them. */
  imports: string[];
}

/** Bundles a program as a Worker. */
export async function bundle(source: { path: string } | { text: string }): Promise<Bundle> {
  const result = await build({
    ...("path" in source
      ? { entryPoints: [source.path] }
      : { stdin: { contents: source.text, resolveDir: root, loader: "ts" } }),
    absWorkingDir: root,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser", "import"],
    external: ["node:*"],
    write: false,
    metafile: true,
    logLevel: "error",
  });
  const code = result.outputFiles[0]!.text;
  const imports = Object.values(result.metafile.outputs).flatMap((output) => output.imports.map(({ path }) => path));
  return { code, minified: Buffer.byteLength(code), gzip: gzipSync(code, { level: 9 }).length, imports };
}

const PARTS: [name: string, source: { path: string } | { text: string }][] = [
  ["Worker: app, engine, D1", { path: "examples/cloudflare/worker.ts" }],
  ["Durable Object: app, engine, storage", { path: "examples/durable-object/worker.ts" }],
  ["engine alone", { text: `export { Belfry } from "./mod.ts";` }],
  ["app alone", { text: `export { createApp } from "./adapters/hono/mod.ts";` }],
  ["D1 storage alone", { text: `export { d1 } from "./adapters/d1.ts";` }],
  ["cron alone", { text: `export { Cron } from "./src/cron/mod.ts";` }],
  ["client alone", { text: `export { createClient } from "./adapters/client.ts";` }],
  ["bare Hono app", { text: BARE }],
];

const STARTS = 7;

/** Starts a Worker in workerd and calls it. @returns ms from nothing to the first answer */
async function start(code: string): Promise<number> {
  const startMs = performance.now();
  const worker = new Miniflare({
    workers: [
      {
        config: {
          name: "worker",
          compatibilityDate: "2026-10-01",
          manifest: {
            mainModule: "worker.js",
            modulesRoot: "/",
            modules: { "worker.js": { type: "esm", contents: code } },
          },
          env: { DB: { type: "d1", id: "DB" }, BELFRY_TOKEN: { type: "text", value: "a-token-for-the-bench-0123" } },
        },
      },
    ],
  });
  try {
    const answer = await worker.dispatchFetch("http://worker.test/health");
    await answer.text();
    return performance.now() - startMs;
  } finally {
    await worker.dispose();
  }
}

const median = (list: number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
const kB = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

/** Prints sizes and starts. */
export async function bundles(): Promise<void> {
  console.log("bundles: minified, gzip");
  const made = new Map<string, Bundle>();
  for (const [name, source] of PARTS) {
    const found = await bundle(source);
    made.set(name, found);
    const outside = found.imports.length > 0 ? `   imports ${found.imports.join(", ")}` : "";
    console.log(`  ${name.padEnd(38)} ${kB(found.minified).padStart(9)} ${kB(found.gzip).padStart(9)}${outside}`);
  }
  const times: Record<string, number[]> = { "Worker: app, engine, D1": [], "bare Hono app": [] };
  for (let round = 0; round < STARTS; round++) {
    const names = Object.keys(times);
    for (const name of round % 2 ? names.reverse() : names) times[name]!.push(await start(made.get(name)!.code));
  }
  console.log(`workerd from nothing to the first answer, median of ${STARTS} (the Worker's opens its database)`);
  for (const [name, list] of Object.entries(times)) console.log(`  ${name.padEnd(38)} ${Math.round(median(list))} ms`);
}
