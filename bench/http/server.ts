/** The server under load: Node, one SQLite file, all routes. A process of its own, so that clients take none of its time. */
import process from "node:process";
import { createApp } from "../../adapters/hono/mod.ts";
import { serve } from "../../adapters/node.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";

const [path = ":memory:", token = ""] = process.argv.slice(2);
const belfry = new Belfry({
  storage: sqlite(path, { durability: process.argv[4] === "process" ? "process" : "disk" }),
});
const app = createApp(belfry, { auth: { tokens: [{ token, scopes: ["admin"] }] } });
// Only the clients tick: it is their ticks that are raced.
const served = await serve({ belfry, app, port: 0, run: false });
console.log(`listening on ${served.url}`);
await served.finished;
