/** Works on what `register.ts` left in the file: fires what is due and runs the jobs. Start as many as you like. */
import { createReporter, printProgress, readSettings, stopSignal } from "./report.ts";

const settings = readSettings();
const reporter = await createReporter(settings);
console.log(`works on ${settings.db}`);
printProgress(reporter);
await reporter.belfry.run({ signal: stopSignal() });
await reporter.belfry.close();
