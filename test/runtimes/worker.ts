/**
 * The Worker that the workerd suite runs beside: its bindings are what the tests use.
 *
 * `DB` is a D1 database; `BELLS` are Durable Objects that ring by themselves; the Worker itself is the app on D1, with the
 * cron handler. Real clock, real alarms.
 */
import { belfryObject, cloudflare, type ObjectStateLike } from "../../adapters/cloudflare.ts";
import { type D1Database, d1 } from "../../adapters/d1.ts";
import { type DurableObjectStorage, durableObject } from "../../adapters/durable_object.ts";
import { createApp } from "../../adapters/hono/mod.ts";
import { Belfry } from "../../mod.ts";
import type { Storage } from "../../src/storage/port.ts";

/** The bindings. */
export interface TestEnv {
  DB: D1Database;
  BELLS: object;
}

/** Opens everything in the tests' Worker. */
export const TOKEN = "admin-token-012345678";

function engine(storage: Storage): Belfry {
  const belfry = new Belfry({ storage, onError: (error, during) => console.warn(during, String(error)) });
  belfry.task("ring", (ctx) => ({ schedule: ctx.job.schedule, at: ctx.job.scheduledAt, ranAt: ctx.now() }));
  belfry.task(
    "steps",
    async (ctx, input: { crash?: boolean }) => {
      const first = await ctx.step("first", () => "one");
      await ctx.sleep("nap", "300ms");
      if (input?.crash && ctx.job.attempt === 1) throw new Error("once");
      return [first, await ctx.step("second", () => "two"), ctx.job.attempt];
    },
    { retry: { maxAttempts: 3, initial: "100ms", backoff: "constant", jitter: "none" } },
  );
  return belfry;
}

const auth = { tokens: [{ token: TOKEN, scopes: ["admin" as const] }] };

type State = ObjectStateLike & { storage: DurableObjectStorage };

/** An object with schedules and jobs of its own. */
export class Bell extends belfryObject<TestEnv, State>({
  belfry: (state) => engine(durableObject(state.storage)),
  app: (belfry) => createApp(belfry, { auth }),
}) {}

/** An object that does nothing by itself: tests of the storage run inside of it. */
export class StorageObject {
  fetch(): Response {
    return new Response("belfry test object");
  }
}

export default cloudflare<TestEnv>({
  belfry: (env) => engine(d1(env.DB)),
  app: (belfry) => createApp(belfry, { auth }),
});
