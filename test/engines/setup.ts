/**
 * Which real servers do tests share? Vitest's global setup starts one PostgreSQL and one sqld for the run and provides their
 * addresses to the tests.
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

/** Starts the servers. @returns a function that ends them */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, sqld] = await Promise.all([startPostgres(), startSqld()]);
  project.provide("postgresUrl", postgres.url);
  project.provide("sqldUrl", sqld.url);
  return async () => {
    await Promise.all([postgres.dispose(), sqld.dispose()]);
  };
}
