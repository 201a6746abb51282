/**
 * Deno Deploy: `Deno.cron` rings once a minute, `Deno.serve` answers.
 *
 *   BELFRY_TOKEN=$(openssl rand -hex 32) deno run -A --unstable-cron examples/deno-deploy/main.ts
 *
 * On Deploy several isolates may run: use a database that all of them reach (DATABASE_URL). In a project of yours the
 * imports are "@belfry/belfry", "@belfry/belfry/hono", ... from JSR.
 */
import process from "node:process";
import { serve } from "../../adapters/deno.ts";
import { createApp } from "../../adapters/hono/mod.ts";
import { Belfry } from "../../mod.ts";
import { openStorage } from "../vercel/storage.ts";

const belfry = new Belfry({ storage: openStorage() });
const greet = belfry.task("greet", async (ctx, input: { name: string }) => {
  const text = await ctx.step("write", () => `Hello ${input.name}`);
  console.log(`${text}, from ${ctx.job.schedule ?? "a request"}`);
  return text;
});
await belfry.schedule("every-minute", "* * * * *", greet, { input: { name: "minute" } });

const app = createApp(belfry, { auth: { tokens: [{ token: process.env["BELFRY_TOKEN"], scopes: ["admin"] }] } });
const served = serve({ belfry, app, port: Number(process.env["PORT"] ?? 8000) });
console.log(`listening on http://127.0.0.1:${served.port}`);
await served.finished;
console.log("stopped");
