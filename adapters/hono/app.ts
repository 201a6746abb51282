/**
 * The HTTP interface of a Belfry: a Hono app to mount under any path of another app, or to serve by itself.
 *
 * One function serves every row of the table of routes, always in the same order: authenticate, check the scope, validate
 * path, query and body, check what a narrowed token reaches; then the route's function is called. Nothing is written before
 * all checks have passed. Every error is answered as a problem (`problem.ts`): no stack and no text of a database leaves
 * the process.
 */
import type { Context, MiddlewareHandler } from "hono";
// On the edge an app may be made for each request: this router is set up four times as fast, and serves as fast.
import { Hono } from "hono/quick";
import { type Duration, parseDuration } from "../../src/base/duration.ts";
import {
  anything,
  type Checks,
  callback,
  checkOptions,
  duration,
  listOf,
  optionsOf,
  whole,
} from "../../src/base/options.ts";
import type { Belfry, TickOptions } from "../../src/belfry.ts";
import { TICK_CHECKS } from "../../src/drive.ts";
import { Access } from "./access.ts";
import { type Auth, Gate } from "./auth.ts";
import { check, queryOf, readJsonBody } from "./body.ts";
import { digest, hexOf } from "./digest.ts";
import { EventFeed } from "./events.ts";
import { Metrics } from "./metrics.ts";
import { openApiDocument } from "./openapi.ts";
import { problemOf, Refusal } from "./problem.ts";
import { checkReach, type Named } from "./reach.ts";
import { coreRoutes } from "./routes/core.ts";
import { jobProtocolRoutes } from "./routes/job_protocol.ts";
import { jobRoutes } from "./routes/jobs.ts";
import { occurrenceRoutes } from "./routes/occurrences.ts";
import { queueRoutes } from "./routes/queues.ts";
import type { AnyRoute, AppParts, RouteTable } from "./routes/route.ts";
import { scheduleRoutes } from "./routes/schedules.ts";
import type { BelfryApp, BelfrySchema } from "./routes/schema.ts";
import { storageProtocolRoutes } from "./routes/storage_protocol.ts";
import { checkSignature, SIGNATURE_HEADER } from "./signature.ts";
import { VERSION } from "./version.ts";
import { problem as problemSchema } from "./wire/common.ts";

/** Options of {@link createApp}. */
export interface AppOptions {
  /** Who may do what. Nothing starts without it: write `"none"` to open the app to everybody. */
  auth: Auth;
  /** Largest body that is read, in bytes. @default 2 MiB */
  maxBodyBytes?: number;
  /** Bounds of a tick that is called over HTTP. */
  tick?: TickBounds;
  /** How many clients may listen to `/events` at once. @default 100 */
  maxStreams?: number;
  /** Runs before every route: `cors()` of `hono/cors`, a logger, an IP filter. @default none, so no CORS */
  middleware?: readonly MiddlewareHandler[];
}

/** Bounds of a tick that is called over HTTP. */
export interface TickBounds extends Pick<TickOptions, "budget" | "maxJobs"> {
  /** The longest `?for=`; a second or more. @default "5m" */
  maxFor?: Duration;
}

const MAX_BODY_BYTES = 2_097_152;

const TICK_BOUNDS_CHECKS: Checks<TickBounds> = {
  budget: TICK_CHECKS.budget,
  maxJobs: TICK_CHECKS.maxJobs,
  maxFor: duration({ minMs: 1_000 }),
};
const CHECKS: Checks<AppOptions> = {
  // The `Gate` checks it.
  auth: anything,
  maxBodyBytes: whole(1, Number.MAX_SAFE_INTEGER),
  tick: optionsOf(TICK_BOUNDS_CHECKS),
  maxStreams: whole(0, Number.MAX_SAFE_INTEGER),
  middleware: listOf(callback),
};

/** All routes. */
const ROUTES: RouteTable<BelfrySchema> = {
  ...coreRoutes,
  ...occurrenceRoutes,
  ...scheduleRoutes,
  ...jobRoutes,
  ...queueRoutes,
  ...jobProtocolRoutes,
  ...storageProtocolRoutes,
};
/** The same where their types do not matter: each validates its own input before its function is called. */
const TABLE = ROUTES as object as Readonly<Record<string, Readonly<Record<string, AnyRoute>>>>;

const SECURE: Readonly<Record<string, string>> = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/**
 * Makes the app.
 *
 * @param belfry the engine that it exposes; the app neither runs nor closes it
 * @returns a Hono app: serve its `fetch`, or mount it with `app.route("/belfry", createApp(...))`
 * @throws BelfryError `OPTION_INVALID` without `auth`, and where a token or secret in it cannot protect anything
 *
 * @example
 * ```ts
 * import { Belfry } from "belfry";
 * import { memory } from "belfry/memory";
 * import { createApp } from "belfry/hono";
 *
 * const belfry = new Belfry({ storage: memory() });
 * const app = createApp(belfry, {
 *   auth: { tokens: [{ token: "a-long-random-text", scopes: ["tick", "read"] }] },
 * });
 * const answer = await app.request("/tick", {
 *   method: "POST",
 *   headers: { Authorization: "Bearer a-long-random-text" },
 * });
 * if (answer.status !== 200) throw new Error(await answer.text());
 * await belfry.close();
 * ```
 */
export function createApp(belfry: Belfry, options: AppOptions): BelfryApp {
  checkOptions(options ?? {}, "createApp", CHECKS);
  const { auth, maxBodyBytes = MAX_BODY_BYTES, tick = {}, maxStreams = 100, middleware = [] } = options ?? {};
  const gate = new Gate(auth);
  const { maxFor = "5m", ...bounds } = tick;
  let document: object | undefined;
  const parts: AppParts = {
    metrics: new Metrics(belfry),
    feed: new EventFeed(belfry, maxStreams),
    document: () => {
      document ??= openApiDocument(TABLE, {
        version: VERSION,
        problem: problemSchema,
        signing: gate.signing !== undefined,
      });
      return document;
    },
    tick: { ...bounds, maxForMs: parseDuration(maxFor, "tick.maxFor") },
  };
  const server = new Server(belfry, gate, parts, maxBodyBytes);
  const app: BelfryApp = new Hono<object, BelfrySchema, "/">();
  for (const handler of middleware) app.use("*", handler);
  for (const [path, methods] of Object.entries(TABLE)) {
    for (const [method, route] of Object.entries(methods)) {
      app.on(method.slice(1).toUpperCase(), path, (c) => server.answer(c, route));
    }
  }
  for (const [path, methods] of Object.entries(TABLE)) {
    // A schedule may be named "forecast": methods that this path does not take belong to the path of a schedule.
    if (Object.keys(TABLE).some((other) => other !== path && covers(other, path))) continue;
    const allowed = Object.keys(methods).map((method) => method.slice(1).toUpperCase());
    app.all(path, (c) => server.refuse(c, wrongMethod(c, allowed)));
  }
  app.notFound((c) => server.refuse(c, new Refusal("NOT_FOUND", "No route has this path; /openapi.json lists all.")));
  app.onError((error, c) => server.refuse(c, error));
  return app;
}

/** Whether a path with parameters also fits another path. */
function covers(pattern: string, path: string): boolean {
  const parts = path.split("/");
  const wanted = pattern.split("/");
  return parts.length === wanted.length && wanted.every((part, i) => part === parts[i] || part.startsWith(":"));
}

function wrongMethod(c: Context, allowed: string[]): Refusal {
  const list = allowed.includes("GET") ? [...allowed, "HEAD"] : allowed;
  return new Refusal("METHOD_NOT_ALLOWED", `Cannot ${c.req.method} this path; it takes ${list.join(", ")}.`, {
    headers: { Allow: list.join(", ") },
  });
}

/** Serves the routes of the table. */
class Server {
  readonly #belfry: Belfry;
  readonly #gate: Gate;
  readonly #parts: AppParts;
  readonly #maxBodyBytes: number;

  constructor(belfry: Belfry, gate: Gate, parts: AppParts, maxBodyBytes: number) {
    this.#belfry = belfry;
    this.#gate = gate;
    this.#parts = parts;
    this.#maxBodyBytes = maxBodyBytes;
  }

  async answer(c: Context, route: AnyRoute): Promise<Response> {
    try {
      return secured(await this.#serve(c, route));
    } catch (error) {
      return this.refuse(c, error);
    }
  }

  refuse(c: Context, error: unknown): Response {
    // A path has names in it, never payloads or tokens, so it may be logged.
    const report = (cause: unknown): void => this.#belfry.engine.report(cause, `${c.req.method} ${c.req.path}`);
    return secured(problemOf(error, report));
  }

  async #serve(c: Context, route: AnyRoute): Promise<Response> {
    const request = c.req.raw;
    const access = await this.#admit(request, route);
    const param = route.param ? check(route.param, c.req.param(), "path") : undefined;
    const query = route.query ? check(route.query, queryOf(c), "query") : undefined;
    const json = route.json ? check(route.json, await readJsonBody(request, this.#maxBodyBytes), "body") : undefined;
    const call = { belfry: this.#belfry, app: this.#parts, request, access, status: route.status };
    if (access.narrowed) await checkReach(this.#belfry, access, route, (param ?? {}) as Named);
    const given = await route.run(call, { param, query, json });
    if (given instanceof Response) return given;
    const text = JSON.stringify(given);
    const headers = { "Content-Type": "application/json" };
    if (route.acts || (request.method !== "GET" && request.method !== "HEAD")) {
      return new Response(text, { status: call.status, headers: { ...headers, "Cache-Control": "no-store" } });
    }
    return tagged(request, text, call.status, headers);
  }

  async #admit(request: Request, route: AnyRoute): Promise<Access> {
    const now = this.#belfry.engine.clock.now();
    const { scopes } = route;
    if (scopes === "public") return (await this.#gate.accessOf(request, now)) ?? new Access([]);
    const { signing } = this.#gate;
    if (signing && scopes.includes("tick") && request.headers.has(SIGNATURE_HEADER)) {
      await checkSignature(signing, request, now);
      return new Access(["tick"]);
    }
    return await this.#gate.check(request, scopes, now);
  }
}

/** Answers a read with an ETag, or with 304 where nothing has changed. */
async function tagged(
  request: Request,
  text: string,
  status: number,
  headers: Record<string, string>,
): Promise<Response> {
  const tag = `W/"${hexOf(await digest(text)).slice(0, 32)}"`;
  const all = { ...headers, ETag: tag, "Cache-Control": "private, no-cache", Vary: "Authorization" };
  const known = request.headers.get("If-None-Match")?.match(/"[^"]*"|\*/g) ?? [];
  if (status === 200 && known.some((other) => other === "*" || `W/${other}` === tag)) {
    return new Response(null, { status: 304, headers: all });
  }
  return new Response(text, { status, headers: all });
}

function secured(response: Response): Response {
  for (const [name, value] of Object.entries(SECURE)) response.headers.set(name, value);
  return response;
}
