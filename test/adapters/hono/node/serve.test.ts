/** Hosts with real sockets: serving, stopping in order, and the examples for Node, Bun, Deno and Vercel. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createApp } from "../../../../adapters/hono/mod.ts";
import { serve } from "../../../../adapters/node.ts";
import { sqlite } from "../../../../adapters/sqlite.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { Belfry } from "../../../../src/belfry.ts";
import { freePort } from "../../../engines/ports.ts";
import { root } from "../../../house/source.ts";
import { call, folder, start, TOKEN, until } from "./processes.ts";

const bin = (name: string): string => join(root, "node_modules/.bin", name);
const auth = { tokens: [{ token: TOKEN, scopes: ["admin" as const] }] };

describe("serve() of belfry/node", () => {
  it("answers, fires and runs; when it stops it drains jobs and answers requests in progress", async () => {
    const path = join(folder(), "app.db");
    const belfry = new Belfry({ storage: sqlite(path), logger: silentLogger, drain: "5s" });
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    belfry.task("slow", async (ctx) => ctx.step("hold", () => held.then(() => "drained")));
    const served = await serve({ belfry, app: createApp(belfry, { auth }), port: 0, signals: false });
    const { body } = await call(served.url, "POST", "/jobs", { task: "slow" });
    await until(async () => (await call(served.url, "GET", `/jobs/${body["id"]}`)).body["state"] === "running");
    expect((await call(served.url, "GET", "/health")).body).toMatchObject({ ok: true });
    const stream = await fetch(`${served.url}/events`, { headers: { Authorization: `Bearer ${TOKEN}` } });

    const closed = served.close();
    release();
    await until(() =>
      fetch(`${served.url}/health`).then(
        () => false,
        () => true,
      ),
    );
    await stream.body!.cancel();
    await closed;
    await served.finished;
    const after = new Belfry({ storage: sqlite(path), logger: silentLogger });
    expect(await after.jobs.get(String(body["id"]))).toMatchObject({ state: "completed", output: "drained" });
    expect((await after.health()).lease).toBeNull();
    await after.close();
  });

  it("closes streams of events when the grace period is over", async () => {
    const belfry = new Belfry({ storage: sqlite(":memory:"), logger: silentLogger });
    const served = await serve({
      belfry,
      app: createApp(belfry, { auth }),
      port: 0,
      signals: false,
      run: false,
      grace: "100ms",
    });
    const stream = await fetch(`${served.url}/events`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    await served.close();
    await expect(stream.text()).rejects.toThrow();
  });

  it("stops when its signal aborts, and rejects where the port is taken", async () => {
    const belfry = new Belfry({ storage: sqlite(":memory:"), logger: silentLogger });
    const stop = new AbortController();
    const app = createApp(belfry, { auth });
    const served = await serve({ belfry, app, port: 0, signals: false, signal: stop.signal });
    const other = new Belfry({ storage: sqlite(":memory:"), logger: silentLogger });
    await expect(serve({ belfry: other, app, port: served.port, signals: false })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    stop.abort();
    await served.finished;
    await other.close();
  });

  it("rejects where the storage cannot be opened, and stops listening", async () => {
    const belfry = new Belfry({ storage: sqlite(join(folder(), "no/such/folder/app.db")), logger: silentLogger });
    const served = await serve({ belfry, app: createApp(belfry, { auth }), port: 0, signals: false });
    await expect(served.finished).rejects.toMatchObject({ code: "STORAGE_UNUSABLE" });
    await expect(fetch(`${served.url}/health`)).rejects.toThrow();
  });
});

describe("examples", () => {
  const example = (path: string): string => join(root, "examples", path);
  const runtimes: [name: string, command: string, args: string[], main: string][] = [
    ["node on Node", bin("node"), [], "node/main.ts"],
    ["node on Bun", bin("bun"), [], "node/main.ts"],
    ["deno-deploy on Deno", bin("deno"), ["run", "-A", "--unstable-cron"], "deno-deploy/main.ts"],
  ];
  for (const [name, command, args, main] of runtimes) {
    it(`examples/${name} answers, runs a job, and stops at SIGTERM`, async () => {
      const path = join(folder(), "app.db");
      const port = String(await freePort());
      const env = { BELFRY_TOKEN: TOKEN, BELFRY_DB: path, DATABASE_URL: `file:${path}`, PORT: port };
      const server = start(command, [...args, example(main)], env);
      const url = await server.says(/listening on (\S+)/);
      const { body } = await call(url, "POST", "/jobs", { task: "greet", input: { name: "Ada" } });
      // Deno's cron rings at the full minute: a tick by hand does not wait for it.
      await call(url, "POST", "/tick");
      await until(async () => (await call(url, "GET", `/jobs/${body["id"]}`)).body["state"] === "completed");
      expect((await call(url, "GET", "/schedules/every-minute")).body).toMatchObject({ state: "active" });
      expect((await fetch(`${url}/jobs`)).status).toBe(401);
      server.child.kill("SIGTERM");
      expect(await server.ended).toBe(0);
      expect(server.output()).toContain("Hello Ada");
      expect(server.output()).toContain("stopped");
    });
  }

  // A real minute has to pass: only in the long rounds.
  it.runIf(process.env["BELFRY_LONG"])(
    "examples/deno-deploy is rung by Deno.cron at the full minute",
    async () => {
      const env = {
        BELFRY_TOKEN: TOKEN,
        DATABASE_URL: `file:${join(folder(), "app.db")}`,
        PORT: String(await freePort()),
      };
      const server = start(bin("deno"), ["run", "-A", "--unstable-cron", example("deno-deploy/main.ts")], env);
      await server.says(/Hello minute, from every-minute/, 130_000);
      server.child.kill("SIGTERM");
      expect(await server.ended).toBe(0);
    },
    150_000,
  );

  it("examples/node refuses to start without a token, and says how", async () => {
    const env = { BELFRY_TOKEN: "", BELFRY_DB: join(folder(), "app.db"), PORT: "0" };
    const server = start(bin("node"), [example("node/main.ts")], env);
    expect(await server.ended).toBe(1);
    expect(server.output()).toMatch(/tokens\[0\] is missing: is the variable of its token set\?/);
  });

  it("examples/vercel answers its cron's GET with the secret, and no other", async () => {
    const path = join(folder(), "app.db");
    Object.assign(process.env, {
      DATABASE_URL: `file:${path}`,
      CRON_SECRET: "the-secret-of-the-cron",
      BELFRY_TOKEN: TOKEN,
    });
    const { GET, POST } = await import("../../../../examples/vercel/api/belfry.ts");
    const get = (path: string, token: string) =>
      GET(new Request(`https://app.example/api/belfry${path}`, { headers: { Authorization: `Bearer ${token}` } }));
    const rung = await get("/tick", "the-secret-of-the-cron");
    expect([rung.status, await rung.json()]).toMatchObject([200, { leader: true, fired: 0 }]);
    expect((await get("/tick", "another-secret-of-a-cron")).status).toBe(401);
    expect((await get("/schedules", "the-secret-of-the-cron")).status).toBe(403);
    const json = {
      method: "POST",
      headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json" },
      body: '{"task":"report"}',
    };
    expect((await POST(new Request("https://app.example/api/belfry/jobs", json))).status).toBe(201);
    expect(await (await get("/tick", "the-secret-of-the-cron")).json()).toMatchObject({ ran: 1 });
  });
});
