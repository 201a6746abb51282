/**
 * Routes about the engine as a whole: tick, health, metrics, events, and the description of the API.
 */

import { formatDuration, parseDuration } from "../../../src/base/duration.ts";
import type { TickResult } from "../../../src/belfry.ts";
import { readStats } from "../../../src/engine/stats.ts";
import { Refusal } from "../problem.ts";
import * as wire from "../wire/core.ts";
import type { TickQuery } from "../wire/mod.ts";
import type { CallContext, RouteTable } from "./route.ts";
import type { BelfrySchema } from "./schema.ts";

function tick({ belfry, app, request }: CallContext, query: TickQuery): Promise<TickResult> {
  const { maxForMs, budget, maxJobs } = app.tick;
  if (query.for !== undefined && parseDuration(query.for, "for") > maxForMs) {
    throw new Refusal(
      "REQUEST_INVALID",
      `Cannot tick for ${query.for}: at most ${formatDuration(maxForMs)} is allowed here.`,
      {
        issues: [{ path: "query.for", message: `must be at most ${formatDuration(maxForMs)}` }],
      },
    );
  }
  // A caller that disconnects ends the tick; what is due stays due.
  const bounds = {
    ...(maxJobs === undefined ? {} : { maxJobs }),
    ...(budget === undefined || query.for !== undefined ? {} : { budget }),
  };
  return belfry.tick({ ...bounds, ...query, signal: request.signal });
}

const TICK = {
  summary: "Makes one bounded pass: fires what is due, runs what is ready.",
  scopes: ["tick"],
  narrowed: "open",
  query: wire.tickQuery,
  status: 200,
  acts: true,
  gives: wire.tickAnswer,
  run: (call: CallContext, { query }: { query: TickQuery }) => tick(call, query),
} as const;

type CorePath = "/tick" | "/health" | "/metrics" | "/events" | "/openapi.json";

/** Routes about the engine as a whole. */
export const coreRoutes: RouteTable<Pick<BelfrySchema, CorePath>> = {
  "/tick": {
    $post: { id: "tick", ...TICK },
    // Vercel and others can only GET.
    $get: { id: "tickByGet", ...TICK },
  },
  "/health": {
    $get: {
      id: "getHealth",
      summary: "Reports whether anything is wrong; what it is, only to callers with the scope read.",
      scopes: "public",
      narrowed: "open",
      query: wire.healthQuery,
      status: 200,
      also: { 503: "Something is wrong." },
      gives: wire.healthAnswer,
      async run(call, { query }) {
        // What is wrong may be about any schedule.
        const reads = call.access.allows(["read"]) && !call.access.narrowed;
        const { ok, ...report } = await call.belfry.health(reads ? query : {});
        if (!ok) call.status = 503;
        return reads ? { ok, ...report, problems: [...report.problems] } : { ok };
      },
    },
  },
  "/metrics": {
    $get: {
      id: "getMetrics",
      summary: "Depths, states and counters in the text format of Prometheus.",
      scopes: ["read"],
      narrowed: "refused",
      status: 200,
      gives: "text/plain",
      async run({ belfry, app }) {
        const text = app.metrics.write(await readStats(belfry.engine), belfry.engine.clock.now());
        return new Response(text, { headers: { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" } });
      },
    },
  },
  "/events": {
    $get: {
      id: "streamEvents",
      summary: "Streams events (server-sent events); Last-Event-ID continues where a stream broke off.",
      scopes: ["read"],
      narrowed: "refused",
      query: wire.eventsQuery,
      status: 200,
      gives: "text/event-stream",
      async run({ app, request }, { query }) {
        // A HEAD has no body to close, so it must not open a stream.
        if (request.method === "HEAD") return new Response(null, { headers: { "Content-Type": "text/event-stream" } });
        return app.feed.open(query, request.headers.get("Last-Event-ID") ?? undefined);
      },
    },
  },
  "/openapi.json": {
    $get: {
      id: "getOpenApi",
      summary: "This description.",
      scopes: "public",
      narrowed: "open",
      status: 200,
      gives: "application/json",
      async run({ app, request }) {
        // The server's address is the path under which the app is mounted.
        const base = new URL(request.url).pathname.replace(/\/openapi\.json$/, "") || "/";
        return { ...app.document(), servers: [{ url: base }] };
      },
    },
  },
};
