/** The slice of `cloudflare:test` that the tests use, typed here: its own types come with a package of their own. */

import type { BelfryObject } from "../../../../adapters/cloudflare.ts";
import type { D1Database } from "../../../../adapters/d1.ts";
import type { DurableObjectStorage } from "../../../../adapters/durable_object.ts";

/** A Durable Object from outside. */
export interface Stub {
  fetch(request: Request): Promise<Response>;
}

/** Its state from inside. */
export interface State {
  storage: DurableObjectStorage & {
    getAlarm(): Promise<number | null>;
    setAlarm(at: number): Promise<void>;
    deleteAlarm(): Promise<void>;
  };
}

interface CloudflareTest {
  env: { DB: D1Database; BELLS: { idFromName(name: string): object; get(id: object): Stub } };
  SELF: Stub;
  runInDurableObject<T>(stub: Stub, run: (bell: BelfryObject, state: State) => Promise<T>): Promise<T>;
  evictDurableObject(stub: Stub): Promise<void>;
}

const name = "cloudflare:test";
export const { env, SELF, runInDurableObject, evictDurableObject } = (await import(
  /* @vite-ignore */ name
)) as CloudflareTest;

/** The object of a name. */
export function bell(of: string): Stub {
  return env.BELLS.get(env.BELLS.idFromName(of));
}
