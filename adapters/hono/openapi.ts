/**
 * `openapi.json` from the table of routes: OpenAPI 3.1, whose schemas are JSON Schema.
 *
 * It is written from the schemas that requests are checked by, so the document cannot differ from what the app does. Made
 * once for each app, when first asked for.
 */
import type * as v from "valibot";
import type { AnyRoute } from "./routes/route.ts";
import type { JsonSchema } from "./wire/fields.ts";
import { JsonSchemaWriter } from "./wire/json_schema.ts";

/** What the document says besides the routes. */
export interface DocumentInfo {
  version: string;
  /** Schema of every refusal. */
  problem: v.GenericSchema;
  /** Whether ticks may be signed. */
  signing: boolean;
}

/** Writes the document. `routes`: by path, then by method (`$get`). */
export function openApiDocument(
  routes: Readonly<Record<string, Readonly<Record<string, AnyRoute>>>>,
  info: DocumentInfo,
): JsonSchema {
  const writer = new JsonSchemaWriter();
  const problem = writer.write(info.problem);
  const paths: Record<string, JsonSchema> = {};
  for (const [path, methods] of Object.entries(routes)) {
    const operations: JsonSchema = {};
    for (const [method, route] of Object.entries(methods)) {
      operations[method.slice(1)] = operation(writer, path, route, info, problem);
    }
    paths[path.replace(/:(\w+)/g, "{$1}")] = operations;
  }
  const signature = { type: "apiKey", in: "header", name: "Belfry-Signature" };
  return {
    openapi: "3.1.0",
    info: {
      title: "Belfry",
      version: info.version,
      description: "Durable cron: schedules that fire once, jobs that survive their workers.",
      license: { name: "MIT", identifier: "MIT" },
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: "http", scheme: "bearer" }, ...(info.signing ? { signature } : {}) },
      schemas: writer.components,
    },
  };
}

function operation(
  writer: JsonSchemaWriter,
  path: string,
  route: AnyRoute,
  info: DocumentInfo,
  problem: JsonSchema,
): JsonSchema {
  const {
    id,
    summary,
    tag = path.split("/")[1] || "app",
    scopes,
    param,
    query,
    json,
    status,
    also = {},
    gives,
  } = route;
  const fromPath = param
    ? writer.entries(param).map(({ name, schema }) => ({ name, in: "path", required: true, schema }))
    : [];
  const fromQuery = query
    ? writer.entries(query).map(({ name, schema, required }) => ({ name, in: "query", required, schema }))
    : [];
  const parameters = [...fromPath, ...fromQuery];
  const type = typeof gives === "string" ? gives : "application/json";
  const schema =
    typeof gives !== "string"
      ? writer.write(gives)
      : type === "application/json"
        ? { type: "object" }
        : { type: "string" };
  const security =
    scopes === "public"
      ? []
      : [{ bearer: [] }, ...(info.signing && scopes.includes("tick") ? [{ signature: [] }] : [])];
  const needs = scopes === "public" ? "No token needed." : `Scope: ${scopes.join(" or ")}.`;
  return {
    operationId: id,
    summary,
    description: needs,
    tags: [tag],
    security,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(json
      ? { requestBody: { required: true, content: { "application/json": { schema: writer.write(json) } } } }
      : {}),
    responses: {
      [status]: { description: "Done.", content: { [type]: { schema } } },
      ...Object.fromEntries(
        Object.entries(also).map(([other, description]) => [other, { description, content: { [type]: { schema } } }]),
      ),
      "4XX": { description: "The request was refused.", content: { "application/problem+json": { schema: problem } } },
      "5XX": { description: "The server failed.", content: { "application/problem+json": { schema: problem } } },
    },
  };
}
