import { defineConfig } from "vitest/config";

// The suite that runs on Node. test/runtimes/ runs a part of it on the other runtimes; tests under a folder named
// `workerd` need that runtime and are left to its own configuration.
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/**/workerd/**", "test/long/**"],
    pool: "threads",
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
