/**
 * Cloudflare Workers with D1: the cron trigger rings once a minute, requests are answered by the app.
 *
 *   npx wrangler d1 create belfry                 (put its id into wrangler.jsonc)
 *   openssl rand -hex 32 | npx wrangler secret put BELFRY_TOKEN
 *   npx wrangler deploy
 *   npx wrangler dev                              tries it here; then: curl 'http://localhost:8787/cdn-cgi/handler/scheduled'
 *
 * In a project of yours the imports are "belfry", "belfry/cloudflare", "belfry/d1" and "belfry/hono".
 */
import { cloudflare } from "../../adapters/cloudflare.ts";
import { type D1Database, d1 } from "../../adapters/d1.ts";
import { createApp } from "../../adapters/hono/mod.ts";
import { Belfry } from "../../mod.ts";

interface Env {
  DB: D1Database;
  BELFRY_TOKEN: string;
}

export default cloudflare<Env>({
  belfry(env) {
    const belfry = new Belfry({ storage: d1(env.DB) });
    belfry.task("greet", async (ctx, input: { name: string }) => {
      const text = await ctx.step("write", () => `Hello ${input.name}`);
      ctx.log.info(text);
      return text;
    });
    return belfry;
  },
  app: (belfry, env) => createApp(belfry, { auth: { tokens: [{ token: env.BELFRY_TOKEN, scopes: ["admin"] }] } }),
});
