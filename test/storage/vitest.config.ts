/** The tests of the storages that need servers; `vitest.config.ts` in the root may take this setup over. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/storage/**/*.test.ts"],
    exclude: ["**/node_modules/**", "test/**/workerd/**"],
    globalSetup: ["test/engines/setup.ts"],
    pool: "threads",
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
