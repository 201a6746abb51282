import { fileURLToPath } from "node:url";
import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

// Real workerd: the portable suites without SQLite files, and the folders named `workerd`, which use D1 and Durable
// Objects. nodejs_compat is there for Vitest itself; test/house proves that a bundle of ours needs no Node built-in.
export default defineConfig({
  root: fileURLToPath(new URL("../..", import.meta.url)),
  plugins: [
    cloudflareTest({
      main: fileURLToPath(new URL("./worker.ts", import.meta.url)),
      miniflare: {
        compatibilityDate: "2026-10-01",
        compatibilityFlags: ["nodejs_compat"],
        d1Databases: ["DB"],
        durableObjects: {
          BELLS: { className: "Bell", useSQLite: true },
          STORAGE: { className: "StorageObject", useSQLite: true },
        },
        bindings: { BELFRY_STAGE: "workerd" },
      },
    }),
  ],
  test: {
    include: [
      "test/**/workerd/**/*.test.ts",
      "test/{base,cron,belfry,task,engine,job,execution,schedule,tick,worker,memory,testing,adapters/hono}/**/*.test.ts",
      "test/adapters/memory.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/node/**", "test/long/**"],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
