/**
 * Runs examples one after the other in one process, which loads the library once: `node run_examples.ts FILE...`.
 *
 * Exit code 0 says that each of them ran to its end and left nothing behind that fails or goes on; otherwise the caller runs
 * each in a process of its own to find out which failed.
 */
import { pathToFileURL } from "node:url";

for (const file of process.argv.slice(2)) await import(pathToFileURL(file).href);
