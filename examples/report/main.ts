/** `npm start`: registers the schedules and runs, in one process on one SQLite file. Kill it, start it: it catches up. */
import { createReporter, printProgress, readSettings, stopSignal } from "./report.ts";

const settings = readSettings();
const reporter = await createReporter(settings);
const signal = stopSignal();
printProgress(reporter);

for (const { name, status, nextAt } of await reporter.register()) {
  console.log(
    `${status.padEnd(9)}  ${name.padEnd(16)}  next ${nextAt === null ? "never" : new Date(nextAt).toISOString()}`,
  );
}
console.log(`running on ${settings.db}, reports go to ${settings.out}; stop with Ctrl-C, or kill -9 and start again`);
await reporter.belfry.run({ signal });
await reporter.belfry.close();
