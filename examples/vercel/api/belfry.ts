/**
 * Vercel: one function that answers everything under /api/belfry, and is rung by Vercel's cron.
 *
 * Vercel calls `GET /api/belfry/tick` once a minute with `Authorization: Bearer $CRON_SECRET` (vercel.json): that secret
 * is a token with the scope `tick`. The function's own limit is what the budget must stay under. In a project of yours
 * the imports are "belfry", "belfry/hono" and "belfry/postgres" or "belfry/libsql".
 */
import process from "node:process";
import { Hono } from "hono";
import { createApp } from "../../../adapters/hono/mod.ts";
import { Belfry } from "../../../mod.ts";
import { openStorage } from "../storage.ts";

const belfry = new Belfry({ storage: openStorage(), drain: "5s" });
const report = belfry.task("report", async (ctx) => ctx.step("count", () => 42));

/** Registered at every cold start, which changes nothing when it is stored already. */
const registered = belfry.schedule("daily-report", "0 9 * * MON-FRI", report, { timeZone: "Europe/Berlin" });

const app = new Hono().route(
  "/api/belfry",
  createApp(belfry, {
    auth: {
      tokens: [
        { token: process.env["CRON_SECRET"], scopes: ["tick"] },
        { token: process.env["BELFRY_TOKEN"], scopes: ["admin"] },
      ],
    },
    // The plan's limit is 60 s here: begin nothing after 40, and give back what still runs 5 s later.
    tick: { budget: "40s" },
  }),
);

async function handle(request: Request): Promise<Response> {
  await registered;
  return app.fetch(request);
}

export const GET = handle;
export const POST = handle;
export const PUT = handle;
export const PATCH = handle;
export const DELETE = handle;
