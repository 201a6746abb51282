/**
 * Node or Bun: one process that answers requests, fires schedules and runs jobs, on one SQLite file.
 *
 *   BELFRY_TOKEN=$(openssl rand -hex 32) node examples/node/main.ts
 *   BELFRY_TOKEN=$(openssl rand -hex 32) bun examples/node/main.ts
 *
 * In a project of yours the imports are "belfry", "belfry/hono", "belfry/node" and "belfry/sqlite".
 */
import process from "node:process";
import { createApp } from "../../adapters/hono/mod.ts";
import { serve } from "../../adapters/node.ts";
import { sqlite } from "../../adapters/sqlite.ts";
import { Belfry } from "../../mod.ts";

const { BELFRY_TOKEN, BELFRY_DB = "belfry.db", PORT = "3000" } = process.env;

const belfry = new Belfry({ storage: sqlite(BELFRY_DB) });
const greet = belfry.task("greet", async (ctx, input: { name: string }) => {
  const text = await ctx.step("write", () => `Hello ${input.name}`);
  console.log(`${text}, from ${ctx.job.schedule ?? "a request"}`);
  return text;
});
await belfry.schedule("every-minute", "* * * * *", greet, { input: { name: "minute" } });

const app = createApp(belfry, { auth: { tokens: [{ token: BELFRY_TOKEN, scopes: ["admin"] }] } });
const served = await serve({ belfry, app, port: Number(PORT) });
console.log(`listening on ${served.url}`);
await served.finished;
console.log("stopped");
