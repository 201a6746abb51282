/** The app's suite on SQLite files. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { createApp } from "../../../../adapters/hono/mod.ts";
import { sqlite } from "../../../../adapters/sqlite.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { Belfry } from "../../../../src/belfry.ts";
import { appSuite } from "../suite.ts";

const folder = mkdtempSync(join(tmpdir(), "belfry-app-"));
let count = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

appSuite("SQLite", (test) => test(sqlite(join(folder, `${++count}.db`), { durability: "process" })));

it("/events says `change` when another program enqueues on the same file", async () => {
  const path = join(folder, "shared.db");
  const here = new Belfry({ storage: sqlite(path), logger: silentLogger });
  const there = new Belfry({ storage: sqlite(path), logger: silentLogger });
  const response = await createApp(here, { auth: "none" }).request("/events?name=change");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await there.enqueue("t");
  let text = "";
  while (!text.includes("event: change")) text += (await reader.read()).value ?? "";
  expect(text).toMatch(/event: change\nid: \S+\ndata: \{"at":\d+,"wake":"(jobs|any)"\}/);
  await reader.cancel();
  await here.close();
  await there.close();
});
