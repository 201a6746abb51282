/**
 * Does the libSQL adapter fulfil the port on an embedded replica, whose batches run on the primary? The whole
 * conformance kit.
 *
 * A new replica replays everything that its primary ever wrote, so cases share clients and tables, and tables are
 * emptied on the primary, in one request.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, createClient } from "@libsql/client";
import { afterAll, beforeAll } from "vitest";
import { type SqldEngine, startSqld } from "../engines/sqld.ts";
import { libsqlKit } from "./libsql_kit.ts";

const folder = mkdtempSync(join(tmpdir(), "belfry-replica-"));
let primary: SqldEngine;
let made = 0;

beforeAll(async () => {
  primary = await startSqld({ primary: true });
});
afterAll(async () => {
  await primary?.dispose();
  rmSync(folder, { recursive: true, force: true });
});

libsqlKit(
  "on an embedded replica",
  () => createClient({ url: `file:${join(folder, `${made++}.db`)}`, syncUrl: primary.url, timeout: 5_000 } as Config),
  { replica: true, direct: () => createClient({ url: primary.url }) },
);
