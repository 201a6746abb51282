/**
 * Node and Bun as a host: serves the app, runs the loop, and stops gracefully.
 *
 * It stops in this order, so that nothing is lost and nothing hangs: no new connections are accepted; the lease is given up
 * and running jobs are drained; requests in progress are answered; connections that are still open after `grace` (streams of
 * events never end by themselves) are closed; the storage is released. Node serves through `@hono/node-server`, Bun directly.
 */

import { delay, systemClock } from "../src/base/clock.ts";
import { type Duration, parseDuration } from "../src/base/duration.ts";
import {
  abortSignal,
  type Checks,
  checkOptions,
  duration,
  flag,
  having,
  optionsOf,
  text,
  whole,
} from "../src/base/options.ts";
import type { Belfry, RunOptions } from "../src/belfry.ts";

/** Anything that answers requests: a Hono app. */
export interface Fetcher {
  fetch(request: Request): Response | Promise<Response>;
}

/** What runs in the process that serves. */
export type ServeRunOptions = Pick<RunOptions, "work" | "schedule">;

/** Options of {@link serve}. */
export interface ServeOptions {
  belfry: Belfry;
  /** What answers requests: `createApp(belfry, { auth })`, or yours with it mounted. */
  app: Fetcher;
  /** Port to listen on; 0 takes a free one. @default 3000 */
  port?: number;
  /** Address to listen on. @default "127.0.0.1": nothing outside this host */
  hostname?: string;
  /** Fire schedules and run jobs in this process; `false`: only answer. @default true */
  run?: boolean | ServeRunOptions;
  /** How long requests may go on after the stop. @default "10s" */
  grace?: Duration;
  /** Stops. */
  signal?: AbortSignal;
  /** Stop at SIGINT and SIGTERM too. @default true */
  signals?: boolean;
}

const RUN_CHECKS: Checks<ServeRunOptions> = { work: flag, schedule: flag };
const RUN = optionsOf(RUN_CHECKS);
const CHECKS: Checks<ServeOptions> = {
  belfry: having(["tick", "run", "close"], "a Belfry"),
  app: having(["fetch"], "an app"),
  port: whole(0, 65_535),
  hostname: text,
  run: (value, name, of) => {
    if (typeof value !== "boolean") RUN(value, name, of);
  },
  grace: duration(),
  signal: abortSignal,
  signals: flag,
};

/** What {@link serve} started. */
export interface Served {
  readonly port: number;
  readonly url: string;
  /** Resolves when all has stopped; rejects when the loop could not start. */
  readonly finished: Promise<void>;
  /** Stops, and resolves when all has stopped. */
  close(): Promise<void>;
}

/** A server of either runtime. */
interface Listening {
  port: number;
  /** Accepts no new connections; resolves when the last request is answered. */
  stop(): Promise<void>;
  /** Closes all open connections. */
  cut(): void;
}

/** The slice of `process` that is used, in Node and Bun alike. */
interface ProcessLike {
  on(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", handler: () => void): unknown;
}

interface BunLike {
  serve(options: { port: number; hostname: string; idleTimeout: number; fetch: Fetcher["fetch"] }): {
    port: number;
    stop(force?: boolean): Promise<void>;
  };
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Serves the app and runs the loop until stopped.
 *
 * @returns when it listens
 * @throws what opening the port throws; `ERR_MODULE_NOT_FOUND` where `@hono/node-server` is not installed (Node)
 *
 * @example
 * ```ts no-run
 * import { Belfry } from "belfry";
 * import { createApp } from "belfry/hono";
 * import { serve } from "belfry/node";
 * import { sqlite } from "belfry/sqlite";
 *
 * const belfry = new Belfry({ storage: sqlite("app.db") });
 * const app = createApp(belfry, { auth: { tokens: [{ token: process.env.TOKEN, scopes: ["admin"] }] } });
 * const served = await serve({ belfry, app, port: 3000 });
 * console.log(`listening on ${served.url}`);
 * await served.finished;
 * ```
 */
export async function serve(options: ServeOptions): Promise<Served> {
  checkOptions(options, "serve", CHECKS);
  CHECKS.belfry(options.belfry, "belfry", "serve");
  CHECKS.app(options.app, "app", "serve");
  const { belfry, app, port = 3000, hostname = "127.0.0.1", run = true, signals = true } = options;
  const graceMs = parseDuration(options.grace ?? "10s", "grace");
  const { report } = belfry.engine;
  const { Bun: bun, process } = globalThis as { Bun?: BunLike; process?: ProcessLike };
  const listening = await (bun ? listenInBun(bun, app, port, hostname) : listenInNode(app, port, hostname));
  const stop = new AbortController();
  const running = run === false ? undefined : belfry.run({ ...(run === true ? {} : run), signal: stop.signal });

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      for (const name of SIGNALS) process?.off(name, onSignal);
      options.signal?.removeEventListener("abort", onSignal);
      stop.abort();
      const answered = listening.stop();
      await running?.catch((error: unknown) => report(error, "running"));
      const waiting = new AbortController();
      const cut = delay(systemClock, graceMs, waiting.signal).then((passed) => passed && listening.cut());
      await answered;
      waiting.abort();
      await cut;
      await belfry.close();
    })();
    return closing;
  };
  const onSignal = (): void => void close().catch((error: unknown) => report(error, "stopping"));
  if (signals) for (const name of SIGNALS) process?.on(name, onSignal);
  if (options.signal?.aborted) onSignal();
  else options.signal?.addEventListener("abort", onSignal, { once: true });

  const ended =
    running ?? new Promise<void>((resolve) => stop.signal.addEventListener("abort", () => resolve(), { once: true }));
  const finished = ended.then(close, async (error: unknown) => {
    await close();
    throw error;
  });
  finished.catch(() => {});
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return { port: listening.port, url: `http://${host}:${listening.port}`, finished, close };
}

async function listenInBun(bun: BunLike, app: Fetcher, port: number, hostname: string): Promise<Listening> {
  // Streams of events are silent for longer than the usual idle timeout.
  const server = bun.serve({ port, hostname, idleTimeout: 60, fetch: (request) => app.fetch(request) });
  return { port: server.port, stop: () => server.stop(), cut: () => void server.stop(true) };
}

async function listenInNode(app: Fetcher, port: number, hostname: string): Promise<Listening> {
  const { createAdaptorServer } = await import("@hono/node-server");
  const server = createAdaptorServer({ fetch: (request: Request) => app.fetch(request) });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
    cut: () => "closeAllConnections" in server && server.closeAllConnections(),
  };
}
