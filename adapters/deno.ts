/**
 * Deno as a host: `Deno.cron` calls `tick()` once a minute, `Deno.serve` serves the app.
 *
 * `Deno.cron` remembers nothing over restarts, skips runs that overlap, counts weekdays from Sunday as 1 and panics at a
 * date that never comes. So it is given only `* * * * *`, and each call ticks until just before the next. Where it is missing
 * (the CLI without `--unstable-cron`) a plain loop runs instead, which is also the better choice on a server that stays up.
 * Both must be called at the top level of the main module.
 */
import {
  abortSignal,
  type Checks,
  checkOptions,
  flag,
  having,
  oneOf,
  optionsOf,
  text,
  whole,
} from "../src/base/options.ts";
import type { Belfry, TickOptions } from "../src/belfry.ts";
import { TICK_CHECKS } from "../src/drive.ts";

/** Anything that answers requests: a Hono app. */
export interface Fetcher {
  fetch(request: Request): Response | Promise<Response>;
}

/** The slice of `Deno` that is used. */
interface DenoLike {
  cron?(name: string, schedule: string, options: { signal?: AbortSignal }, handler: () => Promise<void>): Promise<void>;
  serve(
    options: { port?: number; hostname?: string; signal?: AbortSignal; onListen?: (address: Address) => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): { readonly addr: Address; readonly finished: Promise<void>; shutdown(): Promise<void> };
  addSignalListener(signal: "SIGINT" | "SIGTERM", handler: () => void): void;
  removeSignalListener(signal: "SIGINT" | "SIGTERM", handler: () => void): void;
}

interface Address {
  readonly hostname?: string;
  readonly port?: number;
}

/** Options of {@link serve}. */
export interface ServeOptions {
  belfry: Belfry;
  /** What answers requests: `createApp(belfry, { auth })`, or yours with it mounted. @default no server */
  app?: Fetcher;
  /** What calls `tick`: `Deno.cron`, a loop, or nothing in this process. @default "cron" where there is one, else "loop" */
  trigger?: "cron" | "loop" | "none";
  /** Bounds of a cron tick. @default `{ for: "55s" }` */
  tick?: TickOptions;
  /** @default 8000 */
  port?: number;
  /** @default "0.0.0.0" */
  hostname?: string;
  /** Stops: no new requests, running jobs drained, storage released. */
  signal?: AbortSignal;
  /** Stop at SIGINT and SIGTERM too. @default true */
  signals?: boolean;
}

const CHECKS: Checks<ServeOptions> = {
  belfry: having(["tick", "run", "close"], "a Belfry"),
  app: having(["fetch"], "an app"),
  trigger: oneOf(["cron", "loop", "none"]),
  tick: optionsOf(TICK_CHECKS),
  port: whole(0, 65_535),
  hostname: text,
  signal: abortSignal,
  signals: flag,
};

/** What {@link serve} started. */
export interface Served {
  /** Port that is listened on; undefined without app. */
  readonly port: number | undefined;
  /** Resolves when all has stopped. */
  readonly finished: Promise<void>;
  /** Stops, and resolves when all has stopped. */
  close(): Promise<void>;
}

/**
 * Serves the app and fires schedules.
 *
 * @example
 * ```ts ignore
 * import { Belfry } from "belfry";
 * import { serve } from "belfry/deno";
 * import { createApp } from "belfry/hono";
 * import { postgres } from "belfry/postgres";
 *
 * const belfry = new Belfry({ storage: postgres(Deno.env.get("DATABASE_URL")!) });
 * const app = createApp(belfry, { auth: { tokens: [{ token: Deno.env.get("TOKEN"), scopes: ["admin"] }] } });
 * serve({ belfry, app });
 * ```
 */
export function serve(options: ServeOptions): Served {
  checkOptions(options, "serve", CHECKS);
  CHECKS.belfry(options.belfry, "belfry", "serve");
  const { belfry, app, port, hostname, signals = true } = options;
  const deno = (globalThis as { Deno?: DenoLike }).Deno;
  if (!deno?.serve) throw new TypeError("Cannot serve: this runtime is not Deno; belfry/node is for Node and Bun");
  const stop = new AbortController();
  const trigger = options.trigger ?? (deno.cron ? "cron" : "loop");
  const { report } = belfry.engine;

  const running: Promise<unknown>[] = [];
  if (trigger === "loop") running.push(belfry.run({ signal: stop.signal }));
  if (trigger === "cron") {
    if (!deno.cron)
      throw new TypeError(
        "Cannot use the trigger cron: Deno.cron is missing; run with --unstable-cron, or use the trigger loop",
      );
    const tick = async (): Promise<void> => {
      const bounds = options.tick?.budget === undefined ? { for: "55s", ...options.tick } : options.tick;
      await belfry.tick({ ...bounds, signal: stop.signal });
    };
    running.push(deno.cron("belfry", "* * * * *", { signal: stop.signal }, tick));
  }
  const server = app
    ? deno.serve(
        {
          onListen: () => {},
          ...(port === undefined ? {} : { port }),
          ...(hostname === undefined ? {} : { hostname }),
        },
        (request) => app.fetch(request),
      )
    : undefined;

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      stop.abort();
      if (signals) for (const name of SIGNALS) deno.removeSignalListener(name, onSignal);
      await server?.shutdown();
      await Promise.all(running.map((part) => part.catch((error: unknown) => report(error, "running"))));
      await belfry.close();
    })();
    return closing;
  };
  const onSignal = (): void => void close().catch((error: unknown) => report(error, "stopping"));
  if (signals) for (const name of SIGNALS) deno.addSignalListener(name, onSignal);
  if (options.signal?.aborted) onSignal();
  else options.signal?.addEventListener("abort", onSignal, { once: true });

  const ended = Promise.all([...running, ...(server ? [server.finished] : [])]);
  // If a part cannot start (an unusable storage), the others stop and `finished` rejects.
  const finished = ended
    .then(() => close())
    .catch(async (error: unknown) => {
      await close();
      throw error;
    });
  finished.catch(() => {});
  return { port: server?.addr.port, finished, close };
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
