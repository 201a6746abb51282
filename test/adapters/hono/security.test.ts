/**
 * The security table: every route times everything that a stranger, a wrong caller or a hostile one may send. Expected
 * status, a problem without a stack, no 500, and nothing written.
 */
import { describe, expect, it } from "vitest";
import { createApp, type Scope } from "../../../adapters/hono/mod.ts";
import { memory } from "../../../adapters/memory.ts";
import { silentLogger } from "../../../src/base/log.ts";
import { Belfry } from "../../../src/belfry.ts";
import { seededRandom } from "../../../src/testing/mod.ts";
import { AUTH, type Bench, bench, everything, problemIn, START, TOKEN_RULES } from "./kit.ts";

interface Operation {
  method: string;
  /** With `{id}` and the like replaced by text that may be stored. */
  path: string;
  template: string;
  scopes: Scope[];
  /** Its body's schema as the document tells it; undefined: it takes none. */
  body: { required?: string[] } | undefined;
  query: string[];
}

/** Every operation of openapi.json. */
async function operations(): Promise<Operation[]> {
  const { app } = bench();
  const document = (await (await app.request("/openapi.json")).json()) as {
    paths: Record<
      string,
      Record<
        string,
        {
          description: string;
          parameters?: { in: string; name: string }[];
          requestBody?: { content: Record<string, { schema: { $ref?: string } }> };
        }
      >
    >;
    components: { schemas: Record<string, { required?: string[] }> };
  };
  return Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const schema = operation.requestBody?.content["application/json"]?.schema;
      const named = schema?.$ref
        ? document.components.schemas[schema.$ref.split("/").at(-1)!]
        : (schema as { required?: string[] });
      return {
        method: method.toUpperCase(),
        template,
        path: template.replace(/\{\w+\}/g, "s"),
        scopes: (/^Scope: (.*)\.$/.exec(operation.description)?.[1]?.split(" or ") ?? []) as Scope[],
        body: named,
        query: (operation.parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name),
      };
    }),
  );
}

const OPERATIONS = await operations();
const EXPIRED = "expired-token-0123456789";
const ALL: Scope[] = ["tick", "enqueue", "work", "read", "admin"];

/** An app with something stored in it: a schedule and a job, both named `s` where a path names them. */
async function stored(): Promise<Bench> {
  const expired = { token: EXPIRED, scopes: ["admin" as const], expiresAt: START };
  const made = bench({ app: { auth: { tokens: [...TOKEN_RULES, expired] } } });
  await made.call("PUT", "/schedules/s", { json: { expression: "@daily", task: "t", input: "untouched" } });
  await made.belfry.engine.storage.enqueue({
    op: "op",
    now: made.clock.now(),
    jobs: [
      {
        ...{ id: "s", task: "t", queue: "s", priority: 0, availableAt: made.clock.now(), expiresAt: null, key: null },
        ...{ input: "1", options: "{}", schedule: null, scheduledAt: null, parentId: null, limit: null },
      },
    ],
  });
  return made;
}

describe("every route", () => {
  it("is in the table", () => {
    expect(OPERATIONS.length).toBeGreaterThan(35);
    expect(OPERATIONS.filter(({ scopes }) => scopes.length === 0).map(({ template }) => template)).toEqual([
      "/health",
      "/openapi.json",
    ]);
  });

  for (const { method, path, template, scopes, body, query } of OPERATIONS) {
    it(`${method} ${template} refuses bad tokens, bodies and queries, and writes nothing`, async () => {
      const { call, belfry, errors } = await stored();
      const before = await everything(belfry.engine.storage);
      const json = body ? {} : undefined;
      const refused = async (status: number, options: Parameters<Bench["call"]>[2], at = path): Promise<void> => {
        const answer = await call(method, at, options);
        expect([answer.status, method, at, JSON.stringify(options).slice(0, 200), answer.text.slice(0, 300)]).toEqual([
          status,
          method,
          at,
          expect.anything(),
          expect.anything(),
        ]);
        problemIn(answer);
        expect(answer.headers.get("X-Content-Type-Options")).toBe("nosniff");
        expect(answer.headers.get("Access-Control-Allow-Origin")).toBeNull();
      };
      if (scopes.length > 0) {
        await refused(401, { as: null, json });
        await refused(401, { token: "wrong-token-0123456789", json });
        await refused(401, { token: EXPIRED, json });
        await refused(401, { as: null, headers: { Authorization: 'Bearer {"alg":"none"}' }, json });
        await refused(
          401,
          { as: null, headers: { Cookie: "token=admin-token-012345678" }, json },
          `${path}?token=admin-token-012345678&access_token=admin-token-012345678`,
        );
        for (const scope of ALL)
          if (scope !== "admin" && !scopes.includes(scope)) await refused(403, { as: scope, json });
        // Who may not is not told whether what it sent was right.
        if (body) await refused(401, { as: null, body: "{", headers: { "Content-Type": "application/json" } });
      }
      if (body) {
        const type = { "Content-Type": "application/json" };
        await refused(413, { body: `{"a":"${"x".repeat(2_100_000)}"}`, headers: type });
        await refused(413, { body: endless(), headers: type });
        await refused(413, { body: "{}", headers: { ...type, "Content-Length": "999999999" } });
        await refused(415, { body: "{}", headers: { "Content-Type": "text/plain" } });
        await refused(415, { body: "a=1", headers: { "Content-Type": "application/x-www-form-urlencoded" } });
        await refused(400, { body: "{", headers: type });
        await refused(400, { body: "nonsense", headers: type });
        await refused(400, { body: "[]", headers: type });
        await refused(400, { body: "null", headers: type });
        await refused(400, { body: '{"surplus":1}', headers: type });
        await refused(400, { body: '{"__proto__":{"admin":true}}', headers: type });
        await refused(400, { body: '{"\\u005f_proto__":{"admin":true}}', headers: type });
        await refused(400, { body: '{"input":{"constructor":{"prototype":{"admin":true}}}}', headers: type });
        await refused(400, { body: `{"input":${"[".repeat(50_000)}${"]".repeat(50_000)}}`, headers: type });
        for (const missing of body.required ?? []) {
          const others = Object.fromEntries(
            (body.required ?? []).filter((key) => key !== missing).map((key) => [key, "x"]),
          );
          await refused(400, { json: others });
        }
      }
      for (const name of query) {
        if (
          name === "owner" ||
          name === "tag" ||
          name === "prefix" ||
          name === "queue" ||
          name === "task" ||
          name === "schedule" ||
          name === "parent" ||
          name === "key" ||
          name === "job" ||
          name === "name"
        ) {
          await refused(400, { json }, `${path}?${name}=${"x".repeat(400)}`);
        } else await refused(400, { json }, `${path}?${name}=${encodeURIComponent("'; DROP TABLE belfry_jobs; --")}`);
      }
      // Health and the rest take no other query either.
      if (query.length > 0) await refused(400, { json }, `${path}?surplus=1`);
      expect(await everything(belfry.engine.storage)).toBe(before);
      expect(errors).toEqual([]);
      expect(({} as { admin?: boolean }).admin).toBeUndefined();
      await belfry.close();
    });

    it(`${method} ${template} accepts a token of each of its scopes`, async () => {
      for (const scope of scopes.length > 0 ? [...scopes, "admin" as const] : ALL) {
        const { call, belfry, app } = await stored();
        if (path === "/events") {
          const response = await app.request("/events", {
            headers: {
              Authorization: `Bearer ${scope}-token-0123456789`.replace(
                "admin-token-0123456789",
                "admin-token-012345678",
              ),
            },
          });
          expect(response.status).toBe(200);
          await response.body!.cancel();
        } else {
          const answer = await call(method, path, body ? { as: scope, json: {} } : { as: scope });
          expect([
            answer.status < 500,
            answer.status !== 401 && answer.status !== 403,
            answer.text.slice(0, 200),
          ]).toEqual([true, true, expect.anything()]);
        }
        await belfry.close();
      }
    });
  }
});

/** A body without end: the reader must stop at the limit. */
function endless(): ReadableStream<Uint8Array> {
  const chunk = new TextEncoder().encode("x".repeat(65_536));
  return new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
}

describe("paths", () => {
  const hostile = [
    "/../etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "/schedules/..%2F..%2F",
    "/jobs/%00",
    "/jobs/%E0%A4%A",
    "/schedules/%FF",
    "//",
    "/jobs//",
    "/%2e%2e/",
    "/jobs/a%0d%0aX-Evil:%201",
    `/jobs/${"x".repeat(5_000)}`,
    "/__proto__",
    "/constructor",
  ];
  for (const path of hostile) {
    it(`${path.slice(0, 40)} is refused with 400 or 404`, async () => {
      const { call, errors } = await stored();
      const answer = await call("GET", path);
      expect([400, 404]).toContain(answer.status);
      problemIn(answer);
      expect(answer.headers.get("X-Evil")).toBeNull();
      expect(errors).toEqual([]);
    });
  }

  it("a name may have any printable character, and is returned unchanged", async () => {
    const { call } = bench();
    for (const name of ["a/b", "...", "%2F", "ü ö", "'; DROP TABLE x; --", "{id}", "a?b#c", "日本"]) {
      const path = `/schedules/${encodeURIComponent(name)}`;
      expect((await call("PUT", path, { json: { expression: "@daily", task: name } })).body).toMatchObject({
        schedule: { name, definition: { task: name } },
      });
      expect((await call("GET", path)).body.name).toBe(name);
    }
    expect((await call("GET", "/schedules")).body.items.length).toBe(8);
  });

  it("another method is 405, with the allowed ones in Allow", async () => {
    const { call } = bench();
    const answer = await call("POST", "/schedules/s", { json: {} });
    expect(problemIn(answer)).toMatchObject({ status: 405, code: "METHOD_NOT_ALLOWED" });
    expect(answer.headers.get("Allow")).toBe("GET, PUT, PATCH, DELETE, HEAD");
    for (const method of ["OPTIONS", "PROPFIND", "DELETE"]) expect((await call(method, "/tick")).status).toBe(405);
    const head = await call("HEAD", "/schedules");
    expect([head.status, head.text]).toEqual([200, ""]);
  });
});

describe("cursors", () => {
  it("of another list and made-up ones are refused", async () => {
    const { call } = await stored();
    await call("PUT", "/schedules/t", { json: { expression: "@daily", task: "t" } });
    for (let i = 0; i < 2; i++) await call("POST", "/jobs", { json: { task: "t" } });
    const schedules = (await call("GET", "/schedules?limit=1")).body.next as string;
    const jobs = (await call("GET", "/jobs?limit=1")).body.next as string;
    expect((await call("GET", `/schedules?cursor=${schedules}`)).status).toBe(200);
    expect((await call("GET", `/jobs?cursor=${jobs}`)).status).toBe(200);
    for (const path of [
      `/jobs?cursor=${schedules}`,
      `/schedules?cursor=${jobs}`,
      "/jobs?cursor=%00",
      "/jobs?cursor=ag",
      "/jobs?cursor=!!!",
    ]) {
      expect(problemIn(await call("GET", path))).toMatchObject({ status: 400, code: "REQUEST_INVALID" });
    }
  });
});

describe("answers", () => {
  it("have security headers for browsers", async () => {
    const { call } = bench();
    for (const path of ["/schedules", "/health", "/nowhere"]) {
      const { headers } = await call("GET", path);
      expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
      expect(headers.get("X-Frame-Options")).toBe("DENY");
      expect(headers.get("Referrer-Policy")).toBe("no-referrer");
      expect(headers.get("Content-Security-Policy")).toContain("default-src 'none'");
      expect(headers.get("Cache-Control")).toMatch(/no-store|private/);
    }
  });

  it("of a tick must not be cached, also by GET", async () => {
    const { call } = bench();
    const { headers, status } = await call("GET", "/tick", { headers: { "If-None-Match": "*" } });
    expect([status, headers.get("Cache-Control"), headers.get("ETag")]).toEqual([200, "no-store", null]);
  });

  it("of a failed call do not have the message of the error; onError gets it", async () => {
    const storage = memory();
    storage.listSchedules = () => Promise.reject(new Error("SQLITE_CORRUPT: /var/lib/app.db page 7"));
    const { call, errors } = bench({ storage });
    const answer = await call("GET", "/schedules");
    expect(problemIn(answer)).toMatchObject({ status: 500, code: "INTERNAL" });
    expect(answer.text).not.toMatch(/SQLITE|app\.db/);
    expect(errors).toMatchObject([{ error: { message: /page 7/ }, during: "GET /schedules" }]);
  });

  it("a storage that does not answer is 503, with Retry-After", async () => {
    const { BelfryError } = await import("../../../src/base/error.ts");
    const storage = memory();
    storage.beginTick = () =>
      Promise.reject(new BelfryError("STORAGE_UNAVAILABLE", "connect ECONNREFUSED 10.0.0.7:5432"));
    const { call } = bench({ storage });
    const answer = await call("POST", "/tick");
    expect(problemIn(answer)).toMatchObject({ status: 503, code: "STORAGE_UNAVAILABLE" });
    expect(answer.text).not.toContain("10.0.0.7");
    expect(answer.headers.get("Retry-After")).toBe("1");
  });

  it("have no CORS headers unless a middleware sets them", async () => {
    const { cors } = await import("hono/cors");
    const belfry = new Belfry({ storage: memory(), logger: silentLogger });
    const app = createApp(belfry, { auth: AUTH, middleware: [cors({ origin: "https://dash.example" })] });
    const preflight = await app.request("/jobs", {
      method: "OPTIONS",
      headers: { Origin: "https://dash.example", "Access-Control-Request-Method": "POST" },
    });
    expect([preflight.status, preflight.headers.get("Access-Control-Allow-Origin")]).toEqual([
      204,
      "https://dash.example",
    ]);
  });
});

describe("1,000 fuzzed bodies", () => {
  it("cause no 500 and no stack; a refused one writes nothing", async () => {
    const chance = seededRandom(8);
    const random = (): number => chance.next();
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
    const words = [
      "task",
      "input",
      "expression",
      "token",
      "steps",
      "outcome",
      "completed",
      "failed",
      "error",
      "message",
      "* * * * *",
      "@every 1s",
      "60 * * * *",
      "s",
      "",
      "\u0000",
      "\ud800",
      "2026-01-01",
      "10m",
      "-1h",
      "1e999",
      "'; --",
      "{{7*7}}",
      "__proto__",
      "constructor",
      "prototype",
      "claim-token-0123456789",
      "x".repeat(3_000),
    ];
    const value = (depth: number): unknown => {
      const kind = Math.floor(random() * (depth > 3 ? 6 : 8));
      switch (kind) {
        case 0:
          return null;
        case 1:
          return random() < 0.5;
        case 2:
          return pick([0, -1, 1.5, 1e15, -1e300, Number.MAX_SAFE_INTEGER, 2 ** 53, 1_767_603_600_000]);
        case 3:
        case 4:
        case 5:
          return pick(words);
        case 6:
          return Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1));
        default:
          return Object.fromEntries(
            Array.from({ length: Math.floor(random() * 5) }, () => [pick(words), value(depth + 1)]),
          );
      }
    };
    const mutate = (text: string): string => {
      const at = Math.floor(random() * text.length);
      return random() < 0.3
        ? text.slice(0, at) + pick(["{", "]", '"', "\\", "\u0000", ",", "9", "e"]) + text.slice(at + 1)
        : text;
    };
    const valid: Record<string, object> = {
      "/jobs": { task: "t", input: 1 },
      "/schedules/{name}": { expression: "* * * * *", task: "t" },
      "/queues/{queue}/claim": { worker: "w" },
      "/jobs/{id}/settle": { token: "claim-token-0123456789", outcome: "completed" },
      "/jobs/{id}/steps": { token: "claim-token-0123456789", steps: [{ name: "a" }] },
    };
    const targets = OPERATIONS.filter(({ body }) => body !== undefined);
    const near = targets.filter(({ template, method }) => template in valid && method !== "PATCH");
    const { call, belfry, errors } = await stored();
    let before = await everything(belfry.engine.storage);
    const statuses: Record<number, number> = {};
    for (let i = 0; i < 1_000; i++) {
      const { method, path, template } = pick(random() < 0.5 ? near : targets);
      const seed = valid[template];
      const json =
        seed && random() < 0.8
          ? {
              ...seed,
              [pick([
                ...Object.keys(seed),
                "input",
                "input",
                "key",
                "delay",
                "retry",
                "limit",
                "timeZone",
                "catchUp",
                "for",
              ])]: value(0),
            }
          : value(0);
      const answer = await call(method, path, {
        body: mutate(JSON.stringify(json) ?? "null"),
        headers: { "Content-Type": "application/json" },
      });
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
      const after = await everything(belfry.engine.storage);
      if (answer.status >= 400) {
        expect([answer.status < 500, answer.text.slice(0, 300), JSON.stringify(json)?.slice(0, 300), template]).toEqual(
          [true, expect.anything(), expect.anything(), template],
        );
        problemIn(answer);
        // A claim that finds its token spent moves nothing either; only what was taken may write.
        expect(after).toBe(before);
      }
      before = after;
    }
    expect(errors).toEqual([]);
    expect(statuses[400]).toBeGreaterThan(300);
    expect((statuses[200] ?? 0) + (statuses[201] ?? 0)).toBeGreaterThan(30);
  });
});
