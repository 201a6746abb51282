/**
 * Which real engines do the tests of the storages share? Vitest's global setup: one Postgres and one sqld for the run,
 * started side by side, their addresses provided to the tests.
 */
import type { TestProject } from "vitest/node";
import { startPostgres } from "./postgres.ts";
import { startSqld } from "./sqld.ts";

declare module "vitest" {
  interface ProvidedContext {
    postgresUrl: string;
    sqldUrl: string;
  }
}

/** Starts the engines. @returns what ends them */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, sqld] = await Promise.all([startPostgres(), startSqld()]);
  project.provide("postgresUrl", postgres.url);
  project.provide("sqldUrl", sqld.url);
  return async () => {
    await Promise.all([postgres.dispose(), sqld.dispose()]);
  };
}
