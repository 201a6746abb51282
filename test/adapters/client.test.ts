/** A worker and a client over HTTP: no database, a token, the engine's own worker; payloads the server cannot read. */
import { describe, expect, it } from "vitest";
import { type Client, createClient, RequestError, remote, type Task } from "../../adapters/client.ts";
import { delay, systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";
import { type Bench, bench, MINUTE, START, TOKENS } from "./hono/kit.ts";

const URL_OF_APP = "http://belfry.test";
let seed = 5_000;
/** Requests that have no answer yet: the app makes digests on other threads, which a clock moved by hand must not outrun. */
let underWay = 0;

/** Sends a request to an app of this process. */
async function reach(server: Bench, request: Request): Promise<Response> {
  underWay++;
  try {
    return await server.app.fetch(request);
  } finally {
    underWay--;
  }
}

function far(
  server: Bench,
  options: { clock?: FakeClock; token?: string; codec?: ConstructorParameters<typeof Belfry>[0]["codec"] } = {},
): Belfry {
  const { clock = server.clock, token = TOKENS.work, codec } = options;
  return new Belfry({
    storage: remote({ url: URL_OF_APP, token, fetch: (request) => reach(server, request) }),
    clock,
    ids: countedIds(++seed),
    logger: silentLogger,
    onError: (error, during) => server.errors.push({ error, during }),
    ...(codec ? { codec } : {}),
  });
}

const client = (server: Bench, token: string | undefined = TOKENS.admin) =>
  createClient({
    url: `${URL_OF_APP}/`,
    fetch: (request) => reach(server, request),
    clock: server.clock,
    ...(token ? { token } : {}),
  });

/** Moves time on until a promise settles, but not while a request is under way. */
async function pump<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = promise.finally(() => {
    settled = true;
  });
  done.catch(() => {});
  for (let i = 0; i < 5_000 && !settled; i++) {
    do for (let turns = 0; turns < 5; turns++) await systemClock.turn();
    while (underWay > 0);
    await clock.advance(200);
  }
  return await done;
}

/** Runs a worker until something holds. */
async function runUntil(worker: Belfry, clock: FakeClock, until: () => Promise<boolean>): Promise<void> {
  const stop = new AbortController();
  const running = worker.run({ schedule: false, signal: stop.signal });
  const watch = async (): Promise<void> => {
    while (!(await until())) await delay(clock, 1_000);
    stop.abort();
    await running;
  };
  await pump(clock, watch());
}

describe("remote()", () => {
  it("runs a job with steps, a sleep, a child and a signal, all over HTTP", async () => {
    const server = bench();
    const worker = far(server);
    const runs: string[] = [];
    const child = worker.task("child", (_ctx, input: number) => input * 2);
    worker.task("parent", async (ctx, input: { n: number }) => {
      const loaded = await ctx.step("load", () => {
        runs.push("load");
        return input.n;
      });
      await ctx.sleep("settle", "20s");
      const doubled = await ctx.invoke("double", child, loaded);
      const go = await ctx.waitFor<string>("go", { timeout: "1h" });
      return [doubled, go, runs.length];
    });
    const { id } = await client(server).enqueue("parent", { n: 21 });
    const handle = client(server).job<unknown[]>(id);
    await handle.signal("go", "yes", { key: "k" });
    await runUntil(worker, server.clock, async () => (await handle.status()) === "completed");
    expect(await handle.result()).toEqual([42, "yes", 1]);
    const job = await handle.get();
    expect(job).toMatchObject({ state: "completed", output: [42, "yes", 1] });
    expect(job.steps.map((step) => step.name)).toEqual(["load", "settle", "double", "go"]);
    expect(server.clock.now() - START).toBeGreaterThanOrEqual(20_000);
    expect(server.errors).toEqual([]);
    await worker.close();
    await server.belfry.close();
  });

  it("takes over the job of a worker with a stopped clock, which can save nothing more", async () => {
    const server = bench();
    const deadClock = new FakeClock(START - 3_600_000);
    const dead = far(server, { clock: deadClock });
    let release = (): void => {};
    const reached = new Promise<void>((resolve) => {
      dead.task("slow", async (ctx) => {
        await ctx.step("first", () => "by the dead");
        await ctx.step("second", () => {
          resolve();
          return new Promise<string>((done) => {
            release = () => done("too late");
          });
        });
      });
    });
    const { id } = await client(server).enqueue("slow");
    const stop = new AbortController();
    const running = dead.run({ schedule: false, signal: stop.signal });
    await pump(deadClock, reached);
    server.clock.jump(60_000);
    const alive = far(server);
    alive.task("slow", async (ctx) => [
      await ctx.step("first", () => "again"),
      await ctx.step("second", () => "by the living"),
      ctx.fence,
    ]);
    await runUntil(alive, server.clock, async () => (await client(server).job(id).status()) === "completed");
    release();
    stop.abort();
    await pump(deadClock, running);
    const job = await client(server).job(id).get();
    // A clock moved by hand may run ahead of an answer (Deno makes digests on another thread): claims may run out again.
    expect(job.attempt).toBeGreaterThanOrEqual(2);
    expect(job).toMatchObject({ output: ["by the dead", "by the living", job.attempt] });
    await dead.close();
    await alive.close();
    await server.belfry.close();
  });

  it("learns of a signal while the job runs, without seeing the token of any claim", async () => {
    const server = bench();
    const worker = far(server);
    worker.task("both", async (ctx) => {
      let release = (value: string): void => void value;
      const step = ctx.step("long", () => new Promise<string>((resolve) => (release = resolve)));
      const go = await ctx.waitFor<string>("go", { timeout: "1d" });
      release(`released by ${go}`);
      return step;
    });
    const job = await client(server).enqueue("both");
    const ended = async (): Promise<boolean> => {
      if (server.clock.now() - START === 3_000) await job.signal("go", "a signal");
      return (await job.status()) === "completed";
    };
    await runUntil(worker, server.clock, ended);
    expect(await job.get()).toMatchObject({ output: "released by a signal", attempt: 1, claims: 1 });
    await worker.close();
    await server.belfry.close();
  });

  it("keeps payloads that only the workers can read from the server", async () => {
    const server = bench();
    const codec = { encode: (json: string) => `sealed:${btoa(json)}`, decode: (text: string) => atob(text.slice(7)) };
    const worker = far(server, { codec });
    worker.task("secret", (_ctx, input: { pin: number }) => input.pin + 1);
    const handle = await worker.enqueue("secret", { pin: 41 });
    await runUntil(worker, server.clock, async () => (await handle.status()) === "completed");
    const answer = await client(server).call<{ input: object }>("GET", `/jobs/${handle.id}`);
    expect(JSON.stringify(answer)).not.toContain("pin");
    expect(answer.input).toHaveProperty("unreadable");
    expect(await handle.result()).toBe(42);
    await worker.close();
    await server.belfry.close();
  });

  it("names the operations it does not have, and the scope that a token lacks", async () => {
    const server = bench();
    const worker = far(server);
    await expect(worker.schedule("s", "* * * * *", "t")).rejects.toMatchObject({
      code: "STORAGE_UNUSABLE",
      message: /for work only/,
    });
    const stranger = far(server, { token: TOKENS.read });
    await expect(stranger.enqueue("t")).rejects.toMatchObject({ code: "STORAGE_UNUSABLE", message: /scope work/ });
    const nobody = new Belfry({
      storage: remote({ url: URL_OF_APP, fetch: () => Promise.reject(new TypeError("connection refused")) }),
      logger: silentLogger,
    });
    await expect(nobody.enqueue("t")).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: /connection refused/,
    });
    for (const belfry of [worker, stranger, nobody, server.belfry]) await belfry.close();
  });
});

const CLAIM = { token: "t", worker: "w", queues: ["default"], tasks: null, limit: 1, claimMs: 5_000 };
const html = (text: string): Response => new Response(text, { headers: { "Content-Type": "text/html" } });

describe("createClient()", () => {
  it("registers, lists, explains, ticks and removes", async () => {
    const server = bench();
    const api = client(server);
    const name = "a/b c%?";
    const task: Task<number[]> = { name: "t" };
    const made = await api.schedule(name, "* * * * *", task, { input: [1], startAt: new Date(START), tags: ["x"] });
    expect(made).toMatchObject({ status: "created", schedule: { name, definition: { startAt: START, input: [1] } } });
    expect(await api.schedules.get(name)).toMatchObject({ name, definition: { tags: ["x"] } });
    expect(await api.schedules.get("none")).toBeNull();
    server.clock.jump(MINUTE);
    expect(await api.tick({ work: false })).toMatchObject({ fired: 1 });
    expect((await api.schedules.list({ state: "active", tag: "x" })).items.map((item) => item.name)).toEqual([name]);
    expect(await api.schedules.explain(name, new Date(START + 30_000))).toMatchObject({ outcome: "fired" });
    expect(await api.schedules.occurrences(name, { to: "2026-01-05", limit: 1 })).toMatchObject([
      { at: START + 30_000 },
    ]);
    const page = await api.jobs.list({ states: ["ready", "running"], schedule: name, limit: 1 });
    expect(page.items).toMatchObject([{ task: "t", scheduledAt: START + 30_000 }]);
    const job = api.job(page.items[0]!.id);
    expect(await job.cancel({ reason: "enough" })).toEqual([job.id]);
    expect(await job.get()).toMatchObject({ state: "cancelled", error: { message: "enough" } });
    expect(await job.retry()).toEqual([job.id]);
    expect(await api.jobs.get("none")).toBeNull();
    expect(await api.schedules.remove(name)).toBe(true);
    expect(await api.schedules.remove(name)).toBe(false);
    expect(await api.health({ deep: true, maxLag: 60_000 })).toMatchObject({ ok: true, schedules: { active: 0 } });
    await server.belfry.close();
  });

  it("has the methods of the library for schedules", async () => {
    const server = bench();
    const { schedules } = client(server);
    await schedules.put({ name: "s", expression: "* * * * *", task: "t", options: { input: 1 } });
    const updated = await schedules.update("s", { overlap: "skip", expression: { at: new Date(START + 30_000) } });
    expect(updated).toMatchObject({ status: "updated", schedule: { definition: { overlap: "skip" } } });
    await schedules.update("s", { expression: "* * * * *", overlap: null });
    expect(await schedules.pause("s", { note: "rest" })).toMatchObject({ state: "paused", note: "rest" });
    server.clock.jump(2 * MINUTE);
    expect(await schedules.resume("s", { missed: "skip" })).toMatchObject({ state: "active", note: null });
    const triggered = await schedules.trigger("s", { input: { by: "hand" } });
    expect(await client(server).job(triggered.jobId!).get()).toMatchObject({ input: { by: "hand" }, schedule: "s" });
    const range = { from: new Date(START), to: START + 2 * MINUTE, overlap: "allow" } as const;
    expect(await schedules.backfill("s", range)).toEqual({ enqueued: 2, existing: 0, excluded: 0 });
    expect((await schedules.preview("s", { count: 2 })).map(({ at }) => at)).toEqual([
      START + 2.5 * MINUTE,
      START + 3.5 * MINUTE,
    ]);
    const spec = { name: "n", expression: "0 9 * * *", task: "t", options: { exclude: [new Date("2026-03-02")] } };
    expect(await schedules.preview(spec, { from: "2026-03-01", count: 2 })).toMatchObject([
      { excluded: false },
      { local: "2026-03-02 09:00:00 UTC" },
    ]);
    const forecast = await schedules.forecast(spec, {
      from: "2026-03-01",
      to: new Date("2026-03-04"),
      durations: "1h",
    });
    expect(forecast).toMatchObject({ fired: 3, state: "active" });
    await server.belfry.close();
  });

  it("enqueues many, acts on many, and sets queues", async () => {
    const server = bench();
    const api = client(server);
    const jobs = await api.enqueueMany([
      { task: "a", input: 1, options: { key: "k", runAt: new Date(START + MINUTE) } },
      { task: "b", options: { queue: "far" } },
    ]);
    expect(jobs.map(({ created }) => created)).toEqual([true, true]);
    expect(await jobs[0]!.get()).toMatchObject({ availableAt: START + MINUTE, key: "k" });
    expect(await api.jobs.cancelMany({ queue: "far" }, { dryRun: true })).toEqual([jobs[1]!.id]);
    expect(await api.jobs.cancelMany({ queue: "far" }, { reason: "no" })).toEqual([jobs[1]!.id]);
    expect(await api.jobs.retryMany({ states: ["cancelled"] })).toEqual([jobs[1]!.id]);
    expect(await api.queues.pause("far")).toMatchObject({ name: "far", paused: true });
    expect(await api.queues.resume("far")).toMatchObject({ paused: false });
    const rate = { count: 2, per: "1m" };
    expect(await api.queues.configure("far", { concurrency: 3, rate })).toEqual({
      name: "far",
      paused: false,
      concurrency: 3,
      rate: { count: 2, perMs: MINUTE },
    });
    expect(await api.queues.list()).toMatchObject([{ name: "default" }, { name: "far", ready: 1 }]);
    await server.belfry.close();
  });

  it("returns results and throws failures as the library does", async () => {
    const server = bench();
    const add = server.belfry.task("add", (_ctx, [a, b]: [number, number]) => a + b);
    server.belfry.task("bad", () => {
      throw new TypeError("broken", { cause: new Error("why") });
    });
    const sum = await client(server).enqueue(add, [1, 2]);
    const bad = await client(server).enqueue("bad", undefined, { retry: false });
    await server.belfry.tick();
    const result: number = await sum.result();
    expect(result).toBe(3);
    await expect(bad.result()).rejects.toMatchObject({
      code: "JOB_FAILED",
      cause: { name: "TypeError", message: "broken", cause: { message: "why" } },
    });
    await server.belfry.close();
  });

  it("throws refusals with their problem, and returns a bad health report", async () => {
    const server = bench();
    const refused = await client(server, "no-such-token-here")
      .jobs.list()
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RequestError);
    expect(refused).toMatchObject({ status: 401, code: "UNAUTHORIZED", problem: { status: 401 } });
    const bad = client(server).schedule("s", "61 * * * *", "t");
    await expect(bad).rejects.toMatchObject({
      status: 400,
      code: "CRON_SYNTAX",
      problem: { field: "minute", column: 0 },
    });
    await client(server).schedule("s", "* * * * *", "t");
    server.clock.jump(10 * MINUTE);
    expect(await client(server).health()).toMatchObject({ ok: false });
    await server.belfry.close();
  });

  it("waits for a job no longer than asked", async () => {
    const server = bench();
    const job = await client(server).enqueue("t");
    const waiting = pump(server.clock, job.result({ timeout: "5s" }));
    await expect(waiting).rejects.toMatchObject({ code: "RESULT_TIMEOUT" });
    await server.belfry.close();
  });
});

describe("a response that is not the app's", () => {
  const answers: [what: string, answer: () => Response, wrong: RegExp][] = [
    ["a login page with status 200", () => html("<html>Sign in</html>"), /with text\/html.*no JSON object.*Sign in/],
    ["an empty body with status 204", () => new Response(null, { status: 204 }), /204 with no Content-Type/],
    ["JSON of another service", () => Response.json({ status: "ok" }), /whose id is no text/],
    ["JSON that is no object", () => Response.json([]), /no JSON object/],
    ["JSON under the type of text", () => new Response('{"id":"x","created":true}'), /with text\/plain/],
    ["a property of another type", () => Response.json({ id: 7, created: true }), /whose id is no text/],
  ];

  for (const [what, answer, wrong] of answers) {
    it(`${what} is a RequestError, never a job without id`, async () => {
      const api = createClient({ url: "http://elsewhere.test", fetch: answer });
      const refused = await api.enqueue("t").catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(RequestError);
      expect(refused).toMatchObject({ code: "WRONG_ANSWER", problem: null, message: wrong });
    });
  }

  it("is STORAGE_UNAVAILABLE to remote(), since the write may have happened", async () => {
    const storage = remote({ url: "http://elsewhere.test", fetch: () => html("<html>Sign in</html>") });
    await expect(storage.claim({ ...CLAIM, now: START })).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      message: /no JSON object/,
    });
    const bare = remote({ url: "http://elsewhere.test", fetch: () => Response.json({ time: START }) });
    await expect(bare.claim({ ...CLAIM, now: START })).rejects.toMatchObject({ message: /whose jobs is no list/ });
  });
});

describe("types of the client", () => {
  it("are as strict as those of the library", () => {
    const report: Task<{ userId: number }, string> = { name: "report" };
    const calls = (api: Client, ring: Task<undefined, number>): unknown[] => [
      // @ts-expect-error the task needs an input
      api.enqueue(report),
      // @ts-expect-error of another type
      api.enqueue(report, { userId: "7" }),
      // @ts-expect-error no such option
      api.enqueue(report, { userId: 7 }, { kee: "k" }),
      // @ts-expect-error no such option
      api.schedules.pause("s", { not: "why" }),
      // @ts-expect-error no such filter
      api.jobs.retryMany({ taks: "t" }),
      // @ts-expect-error no such word
      api.schedules.update("s", { overlap: "sometimes" }),
      // @ts-expect-error its result is text
      api.enqueue(report, { userId: 7 }).then((job): Promise<number> => job.result()),
      api.enqueue(ring).then((job): Promise<number> => job.result()),
    ];
    // They need not run.
    expect(calls).toBeTypeOf("function");
  });
});
