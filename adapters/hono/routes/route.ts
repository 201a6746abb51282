/**
 * What is a route? A row of a table: who may call it, the schemas of its input and output, and the function that does it.
 *
 * `app.ts` mounts the rows, `openapi.ts` describes them, and `schema.ts` gives them their types, which are also those of
 * Hono's typed client. A row whose schemas or function do not fit its types does not compile.
 */
import type * as v from "valibot";
import type { Belfry, TickOptions } from "../../../src/belfry.ts";
import type { Access, Scope } from "../access.ts";
import type { EventFeed } from "../events.ts";
import type { Metrics } from "../metrics.ts";
import type { ProblemStatus } from "../problem.ts";
import type { Problem } from "../wire/types/common.ts";

/** The input of a call: parts of the path, the query, and a JSON body. */
export interface CallInput {
  param?: object;
  query?: object;
  json?: object;
}

/** Queries travel as text; several values of one name as a list. */
export type QueryText<T> = { [Key in keyof T]: string | string[] };

/** The input as a caller of the typed client writes it. */
export type CallArguments<In extends CallInput> = (In extends { param: object } ? { param: In["param"] } : object) &
  (In extends { query: object } ? { query?: QueryText<In["query"]> } : object) &
  (In extends { json: object } ? { json: In["json"] } : object);

/** One call of the app, as `hc` reads it: input and output, refusals included. */
export type Call<In extends CallInput, Out, Status extends number = 200, Format extends "json" | "text" = "json"> =
  | { input: CallArguments<In>; output: Out; outputFormat: Format; status: Status; takes: In }
  | { input: CallArguments<In>; output: Problem; outputFormat: "json"; status: ProblemStatus };

/** One call, as the function of its route sees it. */
export interface CallContext {
  readonly belfry: Belfry;
  /** Parts of the app that routes use. */
  readonly app: AppParts;
  readonly request: Request;
  /** What the caller may do; nothing without a token (public routes). */
  readonly access: Access;
  /** The answer's status; `also` of the route says which others there are. */
  status: number;
}

/** The parts of one app. */
export interface AppParts {
  readonly metrics: Metrics;
  readonly feed: EventFeed;
  /** `openapi.json`. */
  document(): object;
  /** Bounds of `tick`. */
  readonly tick: Pick<TickOptions, "budget" | "maxJobs"> & { readonly maxForMs: number };
}

type Takes<C> = Extract<C, { takes: CallInput }> extends { takes: infer In } ? In : never;
type Gives<C> = Extract<C, { takes: CallInput }> extends { output: infer Out } ? Out : never;
type GivesStatus<C> = Extract<C, { takes: CallInput }> extends { status: infer Status } ? Status : never;
type Part<In, Name extends string> = In extends Record<Name, infer T> ? T : undefined;

/** A schema for a part that may not be there. */
type SchemaOf<T> = [T] extends [undefined] ? { [key in never]: never } : v.GenericSchema<unknown, T>;

/** A row of the table. */
export interface Route<C> {
  /** `operationId` in `openapi.json`, the name in generated clients. */
  readonly id: string;
  readonly summary: string;
  /** Under which heading `openapi.json` lists it. @default the first part of its path */
  readonly tag?: string;
  /** Any one of them is enough; `"public"`: no token is needed. */
  readonly scopes: readonly Scope[] | "public";
  /**
   * How a narrowed token is kept within its reach.
   *
   * - `job`, `schedule`, `queue`: the one that the path names is checked before the function is called.
   * - `checked`: the function does it.
   * - `refused`: it is about everything, so a narrowed token may not call it.
   * - `open`: it is about nothing that tokens are narrowed to.
   */
  readonly narrowed: "job" | "schedule" | "queue" | "checked" | "refused" | "open";
  readonly param?: SchemaOf<Part<Takes<C>, "param">>;
  readonly query?: SchemaOf<Part<Takes<C>, "query">>;
  readonly json?: SchemaOf<Part<Takes<C>, "json">>;
  readonly status: GivesStatus<C>;
  /** A GET that has effects: its response must not be cached. */
  readonly acts?: true;
  /** Other statuses of a successful response, and when they come. */
  readonly also?: Readonly<Record<number, string>>;
  /** Schema of the response; a media type where it is not JSON. */
  readonly gives: v.GenericSchema<unknown, Gives<C>> | "text/plain" | "text/event-stream" | "application/json";
  run(
    call: CallContext,
    input: { param: Part<Takes<C>, "param">; query: Part<Takes<C>, "query">; json: Part<Takes<C>, "json"> },
  ): Promise<Gives<C> | Response>;
}

/** A row when its own types do not matter. */
export interface AnyRoute extends Omit<Route<never>, "param" | "query" | "json" | "status" | "gives" | "run"> {
  readonly param?: v.GenericSchema;
  readonly query?: v.GenericSchema;
  readonly json?: v.GenericSchema;
  readonly status: number;
  readonly gives: v.GenericSchema | string;
  run(call: CallContext, input: { param: unknown; query: unknown; json: unknown }): Promise<unknown>;
}

/** All rows: by path, then by method (`$get`), as the typed client names them. */
export type RouteTable<Schema> = {
  readonly [Path in keyof Schema]: { readonly [Method in keyof Schema[Path]]: Route<Schema[Path][Method]> };
};
