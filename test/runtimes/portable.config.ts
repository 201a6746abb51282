import { defineConfig } from "vitest/config";

// What every runtime runs (Deno, Bun, Node 22 and 24): tests that use no Node built-in, start no server and move their
// own clock. Folders named `node` hold the others. The older Nodes differ from the newest in what `cron` rests on and in
// `node:sqlite`, so they run those rooms and the smoke suite.
const rooms = (process.env["BELFRY_STAGE"] ?? "").startsWith("node2")
  ? "{cron,smoke,belfry}"
  : "{base,cron,smoke,belfry,task,engine,job,execution,schedule,tick,worker,memory,testing,adapters/hono}";

export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    include: [`test/${rooms}/**/*.test.ts`, "test/adapters/{memory,sqlite,client,hosts}.test.ts"],
    exclude: ["**/node_modules/**", "**/node/**", "**/workerd/**", "test/long/**"],
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
