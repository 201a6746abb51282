/**
 * The contract: `openapi.json` is what the app does, and standard tools can use it. Every operation is called with valid
 * and with invalid input, and each answer must fit the document to the letter; a linter passes; a client that a standard
 * generator makes compiles and works. The tools are installed when this test first runs.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../adapters/hono/mod.ts";
import { memory } from "../../adapters/memory.ts";
import { serve } from "../../adapters/node.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import { FatalError } from "../../src/task/retry.ts";
import { type Answer, AUTH, type Bench, bench, MINUTE, START, TOKENS } from "../adapters/hono/kit.ts";
import { root } from "../house/source.ts";

const folder = join(root, "test/contract");

type Validate = ((value: unknown) => boolean) & { errors?: unknown };
interface Tools {
  compile(schema: object, components: object): Validate;
  lint(source: string): Promise<{ ruleId: string; message: string; location: string }[]>;
  generate(document: object): Promise<string>;
}

/** Loads what only this folder has installed; its types are not there when the rest is type-checked. */
async function loadTools(): Promise<Tools> {
  const path = "../../scripts/ensure.mjs";
  const { ensure } = (await import(path)) as { ensure(folder: string): Promise<void> };
  await ensure(folder);
  const require = createRequire(join(folder, "package.json"));
  const load = async <T>(name: string): Promise<T> => (await import(pathToFileURL(require.resolve(name)).href)) as T;
  const ajv = await load<{ Ajv2020: new (options: object) => { compile(schema: object): Validate } }>(
    "ajv/dist/2020.js",
  );
  const redocly = await load<{
    createConfig(config: object): Promise<object>;
    lintFromString(
      options: object,
    ): Promise<{ ruleId: string; message: string; severity: string; location: { pointer?: string }[] }[]>;
  }>("@redocly/openapi-core");
  const generator = await load<{
    default: (document: object) => Promise<object[]>;
    astToString(ast: object[]): string;
  }>("openapi-typescript");
  return {
    compile: (() => {
      const known = new Map<string, Validate>();
      let all: InstanceType<typeof ajv.Ajv2020> | undefined;
      return (schema: object, components: object) => {
        all ??= new ajv.Ajv2020({ strict: false, allErrors: true, schemas: [{ $id: "openapi", components }] });
        const text = JSON.stringify(schema).replaceAll('"#/components', '"openapi#/components');
        if (!known.has(text)) known.set(text, all.compile(JSON.parse(text) as object));
        return known.get(text)!;
      };
    })(),
    lint: async (source) => {
      // One rule is about the publisher's servers, which an app that is mounted anywhere cannot know.
      const config = await redocly.createConfig({
        extends: ["recommended"],
        rules: { "no-server-example.com": "off" },
      });
      const problems = await redocly.lintFromString({ source, absoluteRef: "/openapi.json", config });
      return problems.map(({ ruleId, message, location }) => ({
        ruleId,
        message,
        location: location[0]?.pointer ?? "",
      }));
    },
    generate: async (document) => generator.astToString(await generator.default(document)),
  };
}

interface Operation {
  operationId: string;
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}
interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

let tools: Tools;
let document: Document;
let byId: Map<string, Operation>;

beforeAll(async () => {
  tools = await loadTools();
  document = (await bench().call("GET", "/openapi.json")).body as Document;
  byId = new Map(
    Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => [operation.operationId, operation]),
    ),
  );
}, 180_000);

/** Checks that an answer is one that the document knows. */
function fits(id: string, answer: Answer): void {
  const { responses } = byId.get(id)!;
  const response = responses[answer.status] ?? responses[`${Math.floor(answer.status / 100)}XX`];
  expect(response, `${id} answered ${answer.status}, which is not described: ${answer.text}`).toBeDefined();
  const type = answer.headers.get("Content-Type")!.split(";")[0]!;
  const content = response!.content[type];
  expect(content, `${id} answered ${type}, which is not described for ${answer.status}`).toBeDefined();
  if (!type.endsWith("json")) return;
  const validate = tools.compile(content!.schema, document.components);
  expect([id, answer.status, validate(answer.body), validate.errors ?? null, answer.body]).toEqual([
    id,
    answer.status,
    true,
    null,
    answer.body,
  ]);
}

/** Something of every kind is stored, so that answers have all their parts. */
async function world(): Promise<Bench & { jobs: Record<string, string>; token: string }> {
  const made = bench();
  const { call, clock, belfry } = made;
  belfry.task("sum", async (ctx, input: number[]) => {
    ctx.progress({ half: true });
    return ctx.step("add", () => input.reduce((a, b) => a + b, 0));
  });
  belfry.task("broken", () => {
    throw new TypeError("no", { cause: new Error("why") });
  });
  class Hopeless extends FatalError {
    override readonly name = "Hopeless";
    readonly code = "E_NO";
    readonly tried = 3;
  }
  belfry.task("hopeless", () => {
    throw new Hopeless("for good");
  });
  belfry.task("waits", (ctx) => ctx.waitFor("go", { timeout: "1h" }));
  const put = (name: string, json: object) => call("PUT", `/schedules/${name}`, { json });
  await put("full", {
    ...{ expression: "0 9 * * MON-FRI", task: "sum", input: [1], timeZone: "Europe/Berlin", days: "and", dst: "vixie" },
    ...{
      startAt: START,
      endAt: "2027-01-01",
      maxFires: 9,
      exclude: ["2026-12-25", { from: "2026-12-30", to: "2026-12-31" }],
    },
    ...{
      catchUp: { within: "6h", max: 3 },
      expiresIn: "2h",
      overlap: "skip",
      jitter: "10s",
      queue: "mail",
      priority: 5,
    },
    ...{ retry: { maxAttempts: 2 }, timeout: "1m", tags: ["a"], pauseAfterFailures: 3, paused: false },
  });
  await put("plain", { expression: "@every 30s", task: "sum", input: [1, 2] });
  await put("paused", { expression: "@daily", task: "sum", paused: true });
  await put("once", { expression: { at: START + 10_000 }, task: "sum", input: [] });
  const enqueue = async (json: object): Promise<string> => (await call("POST", "/jobs", { json })).body.id as string;
  const jobs = {
    done: await enqueue({ task: "sum", input: [4], key: "k", tags: ["t"] }),
    failed: await enqueue({ task: "broken", retry: false }),
    hopeless: await enqueue({ task: "hopeless" }),
    waits: await enqueue({ task: "waits" }),
  };
  clock.jump(2 * MINUTE);
  await call("POST", "/tick");
  await call("POST", `/jobs/${jobs.waits}/signals/other`, { json: { value: { a: 1 }, key: "s" } });
  await call("PATCH", "/queues/mail", { json: { concurrency: 3, rate: { count: 1, per: "1m" } } });
  const far = {
    claimed: await enqueue({ task: "else", queue: "far", input: { deep: [1] } }),
    ready: await enqueue({ task: "else", queue: "far2" }),
  };
  const claim = await call("POST", "/queues/far/claim", { json: { worker: "w" } });
  return { ...made, jobs: { ...jobs, ...far }, token: claim.body.token as string };
}

type World = Awaited<ReturnType<typeof world>>;
type Sent = [method: string, path: string, json?: unknown];

/** A valid call (or several) of each operation. */
const VALID: Record<string, (world: World) => Sent[]> = {
  tick: () => [
    ["POST", "/tick"],
    ["POST", "/tick?work=false"],
  ],
  tickByGet: () => [["GET", "/tick?for=1ms"]],
  getHealth: () => [
    ["GET", "/health"],
    ["GET", "/health?deep=true&maxLag=0s"],
  ],
  getMetrics: () => [["GET", "/metrics"]],
  streamEvents: () => [],
  getOpenApi: () => [["GET", "/openapi.json"]],
  listSchedules: () => [
    ["GET", "/schedules"],
    ["GET", "/schedules?limit=1"],
    ["GET", "/schedules?state=ended"],
  ],
  getSchedule: () => [
    ["GET", "/schedules/full"],
    ["GET", "/schedules/once"],
  ],
  putSchedule: () => [
    ["PUT", "/schedules/new", { expression: "@hourly", task: "t" }],
    ["PUT", "/schedules/plain", { expression: "@every 30s", task: "sum", input: [1, 2] }],
  ],
  updateSchedule: () => [
    ["PATCH", "/schedules/full", { timeZone: null, catchUp: "latest", retry: false, maxFires: null }],
  ],
  removeSchedule: () => [
    ["DELETE", "/schedules/paused"],
    ["DELETE", "/schedules/none"],
  ],
  pauseSchedule: () => [
    ["POST", "/schedules/plain/pause", { note: "why" }],
    ["POST", "/schedules/plain/pause"],
  ],
  resumeSchedule: () => [["POST", "/schedules/paused/resume", { missed: "fire" }]],
  triggerSchedule: () => [
    ["POST", "/schedules/plain/trigger", { input: { other: 1 }, overlap: "skip" }],
    ["POST", "/schedules/plain/trigger"],
  ],
  backfillSchedule: () => [
    [
      "POST",
      "/schedules/plain/backfill",
      { from: START, to: START + MINUTE, overlap: "queue", rate: { count: 1, per: "1s" }, max: 10 },
    ],
  ],
  previewSchedule: () => [
    ["GET", "/schedules/full/preview?count=3"],
    ["GET", `/schedules/plain/preview?from=${START}`],
  ],
  previewUnregistered: () => [
    [
      "POST",
      "/schedules/preview",
      { schedule: { expression: "0 2 * * *", task: "t", timeZone: "Europe/Berlin" }, count: 2 },
    ],
  ],
  forecastSchedule: () => [
    [
      "POST",
      "/schedules/forecast",
      {
        name: "nightly",
        schedule: {
          expression: "*/30 2 * * *",
          task: "t",
          timeZone: "Europe/Berlin",
          overlap: "skip",
          expiresIn: "1h",
        },
        ...{ from: "2026-03-27", to: "2026-03-31", downtime: [{ from: "2026-03-28", to: "2026-03-28T03:00" }] },
        ...{ durations: "40m", tickEvery: "1m", max: 50 },
      },
    ],
  ],
  explainOccurrence: () => [
    ["GET", `/schedules/plain/explain?at=${START + 30_000}`],
    ["GET", "/schedules/full/explain?at=2026-01-05T09:00"],
    ["GET", "/schedules/none/explain?at=0"],
  ],
  listOccurrences: () => [["GET", `/schedules/plain/occurrences?from=${START}&to=${START + MINUTE}&limit=5`]],
  listJobs: () => [
    ["GET", "/jobs"],
    ["GET", "/jobs?state=failed&state=completed&limit=2"],
    ["GET", "/jobs?schedule=plain&queue=default&task=sum"],
  ],
  enqueueJob: () => [
    ["POST", "/jobs", { task: "sum", input: [4], key: "k" }],
    [
      "POST",
      "/jobs",
      {
        ...{
          task: "t",
          input: null,
          key: "new",
          delay: "1m",
          priority: -3,
          queue: "q",
          expiresIn: 1_000,
          retry: 3,
          timeout: "1m",
        },
        ...{ limit: { key: "l", concurrency: 1, rate: { count: 2, per: "1s" } }, tags: ["x"] },
      },
    ],
  ],
  enqueueJobs: () => [
    [
      "POST",
      "/jobs/enqueue",
      {
        jobs: [
          { task: "sum", input: [4], key: "k" },
          { task: "t", delay: "1m" },
        ],
      },
    ],
    ["POST", "/jobs/enqueue", { jobs: [] }],
  ],
  retryJobs: () => [
    ["POST", "/jobs/retry", { filter: { states: ["failed"], task: "broken", limit: 10 }, dryRun: true }],
    ["POST", "/jobs/retry", { filter: {} }],
  ],
  cancelJobs: () => [
    ["POST", "/jobs/cancel", { filter: { queue: "far" }, dryRun: true }],
    ["POST", "/jobs/cancel", { filter: { states: ["waiting"] }, reason: "no" }],
  ],
  getJob: ({ jobs }) => Object.values(jobs).map((id): Sent => ["GET", `/jobs/${id}`]),
  cancelJob: ({ jobs }) => [
    ["POST", `/jobs/${jobs["waits"]}/cancel`, { reason: "no" }],
    ["POST", `/jobs/${jobs["done"]}/cancel`],
  ],
  retryJob: ({ jobs }) => [["POST", `/jobs/${jobs["failed"]}/retry`]],
  signalJob: ({ jobs }) => [
    ["POST", `/jobs/${jobs["waits"]}/signals/go`, { value: 1, key: "k" }],
    ["POST", `/jobs/${jobs["waits"]}/signals/go`],
  ],
  renewClaim: ({ jobs, token }) => [["POST", `/jobs/${jobs["claimed"]}/renew`, { token, for: 5_000 }]],
  saveSteps: ({ jobs, token }) => [
    [
      "POST",
      `/jobs/${jobs["claimed"]}/steps`,
      { token, steps: [{ name: "a", output: [1], startedAt: START }], progress: 1 },
    ],
  ],
  settleJob: ({ jobs, token }) => [
    ["POST", `/jobs/${jobs["claimed"]}/settle`, { token, outcome: "waiting", arrivals: 0, for: "1h" }],
  ],
  listQueues: () => [["GET", "/queues"]],
  configureQueue: () => [["PATCH", "/queues/mail", { paused: true, concurrency: null, rate: null }]],
  pauseQueue: () => [["POST", "/queues/mail/pause"]],
  resumeQueue: () => [["POST", "/queues/mail/resume"]],
  claimJobs: () => [
    [
      "POST",
      "/queues/far2/claim",
      { worker: "w", limit: 5, tasks: ["else"], for: "1m", token: "a-token-of-my-own-01" },
    ],
  ],
  storageClaim: () => [
    ["POST", "/storage/claim", { token: "t", worker: "w", queues: ["far2"], tasks: null, limit: 1, claimMs: 5_000 }],
  ],
  storageRenew: ({ jobs, token }) => [
    ["POST", "/storage/renew", { claimMs: 5_000, claims: [{ id: jobs["claimed"], token }] }],
  ],
  storageSave: ({ jobs, token }) => {
    const write = {
      id: jobs["claimed"],
      token,
      steps: [],
      forget: [],
      children: [],
      transition: { to: "completed", result: "1" },
    };
    return [["POST", "/storage/save", { op: "o", claimMs: 5_000, writes: [write] }]];
  },
  storageEnqueue: () => {
    const job = {
      id: "far-1",
      task: "t",
      queue: "q",
      priority: 0,
      availableAt: START,
      expiresAt: null,
      key: null,
      input: "1",
      options: "{}",
    };
    return [
      [
        "POST",
        "/storage/enqueue",
        { op: "o", jobs: [{ ...job, schedule: null, scheduledAt: null, parentId: null, limit: null }] },
      ],
    ];
  },
  storageSignal: ({ jobs }) => [
    ["POST", "/storage/signal", { signals: [{ jobId: jobs["waits"], name: "go", key: "k", payload: "1" }] }],
  ],
  storageCancel: ({ jobs }) => [["POST", "/storage/cancel", { op: "o", ids: [jobs["waits"]], error: "{}" }]],
  storageRetry: ({ jobs }) => [
    ["POST", "/storage/retry", { op: "o", jobs: [{ id: jobs["failed"], forget: [], notes: null }] }],
  ],
  storageJob: ({ jobs }) => [["POST", "/storage/job", { id: jobs["done"] }]],
  storageJobs: () => [["POST", "/storage/jobs", { states: ["failed"], limit: 10 }]],
};

describe("openapi.json", () => {
  it("passes the linter", async () => {
    expect(await tools.lint(JSON.stringify(document))).toEqual([]);
  });

  it("has no operation that this test does not call", () => {
    expect([...byId.keys()].sort()).toEqual(Object.keys(VALID).sort());
  });

  for (const [id, calls] of Object.entries(VALID)) {
    it(`${id}: answers to valid and invalid calls fit the document`, async () => {
      const made = await world();
      for (const [method, path, json] of calls(made)) {
        const answer = await made.call(method, path, json === undefined ? {} : { json });
        expect([answer.status < 300 || id === "getHealth", answer.text.slice(0, 300)]).toEqual([
          true,
          expect.anything(),
        ]);
        fits(id, answer);
      }
      const [path, methods] = Object.entries(document.paths).find(([, found]) =>
        Object.values(found).some(({ operationId }) => operationId === id),
      )!;
      const method = Object.keys(methods)
        .find((name) => methods[name]!.operationId === id)!
        .toUpperCase();
      const concrete = path.replace(/\{\w+\}/g, "no-such-thing");
      const [stranger, surplus, unknown] = [
        await made.call(method, concrete, { as: null }),
        await made.call(method, `${concrete}?surplus=1`, {
          json: method === "GET" || method === "DELETE" ? undefined : { surplus: 1 },
        }),
        await made.call(method, `/schedules/${"x".repeat(400)}`, {}),
      ];
      if (id !== "getHealth" && id !== "getOpenApi") expect(stranger.status).toBe(401);
      for (const answer of [stranger, surplus])
        if (answer.headers.get("Content-Type") !== "text/event-stream") fits(id, answer);
      if (unknown.status >= 400) fits("getSchedule", unknown);
      await made.belfry.close();
    });
  }
});

describe("rare answers", () => {
  it("a job that failed with a FatalError of its own class fits the document", async () => {
    const { call, jobs, belfry } = await world();
    const answer = await call("GET", `/jobs/${jobs["hopeless"]}`);
    expect(answer.body.error).toMatchObject({ name: "Hopeless", fatal: true, code: "E_NO", details: { tried: 3 } });
    fits("getJob", answer);
    await belfry.close();
  });

  it("a health report after the clock was set back fits the document", async () => {
    const { call, clock, belfry } = await world();
    clock.jump(-10 * MINUTE);
    const answer = await call("GET", "/health?deep=true");
    expect(answer.body.problems.map(({ code }: { code: string }) => code)).toContain("ahead");
    fits("getHealth", answer);
    await belfry.close();
  });
});

describe("a client that openapi-typescript generates", () => {
  it("compiles in strict mode, refuses wrong input at compile time, and works", async () => {
    const target = join(root, ".belfry/contract");
    mkdirSync(target, { recursive: true });
    writeFileSync(join(target, "schema.d.ts"), await tools.generate(document));
    writeFileSync(join(target, "package.json"), '{"type":"module"}');
    const program = (wrong: string): string => `
import createClient from "${pathToFileURL(join(folder, "node_modules/openapi-fetch/dist/index.mjs")).pathname}";
import type { paths } from "./schema.d.ts";
const [url, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url!, headers: { Authorization: \`Bearer \${token}\` } });
const made = await client.PUT("/schedules/{name}", {
  params: { path: { name: "daily" } },
  body: { expression: "@daily", task: "t", overlap: "skip", catchUp: { within: "6h" }${wrong} },
});
if (made.error) throw new Error(made.error.detail);
const status: "created" | "updated" | "unchanged" = made.data.status;
const { data } = await client.POST("/jobs", { body: { task: "t", input: { any: [1] } } });
const job = await client.GET("/jobs/{id}", { params: { path: { id: data!.id } } });
const listed = await client.GET("/jobs", { params: { query: { state: ["ready", "running"], limit: 1 } } });
const refused = await client.GET("/schedules/{name}", { params: { path: { name: "none" } } });
console.log(JSON.stringify([status, job.data?.state, listed.data?.items.length, refused.error?.code]));
`;
    const tsc = (name: string) =>
      spawnSync(process.execPath, [
        ...[
          join(folder, "node_modules/typescript/bin/tsc"),
          "--noEmit",
          "--strict",
          "--target",
          "es2023",
          "--module",
          "nodenext",
        ],
        ...[
          "--skipLibCheck",
          "--allowImportingTsExtensions",
          "--types",
          "node",
          "--typeRoots",
          join(root, "node_modules/@types"),
          join(target, name),
        ],
      ]);
    writeFileSync(join(target, "client.ts"), program(""));
    writeFileSync(join(target, "wrong.ts"), program(', overlap: "sometimes"').replace('overlap: "skip", ', ""));
    const good = tsc("client.ts");
    expect([good.status, String(good.stdout)]).toEqual([0, ""]);
    expect(String(tsc("wrong.ts").stdout)).toMatch(/"sometimes"/);

    const belfry = new Belfry({ storage: memory(), logger: silentLogger });
    const served = await serve({ belfry, app: createApp(belfry, { auth: AUTH }), port: 0, signals: false, run: false });
    try {
      const run = await new Promise<string>((resolve, reject) => {
        execFile(process.execPath, [join(target, "client.ts"), served.url, TOKENS.admin], (error, stdout, stderr) =>
          error ? reject(new Error(stderr)) : resolve(stdout),
        );
      });
      expect(JSON.parse(run.trim().split("\n").at(-1)!)).toEqual(["created", "ready", 1, "SCHEDULE_UNKNOWN"]);
    } finally {
      await served.close();
    }
  });
});
