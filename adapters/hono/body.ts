/**
 * Reads and validates path, query and body of a request, within limits.
 *
 * A body is read only up to the limit, whatever its Content-Length says, and only where it is JSON. Keys that could change
 * an object's prototype (`__proto__`, and `constructor` with `prototype` inside) are refused anywhere in it, since payloads
 * are passed on to users' code, which may merge them into objects. Every fault is reported with its path.
 */
import type { Context } from "hono";
import * as v from "valibot";
import { Refusal } from "./problem.ts";
import type { ProblemIssue } from "./wire/types/common.ts";

/**
 * Checks a value against a schema.
 *
 * @param part which part of the request it is: `body`, `query`, `path`
 * @throws Refusal `REQUEST_INVALID` with every fault and its place
 */
export function check<T>(schema: v.GenericSchema<unknown, T>, value: unknown, part: "body" | "query" | "path"): T {
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  if (result.success) return result.output;
  const issues = result.issues.slice(0, 20).map((issue): ProblemIssue => {
    const keys = issue.path?.map((item) => String(item.key).slice(0, 100)) ?? [];
    return { path: [part, ...keys].join("."), message: say(issue) };
  });
  const first = issues[0]!;
  throw new Refusal("REQUEST_INVALID", `Cannot take the request: ${first.path} ${first.message}.`, { issues });
}

function say({ expected, received, message, kind }: v.BaseIssue<unknown>): string {
  if (expected === "never" || (expected === null && kind === "schema")) return "is not known here";
  // Of a missing property valibot expects its name.
  if (kind === "schema" && received === "undefined") return "is missing";
  const found = received.length > 60 ? `${received.slice(0, 60)}...` : received;
  if (expected !== null) return `is ${found}, but must be ${expected}`;
  return message.slice(0, 200);
}

/** Reads the query: a value by name, a list where a name comes several times. */
export function queryOf(c: Context): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null);
  for (const [name, values] of Object.entries(c.req.queries())) found[name] = values.length === 1 ? values[0]! : values;
  return found;
}

/**
 * Reads a JSON body.
 *
 * @param maxBytes what is taken at most
 * @returns an object; an empty one where there is no body
 * @throws Refusal `MEDIA_TYPE`, `BODY_TOO_LARGE`, `REQUEST_INVALID`
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<object> {
  const text = await readText(request, maxBytes);
  if (text === "") return {};
  const type = request.headers.get("Content-Type") ?? "";
  if (!/^application\/(json|[\w.+-]+\+json)\s*(;|$)/i.test(type)) {
    const found = type === "" ? "has no Content-Type" : "is not JSON by its Content-Type";
    throw new Refusal("MEDIA_TYPE", `Cannot read the body: it ${found}; send application/json.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid("is not JSON");
  }
  // To valibot, and to JavaScript, a list is an object too.
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("is no JSON object");
  inspect(value);
  return value;
}

function invalid(message: string): Refusal {
  return new Refusal("REQUEST_INVALID", `Cannot read the body: it ${message}.`, {
    issues: [{ path: "body", message }],
  });
}

/** Deeper JSON is refused: functions that walk it are recursive. */
const MAX_DEPTH = 100;

/** Refuses great depth, and keys that could change a prototype. */
function inspect(value: unknown): void {
  const rest: [value: unknown, depth: number][] = [[value, 0]];
  for (let next = rest.pop(); next; next = rest.pop()) {
    const [inner, depth] = next;
    if (typeof inner !== "object" || inner === null) continue;
    if (depth >= MAX_DEPTH) throw invalid(`is nested more than ${MAX_DEPTH} deep`);
    if (Object.hasOwn(inner, "__proto__")) throw invalid('has a key "__proto__"');
    if (Object.hasOwn(inner, "constructor")) {
      const maker: unknown = inner.constructor;
      if (typeof maker === "object" && maker !== null && Object.hasOwn(maker, "prototype")) {
        throw invalid('has a key "constructor.prototype"');
      }
    }
    for (const part of Object.values(inner)) if (typeof part === "object") rest.push([part, depth + 1]);
  }
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = (): Refusal =>
    new Refusal("BODY_TOO_LARGE", `Cannot read the body: it has more than ${maxBytes} bytes, the limit here.`);
  const declared = Number(request.headers.get("Content-Length") ?? 0);
  if (declared > maxBytes) throw tooLarge();
  if (!request.body) return "";
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = request.body.getReader();
  let text = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > maxBytes) {
        void reader.cancel().catch(() => {});
        throw tooLarge();
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw invalid("is not UTF-8, or broke off");
  }
}
