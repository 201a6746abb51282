/** A worker and a client over HTTP: no database, a token, the engine's own worker; payloads the server cannot read. */
import { describe, expect, it } from "vitest";
import { createClient, RequestError, remote } from "../../adapters/client.ts";
import { delay, systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/log.ts";
import { Belfry } from "../../src/belfry.ts";
import { countedIds, FakeClock } from "../../src/testing/mod.ts";
import { type Bench, bench, MINUTE, START, TOKENS } from "./hono/kit.ts";

const URL_OF_APP = "http://belfry.test";
let seed = 5_000;

function far(
  server: Bench,
  options: { clock?: FakeClock; token?: string; codec?: ConstructorParameters<typeof Belfry>[0]["codec"] } = {},
): Belfry {
  const { clock = server.clock, token = TOKENS.work, codec } = options;
  return new Belfry({
    storage: remote({ url: URL_OF_APP, token, fetch: (request) => server.app.fetch(request) }),
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
    fetch: (request) => server.app.fetch(request),
    clock: server.clock,
    ...(token ? { token } : {}),
  });

/** Moves time on until a promise settles. Digests and streams are made outside, so they are given real turns. */
async function pump<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = promise.finally(() => {
    settled = true;
  });
  done.catch(() => {});
  for (let i = 0; i < 5_000 && !settled; i++) {
    for (let turns = 0; turns < 5; turns++) await systemClock.turn();
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
    await client(server).signal(id, "go", "yes", { key: "k" });
    await runUntil(worker, server.clock, async () => (await client(server).job(id)).state === "completed");
    const job = await client(server).ended(id);
    expect(job).toMatchObject({ state: "completed", output: [42, "yes", 1] });
    expect(job.steps.map((step) => step.name)).toEqual(["load", "settle", "double", "go"]);
    expect(server.clock.now() - START).toBeGreaterThanOrEqual(20_000);
    expect(server.errors).toEqual([]);
    await worker.close();
    await server.belfry.close();
  });

  it("takes over what a worker with a stopped clock left, and that one can save nothing more", async () => {
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
    await runUntil(alive, server.clock, async () => (await client(server).job(id)).state === "completed");
    release();
    stop.abort();
    await pump(deadClock, running);
    const job = await client(server).job(id);
    // A clock moved by hand may run ahead of an answer (Deno makes digests on another thread): claims may run out again.
    expect(job.attempt).toBeGreaterThanOrEqual(2);
    expect(job).toMatchObject({ output: ["by the dead", "by the living", job.attempt] });
    await dead.close();
    await alive.close();
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

  it("says what it is not for, and which token it lacks", async () => {
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

describe("createClient()", () => {
  it("registers, lists, explains, ticks and removes", async () => {
    const server = bench();
    const api = client(server);
    const made = await api.schedule("a/b c%?", { expression: "* * * * *", task: "t", input: [1] });
    expect(made).toMatchObject({ status: "created", schedule: { name: "a/b c%?" } });
    server.clock.jump(MINUTE);
    expect(await api.tick({ work: false })).toMatchObject({ fired: 1 });
    expect((await api.schedules({ state: "active" })).items.map((item) => item.name)).toEqual(["a/b c%?"]);
    expect(await api.explain("a/b c%?", START + 30_000)).toMatchObject({ outcome: "fired" });
    const jobs = await api.jobs({ state: ["ready", "running"], schedule: "a/b c%?", limit: 1 });
    expect(jobs.items).toMatchObject([{ task: "t", scheduledAt: START + 30_000 }]);
    expect(await api.cancel(jobs.items[0]!.id, "enough")).toEqual([jobs.items[0]!.id]);
    expect(await api.retry(jobs.items[0]!.id)).toEqual([jobs.items[0]!.id]);
    expect(await api.removeSchedule("a/b c%?")).toBe(true);
    expect(await api.health()).toMatchObject({ ok: true, schedules: { active: 0 } });
    await server.belfry.close();
  });

  it("tells a refusal with its problem, and a health that is bad as health", async () => {
    const server = bench();
    const refused = await client(server, "no-such-token-here")
      .jobs()
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(RequestError);
    expect(refused).toMatchObject({ status: 401, code: "UNAUTHORIZED", problem: { status: 401 } });
    const bad = client(server).schedule("s", { expression: "61 * * * *", task: "t" });
    await expect(bad).rejects.toMatchObject({
      status: 400,
      code: "CRON_SYNTAX",
      problem: { field: "minute", column: 0 },
    });
    await client(server).schedule("s", { expression: "* * * * *", task: "t" });
    server.clock.jump(10 * MINUTE);
    expect(await client(server).health()).toMatchObject({ ok: false });
    await server.belfry.close();
  });

  it("waits for a job no longer than asked", async () => {
    const server = bench();
    const { id } = await client(server).enqueue("t");
    const waiting = pump(server.clock, client(server).ended(id, { timeout: "5s" }));
    await expect(waiting).rejects.toMatchObject({ code: "RESULT_TIMEOUT" });
    await server.belfry.close();
  });
});
