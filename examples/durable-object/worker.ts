/**
 * Cloudflare Durable Objects: each object is a Belfry of its own, with its own storage, and wakes itself by its alarm
 * exactly when something is due. No cron trigger, no database.
 *
 *   openssl rand -hex 32 | npx wrangler secret put BELFRY_TOKEN
 *   npx wrangler deploy
 *
 * `/north/schedules/...` goes to the object "north": a tenant, a room, a user. In a project of yours the imports are
 * "belfry", "belfry/cloudflare", "belfry/durable-object" and "belfry/hono".
 */
import { belfryObject, type ObjectStateLike } from "../../adapters/cloudflare.ts";
import { type DurableObjectStorage, durableObject } from "../../adapters/durable_object.ts";
import { createApp } from "../../adapters/hono/mod.ts";
import { Belfry } from "../../mod.ts";

type State = ObjectStateLike & { storage: DurableObjectStorage };

interface Env {
  BELLS: { getByName(name: string): { fetch(request: Request): Promise<Response> } };
  BELFRY_TOKEN: string;
}

export class Bell extends belfryObject<Env, State>({
  belfry(state) {
    const belfry = new Belfry({ storage: durableObject(state.storage) });
    belfry.task("greet", async (ctx, input: { name: string }) => ctx.step("write", () => `Hello ${input.name}`));
    return belfry;
  },
  app: (belfry, env) => createApp(belfry, { auth: { tokens: [{ token: env.BELFRY_TOKEN, scopes: ["admin"] }] } }),
}) {}

export default {
  fetch(request: Request, env: Env): Promise<Response> | Response {
    const url = new URL(request.url);
    const [, bell = "", ...rest] = url.pathname.split("/");
    if (bell === "") return new Response("Which bell? /<name>/schedules", { status: 404 });
    url.pathname = `/${rest.join("/")}`;
    return env.BELLS.getByName(decodeURIComponent(bell)).fetch(new Request(url, request));
  },
};
