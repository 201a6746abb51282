/** Watching: the stream of events, its replay, its limits; the document, and the typed client that Hono makes. */
import { Hono } from "hono";
import { hc } from "hono/client";
import { describe, expect, it } from "vitest";
import type { BelfryApp, createApp } from "../../../adapters/hono/mod.ts";
import { HTTP_CODES } from "../../../adapters/hono/problem.ts";
import { VERSION } from "../../../adapters/hono/version.ts";
import { ERROR_CODES } from "../../../src/base/error.ts";
import { HEALTH_CODES } from "../../../src/schedule/health.ts";
import { OVERLAPS } from "../../../src/schedule/planner.ts";
import { OUTCOMES } from "../../../src/schedule/verdict.ts";
import { JOB_STATES, SCHEDULE_STATES, SKIP_REASONS, STEP_KINDS, STEP_STATES } from "../../../src/storage/states.ts";
import { AUTH, type Bench, bench, MINUTE, problemIn, START, TOKENS } from "./kit.ts";

/** Reads a stream event by event. */
class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    this.#reader = response.body!.getReader();
  }

  /** The next block of lines. */
  async block(): Promise<string> {
    while (!this.#text.includes("\n\n")) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error("the stream is over");
      this.#text += this.#decoder.decode(value, { stream: true });
    }
    const end = this.#text.indexOf("\n\n");
    const block = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 2);
    return block;
  }

  /** The next event, comments skipped. */
  async event(): Promise<{ event: string; id: string; data: Record<string, unknown> }> {
    for (;;) {
      const fields = Object.fromEntries(
        (await this.block())
          .split("\n")
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
      ) as Record<string, string>;
      if (fields["event"])
        return {
          event: fields["event"],
          id: fields["id"] ?? "",
          data: JSON.parse(fields["data"]!) as Record<string, unknown>,
        };
    }
  }

  close(): Promise<void> {
    return this.#reader.cancel();
  }
}

async function listen({ app }: Bench, query = "", lastId?: string): Promise<Reader> {
  const headers = {
    Authorization: `Bearer ${TOKENS.read}`,
    ...(lastId === undefined ? {} : { "Last-Event-ID": lastId }),
  };
  const response = await app.request(`/events${query}`, { headers });
  expect(response.headers.get("Content-Type")).toBe("text/event-stream");
  return new Reader(response);
}

describe("/events", () => {
  it("streams events of schedules and jobs, with the time", async () => {
    const made = bench();
    const stream = await listen(made);
    made.belfry.task("ring", () => 1);
    await made.call("PUT", "/schedules/s", { json: { expression: "* * * * *", task: "ring" } });
    made.clock.jump(MINUTE);
    await made.call("POST", "/tick");
    const names: string[] = [];
    while (!names.includes("job:completed")) names.push((await stream.event()).event);
    expect(names).toEqual(expect.arrayContaining(["lease:acquired", "schedule:fired", "job:started", "job:completed"]));
    const { id } = (await made.call("POST", "/jobs", { json: { task: "ring" } })).body;
    await made.call("POST", `/jobs/${id}/cancel`);
    for (;;) {
      const { event, data } = await stream.event();
      if (event !== "job:cancelled") continue;
      expect(data).toEqual({ at: START + MINUTE, id });
      break;
    }
    await stream.close();
    await made.belfry.close();
  });

  it("filters by name, job and schedule", async () => {
    const made = bench();
    const one = (await made.call("POST", "/jobs", { json: { task: "a" } })).body.id as string;
    const stream = await listen(made, `?name=job&job=${one}`);
    await made.call("POST", "/jobs", { json: { task: "b" } });
    await made.call("POST", `/jobs/${one}/signals/x`, { json: {} });
    await made.call("POST", `/jobs/${one}/cancel`);
    expect(await stream.event()).toMatchObject({ event: "job:cancelled", data: { id: one } });
    await stream.close();
    await made.belfry.close();
  });

  it("continues from Last-Event-ID without a gap, or sends gap", async () => {
    const made = bench();
    const first = await listen(made);
    await made.call("POST", "/jobs", { json: { task: "a" } });
    const { id } = await first.event();
    await first.close();
    await made.call("POST", "/jobs", { json: { task: "b" } });
    await made.call("POST", "/jobs", { json: { task: "c" } });
    const second = await listen(made, "", id);
    expect([(await second.event()).data["task"], (await second.event()).data["task"]]).toEqual(["b", "c"]);
    await second.close();
    for (const unknown of ["other.1", "nonsense", `${id.split(".")[0]}.999`]) {
      const third = await listen(made, "", unknown);
      expect((await third.event()).event).toBe("gap");
      await third.close();
    }
    await made.belfry.close();
  });

  it("sends heartbeats, and refuses clients beyond maxStreams", async () => {
    const made = bench({ app: { maxStreams: 1 } });
    const stream = await listen(made);
    expect(await stream.block()).toMatch(/^retry: 2000/);
    await made.clock.advance(15_000);
    expect(await stream.block()).toBe(": still here");
    expect(problemIn(await made.call("GET", "/events"))).toMatchObject({ status: 429, code: "TOO_MANY_STREAMS" });
    await stream.close();
    const again = await listen(made);
    await again.close();
    expect(made.clock.timers).toBe(0);
    await made.belfry.close();
  });

  it("opens no stream for a HEAD request", async () => {
    const made = bench({ app: { maxStreams: 1 } });
    for (let i = 0; i < 3; i++) expect((await made.call("HEAD", "/events")).status).toBe(200);
    const stream = await listen(made);
    await stream.close();
    expect(made.clock.timers).toBe(0);
  });

  it("disconnects a client that does not read", async () => {
    const made = bench();
    const response = await made.app.request("/events", { headers: { Authorization: `Bearer ${TOKENS.read}` } });
    for (let i = 0; i < 2_100; i++) made.belfry.engine.events.emit("job:cancelled", { id: String(i) });
    const reader = new Reader(response);
    let count = 0;
    await expect(
      (async () => {
        for (;;) {
          await reader.event();
          count++;
        }
      })(),
    ).rejects.toThrow("the stream is over");
    expect(count).toBeLessThan(2_100);
    await made.belfry.close();
  });
});

describe("openapi.json", () => {
  it("describes every route, with its scopes, and has an ETag", async () => {
    const { app, call } = bench();
    const answer = await call("GET", "/openapi.json", { as: null });
    expect(answer.body).toMatchObject({ openapi: "3.1.0", info: { title: "Belfry", version: VERSION } });
    const described = Object.entries(answer.body.paths as Record<string, object>).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    const served = app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual([...new Set(served)].sort());
    expect(
      (await call("GET", "/openapi.json", { as: null, headers: { "If-None-Match": answer.headers.get("ETag")! } }))
        .status,
    ).toBe(304);
  });

  it("lists the job protocol and the storage protocol under tags of their own", async () => {
    const { body } = await bench().call("GET", "/openapi.json", { as: null });
    const tagged: Record<string, string[]> = {};
    for (const [path, methods] of Object.entries(body.paths as Record<string, Record<string, { tags: string[] }>>)) {
      for (const { tags } of Object.values(methods)) tagged[tags[0]!] = [...(tagged[tags[0]!] ?? []), path];
    }
    expect(tagged["job protocol"]!.sort()).toEqual([
      "/jobs/{id}/renew",
      "/jobs/{id}/settle",
      "/jobs/{id}/steps",
      "/queues/{queue}/claim",
    ]);
    expect(tagged["storage protocol"]!.length).toBeGreaterThan(5);
    expect(tagged["storage protocol"]!.filter((path) => !path.startsWith("/storage/"))).toEqual([]);
  });

  it("names the path under which the app is mounted as its server", async () => {
    const outer = new Hono().route("/deep/belfry", bench().app);
    const found = (await (await outer.request("/deep/belfry/openapi.json")).json()) as { servers: object[] };
    expect(found.servers).toEqual([{ url: "/deep/belfry" }]);
  });

  it("lists every word of the library's states, reasons and codes", async () => {
    const { schemas } = (await bench().call("GET", "/openapi.json", { as: null })).body.components;
    const words: [component: string, words: readonly string[]][] = [
      ["JobState", JOB_STATES],
      ["ScheduleState", SCHEDULE_STATES],
      ["SkipReason", SKIP_REASONS],
      ["StepKind", STEP_KINDS],
      ["HealthCode", HEALTH_CODES],
      ["Overlap", OVERLAPS],
      ["ProblemCode", [...ERROR_CODES, ...HTTP_CODES]],
    ];
    for (const [component, all] of words) expect([component, schemas[component].enum]).toEqual([component, all]);
    expect(schemas.ExplainAnswer.properties.outcome.enum).toEqual(OUTCOMES);
    expect(schemas.StepAnswer.properties.state.enum).toEqual(STEP_STATES);
    expect(schemas.HealthCode.enum).toContain("ahead");
    expect(Object.keys(schemas.Failure.properties)).toContain("fatal");
  });

  it("describes signatures only where signing is configured", async () => {
    const open = async (auth: Parameters<typeof createApp>[1]["auth"]) =>
      (await bench({ app: { auth } }).call("GET", "/openapi.json")).body;
    expect((await open(AUTH)).components.securitySchemes).not.toHaveProperty("signature");
    const signing = await open({ signing: { secrets: ["s".repeat(32)] } });
    expect(signing.paths["/tick"].post.security).toEqual([{ bearer: [] }, { signature: [] }]);
    expect(signing.paths["/jobs"].post.security).toEqual([{ bearer: [] }]);
  });
});

describe("hc<BelfryApp>()", () => {
  it("is typed for inputs, outputs and refusals, also of a mounted app", async () => {
    const made = bench();
    const outer = new Hono().route("/belfry", made.app);
    const client = hc<BelfryApp>("http://belfry.test/belfry", {
      headers: { Authorization: `Bearer ${TOKENS.admin}` },
      fetch: outer.request,
    });
    const registered = await client.schedules[":name"].$put({
      param: { name: "daily" },
      json: { expression: "@daily", task: "report", catchUp: { within: "6h" }, overlap: "skip" },
    });
    if (!registered.ok) throw new Error((await registered.json()).detail);
    const { status, schedule } = await registered.json();
    expect([status, schedule.definition?.overlap]).toEqual(["created", "skip"]);

    const job = await client.jobs.$post({ json: { task: "report", input: { deep: [1] }, key: "k" } });
    if (!job.ok) throw new Error("refused");
    const { id } = await job.json();
    const listed = await client.jobs.$get({ query: { state: ["ready", "running"], limit: "1" } });
    if (!listed.ok) throw new Error("refused");
    const page = await listed.json();
    expect(page.items.map((item) => item.id)).toEqual([id]);

    const claimed = await client.queues[":queue"].claim.$post({ param: { queue: "default" }, json: { worker: "w" } });
    if (!claimed.ok) throw new Error("refused");
    const { token, jobs } = await claimed.json();
    const settled = await client.jobs[":id"].settle.$post({
      param: { id: jobs[0]!.id },
      json: { token, outcome: "failed", error: { message: "no" }, fatal: true },
    });
    if (!settled.ok) throw new Error("refused");
    expect((await settled.json()).state).toBe("failed");

    const refused = await client.schedules[":name"].$put({
      param: { name: "x" },
      json: { expression: "99 * * * *", task: "t" },
    });
    if (refused.ok) throw new Error("taken");
    const problem = await refused.json();
    expect([problem.code, problem.column]).toEqual(["CRON_SYNTAX", 0]);

    // What does not fit does not compile.
    // @ts-expect-error the body lacks the task
    const wrong = await client.jobs.$post({ json: { input: 1 } });
    expect(wrong.status).toBe(400);
    // @ts-expect-error no such outcome
    await client.jobs[":id"].settle.$post({ param: { id }, json: { token, outcome: "done" } });
    await made.belfry.close();
  });
});
