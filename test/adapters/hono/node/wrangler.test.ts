/**
 * The examples for Cloudflare under `wrangler dev`: bundled by wrangler, run in workerd, rung through its own route for cron
 * events; the Durable Object rings by itself, and keeps what it has over a restart of wrangler.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../engines/ports.ts";
import { root } from "../../../house/source.ts";
import { call, folder, type Started, start, TOKEN, until } from "./processes.ts";

const wrangler = join(root, "node_modules/wrangler/bin/wrangler.js");

/** Starts `wrangler dev` on a copy of an example that has a token; what it stores goes to `state`. */
async function dev(example: string, state: string): Promise<{ url: string; started: Started }> {
  // A copy beside the original, so that its imports hold.
  const copy = join(root, "examples", `.${example}-${process.pid}`);
  mkdirSync(copy, { recursive: true });
  onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
  cpSync(join(root, "examples", example), copy, { recursive: true });
  writeFileSync(join(copy, ".dev.vars"), `BELFRY_TOKEN=${TOKEN}\n`);
  const port = String(await freePort());
  const env = { WRANGLER_SEND_METRICS: "false", WRANGLER_SEND_ERROR_REPORTS: "false", CI: "1", NO_COLOR: "1" };
  const args = [
    wrangler,
    "dev",
    "--port",
    port,
    "--inspector-port",
    "0",
    "--persist-to",
    state,
    "--show-interactive-dev-session=false",
  ];
  const started = start(process.execPath, args, env, copy);
  await started.says(/Ready on/, 60_000);

  return { url: `http://127.0.0.1:${port}`, started };
}

/** Ends wrangler and the workerd under it, as its group. */
async function stop({ child, ended }: Started): Promise<void> {
  child.kill("SIGINT");
  await ended;
}

describe("wrangler dev", () => {
  it("examples/cloudflare: D1, cron events, and a job right after its request", async () => {
    const state = folder();
    const { url, started } = await dev("cloudflare", state);
    const { body } = await call(url, "POST", "/jobs", { task: "greet", input: { name: "Ada" } });
    await until(async () => (await call(url, "GET", `/jobs/${body["id"]}`)).body["state"] === "completed");
    await call(url, "PUT", "/schedules/s", {
      expression: "* * * * * *",
      task: "greet",
      input: { name: "cron" },
      maxFires: 2,
    });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const ring = () => fetch(`${url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*&time=0&format=json`);
    const rung = await Promise.all([ring(), ring()]);
    expect(rung.map(({ status }) => status)).toEqual([200, 200]);
    expect(await rung[0]!.json()).toMatchObject({ outcome: "ok" });
    await until(async () => {
      await ring();
      return (await call(url, "GET", "/schedules/s")).body["state"] === "ended";
    });
    await until(
      async () => ((await call(url, "GET", "/jobs?schedule=s&state=completed")).body["items"] as object[]).length === 2,
    );
    expect((await fetch(`${url}/jobs`)).status).toBe(401);
    await stop(started);
  }, 240_000);

  it("examples/durable-object: ticks by its own alarm, also after wrangler was stopped and started", async () => {
    const state = folder();
    const first = await dev("durable-object", state);
    const put = { expression: "* * * * * *", task: "greet", input: { name: "alarm" } };
    await call(first.url, "PUT", "/north/schedules/s", put);
    const count = async (url: string, bell: string): Promise<number> =>
      ((await call(url, "GET", `/${bell}/schedules/s/occurrences?limit=500`)).body["items"] as object[]).length;
    await until(async () => (await count(first.url, "north")) >= 1);
    // Another object is another Belfry.
    expect(await count(first.url, "south")).toBe(0);
    await stop(first.started);
    const second = await dev("durable-object", state);
    await until(async () => (await count(second.url, "north")) >= 3);
    const { items } = (await call(second.url, "GET", "/north/schedules/s/occurrences?limit=500")).body as {
      items: { at: number }[];
    };
    const instants = items.map(({ at }) => at).sort((a, b) => a - b);
    expect(instants.slice(1).map((at, i) => at - instants[i]!)).toEqual(instants.slice(1).map(() => 1_000));
    await stop(second.started);
  }, 240_000);
});
