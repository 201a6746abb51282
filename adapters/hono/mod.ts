/**
 * The HTTP interface of Belfry: a Hono app with every route, and its types for Hono's typed client.
 *
 * @example
 * ```ts
 * import { Belfry } from "belfry";
 * import { memory } from "belfry/memory";
 * import { type BelfryApp, createApp } from "belfry/hono";
 * import { hc } from "hono/client";
 *
 * const belfry = new Belfry({ storage: memory() });
 * const app = createApp(belfry, { auth: { tokens: [{ token: "a-long-random-text", scopes: ["admin"] }] } });
 *
 * const client = hc<BelfryApp>("http://belfry.test", {
 *   headers: { Authorization: "Bearer a-long-random-text" },
 *   fetch: app.request,
 * });
 * const answer = await client.jobs.$post({ json: { task: "report", input: { userId: 7 }, key: "report-7" } });
 * if (!answer.ok) throw new Error((await answer.json()).detail);
 * console.log((await answer.json()).id);
 * await belfry.close();
 * ```
 *
 * @module
 */

export type { Reach, Scope } from "./access.ts";
export { type AppOptions, createApp, type TickBounds } from "./app.ts";
export type { Auth, AuthOptions, Grant, TokenRule, Verifier } from "./auth.ts";
export type { HttpCode, ProblemStatus } from "./problem.ts";
export type { Call, CallArguments, CallInput, QueryText } from "./routes/route.ts";
export type { BelfryApp, BelfrySchema } from "./routes/schema.ts";
export { SIGNATURE_HEADER, type SigningOptions, signTick, type TickCall } from "./signature.ts";
export type * from "./wire/mod.ts";
