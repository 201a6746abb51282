/**
 * `openapi.json` from the table of routes: OpenAPI 3.1, whose schemas are JSON Schema.
 *
 * It walks the valibot schemas that the routes really use, so the document cannot say something else than the app does.
 * Schemas that carry a name (`named` in `schemas.ts`) become components. What a function checks says its own JSON Schema
 * as metadata (`fields.ts`). Made once for each app, when somebody asks.
 */
import type * as v from "valibot";
import type { AnyRoute } from "./routes/route.ts";
import type { JsonSchema } from "./wire/fields.ts";

/** A schema as valibot keeps it, of any kind. */
interface Node {
  readonly type: string;
  readonly entries?: Record<string, Node>;
  readonly item?: Node;
  readonly options?: readonly (Node | string)[];
  readonly wrapped?: Node;
  readonly literal?: unknown;
  readonly value?: Node;
  readonly pipe?: readonly Node[];
  readonly requirement?: unknown;
  readonly metadata?: { jsonSchema?: JsonSchema; name?: string; listOf?: Node };
}

/** Turns schemas into JSON Schema and collects the named ones. */
class Writer {
  readonly components: Record<string, JsonSchema> = {};

  write(schema: v.GenericSchema): JsonSchema {
    return this.#node(schema as Node);
  }

  /** The schema itself where it is named, not a reference to it: its properties are wanted. */
  entries(schema: v.GenericSchema): [name: string, schema: JsonSchema, required: boolean][] {
    const { entries = {} } = schema as Node;
    return Object.entries(entries).map(([name, entry]) => [name, this.#node(entry), entry.type !== "exact_optional"]);
  }

  #node(node: Node): JsonSchema {
    const notes = node.pipe?.filter((part) => part.metadata !== undefined) ?? [];
    const { jsonSchema, name, listOf } = Object.assign({}, ...notes.map((part) => part.metadata)) as NonNullable<
      Node["metadata"]
    >;
    if (jsonSchema) return jsonSchema;
    if (listOf) return { type: "array", items: this.#node(listOf) };
    if (name === undefined) return this.#bare(node);
    if (!(name in this.components)) {
      this.components[name] = {};
      this.components[name] = this.#bare(node);
    }
    return { $ref: `#/components/schemas/${name}` };
  }

  #bare(node: Node): JsonSchema {
    switch (node.type) {
      case "object":
      case "strict_object":
        return this.#object(node);
      case "array": {
        const max = node.pipe?.find((part) => part.type === "max_length")?.requirement;
        return { type: "array", items: this.#node(node.item!), ...(max === undefined ? {} : { maxItems: max }) };
      }
      case "record":
        return { type: "object", additionalProperties: this.#node(node.value!) };
      case "picklist":
        return { type: typeof node.options![0] === "number" ? "integer" : "string", enum: node.options };
      case "literal":
        return { const: node.literal };
      case "exact_optional":
        return this.#node(node.wrapped!);
      case "nullable":
        return nullable(this.#node(node.wrapped!));
      case "union":
      case "variant":
        return { anyOf: (node.options as readonly Node[]).map((option) => this.#node(option)) };
      case "unknown":
        return {};
      case "string":
      case "boolean":
      case "number":
        return { type: node.type };
      default:
        throw new TypeError(`Cannot describe a schema of the kind ${node.type}`);
    }
  }

  #object(node: Node): JsonSchema {
    const properties: Record<string, JsonSchema> = {};
    const required: string[] = [];
    for (const [name, entry] of Object.entries(node.entries!)) {
      properties[name] = this.#node(entry);
      if (entry.type !== "exact_optional") required.push(name);
    }
    return { type: "object", properties, ...(required.length > 0 ? { required } : {}), additionalProperties: false };
  }
}

function nullable(schema: JsonSchema): JsonSchema {
  if (typeof schema["type"] === "string" && schema["enum"] === undefined)
    return { ...schema, type: [schema["type"], "null"] };
  return { anyOf: [schema, { type: "null" }] };
}

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
  const writer = new Writer();
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
      description: "Durable cron: schedules that fire once, jobs that outlive their workers.",
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

function operation(writer: Writer, path: string, route: AnyRoute, info: DocumentInfo, problem: JsonSchema): JsonSchema {
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
    ? writer.entries(param).map(([name, schema]) => ({ name, in: "path", required: true, schema }))
    : [];
  const fromQuery = query
    ? writer.entries(query).map(([name, schema, required]) => ({ name, in: "query", required, schema }))
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
  const needs = scopes === "public" ? "Open to everybody." : `Scope: ${scopes.join(" or ")}.`;
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
      "4XX": { description: "Refused.", content: { "application/problem+json": { schema: problem } } },
      "5XX": { description: "Failed on this side.", content: { "application/problem+json": { schema: problem } } },
    },
  };
}
