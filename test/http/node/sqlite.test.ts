/** The app's suite on SQLite files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { sqlite } from "../../../adapters/sqlite.ts";
import { appSuite } from "../suite.ts";

const folder = mkdtempSync(join(tmpdir(), "belfry-app-"));
let count = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

appSuite("SQLite", (test) => test(sqlite(join(folder, `${++count}.db`), { durability: "process" })));
