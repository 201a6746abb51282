/** Registers the three schedules and exits; `worker.ts`, on the same file, does the rest. Running it again changes nothing. */
import { createReporter, readSettings } from "./report.ts";

const { belfry, register } = await createReporter(readSettings());
for (const { name, status, nextAt } of await register()) {
  console.log(`${status} ${name} next ${nextAt === null ? "never" : new Date(nextAt).toISOString()}`);
}
await belfry.close();
