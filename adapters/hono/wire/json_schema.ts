/**
 * From valibot schemas to JSON Schema: what `openapi.json` says, and what the types are generated from.
 *
 * It walks the schemas that the routes really use. A schema that was given a name (`named`) becomes a component and is
 * referred to; one that checks with functions carries its own JSON Schema as a note (`fields.ts`).
 */
import type * as v from "valibot";
import type { FieldNotes, JsonSchema } from "./fields.ts";

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
  readonly getter?: () => Node;
  readonly metadata?: FieldNotes;
}

/** Turns schemas into JSON Schema and collects the named ones. */
export class JsonSchemaWriter {
  /** JSON Schema of each named schema that was met. */
  readonly components: Record<string, JsonSchema> = {};

  /** Writes a schema; a named one as a reference to its component. */
  write(schema: v.GenericSchema): JsonSchema {
    return this.#node(schema as object as Node);
  }

  /** Writes the properties of an object, in order, whether it has a name or not: for parameters of a path or a query. */
  entries(schema: v.GenericSchema): { name: string; schema: JsonSchema; required: boolean }[] {
    const { entries = {} } = schema as object as Node;
    return Object.entries(entries).map(([name, entry]) => {
      return { name, schema: this.#node(entry), required: entry.type !== "exact_optional" };
    });
  }

  #node(node: Node): JsonSchema {
    const { name, about, description, jsonSchema, listOf } = notesOf(node);
    if (name !== undefined) {
      if (!(name in this.components)) {
        // Known before its parts are written: a schema may contain itself.
        this.components[name] = {};
        this.components[name] = withDescription(jsonSchema ?? this.#bare(node), about);
      }
      return withDescription({ $ref: `#/components/schemas/${name}` }, description);
    }
    const bare = jsonSchema ?? (listOf ? { type: "array", items: this.write(listOf) } : this.#bare(node));
    return withDescription(bare, description);
  }

  #bare(node: Node): JsonSchema {
    switch (node.type) {
      case "object":
      case "strict_object":
        return this.#object(node);
      case "array": {
        const max = partsOf(node).find((part) => part.type === "max_length")?.requirement;
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
      case "lazy":
        return this.#node(node.getter!());
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
    const entries = this.entries(node as object as v.GenericSchema);
    const required = entries.filter((entry) => entry.required).map(({ name }) => name);
    return {
      type: "object",
      properties: Object.fromEntries(entries.map(({ name, schema }) => [name, schema])),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
  }
}

/** What follows the schema in its pipe; a pipe may begin with another pipe. */
function partsOf(node: Node): readonly Node[] {
  if (!node.pipe) return [];
  const [first, ...rest] = node.pipe;
  return [...partsOf(first!), ...rest];
}

/** All notes on a schema; the outer ones win. */
function notesOf(node: Node): FieldNotes {
  return Object.assign({}, ...partsOf(node).map((part) => part.metadata)) as FieldNotes;
}

function withDescription(schema: JsonSchema, description: string | undefined): JsonSchema {
  if (description === undefined) return schema;
  const own = schema["description"];
  return { ...schema, description: own === undefined ? description : `${description} ${String(own)}` };
}

function nullable(schema: JsonSchema): JsonSchema {
  if (typeof schema["type"] === "string" && schema["enum"] === undefined) {
    return { ...schema, type: [schema["type"], "null"] };
  }
  const { description, ...rest } = schema;
  return { anyOf: [rest, { type: "null" }], ...(description === undefined ? {} : { description }) };
}
