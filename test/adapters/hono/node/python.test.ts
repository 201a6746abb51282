/** A worker in another language: `examples/python-worker` over the protocol, killed in the middle too. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { createApp } from "../../../../adapters/hono/mod.ts";
import { type Served, serve } from "../../../../adapters/node.ts";
import { sqlite } from "../../../../adapters/sqlite.ts";
import { silentLogger } from "../../../../src/base/log.ts";
import { Belfry } from "../../../../src/belfry.ts";
import { root } from "../../../house/source.ts";
import { call, folder, start, TOKEN, until } from "./processes.ts";

const python = ["python3", "python"].find((name) => spawnSync(name, ["--version"]).status === 0);
const program = join(root, "examples/python-worker/worker.py");

// A machine without Python cannot run a worker in Python; all others do.
describe.skipIf(python === undefined)("examples/python-worker", () => {
  let served: Served;
  let belfry: Belfry;
  const env = (): Record<string, string> => ({
    BELFRY_URL: served.url,
    BELFRY_TOKEN: TOKEN,
    BELFRY_CLAIM_SECONDS: "1",
  });
  const enqueue = async (body: object): Promise<string> =>
    String((await call(served.url, "POST", "/jobs", { queue: "python", ...body })).body["id"]);
  const job = async (id: string) => (await call(served.url, "GET", `/jobs/${id}`)).body;

  beforeAll(async () => {
    belfry = new Belfry({ storage: sqlite(":memory:"), logger: silentLogger });
    const app = createApp(belfry, { auth: { tokens: [{ token: TOKEN, scopes: ["work"] }] } });
    served = await serve({ belfry, app, port: 0, signals: false, run: { work: false } });
    return () => served.close();
  });

  it("runs jobs in steps, and reports failures", async () => {
    const id = await enqueue({ task: "count-words", input: { text: "the quick brown fox" } });
    const bad = await enqueue({ task: "broken", retry: false });
    const worker = start(python!, [program, "--once"], env());
    expect(await worker.ended).toBe(0);
    const done = await job(id);
    expect(done).toMatchObject({ state: "completed", output: { count: 4, longest: "quick" }, progress: { words: 4 } });
    expect((done["steps"] as { name: string }[]).map(({ name }) => name)).toEqual(["split", "longest"]);
    expect(await job(bad)).toMatchObject({
      state: "failed",
      error: { name: "ValueError", message: "this one never works" },
    });
  });

  it("killed between two steps, its job is taken over and no step runs twice", async () => {
    const file = join(folder(), "lines.txt");
    const id = await enqueue({ task: "stamp", input: { file, seconds: 30 } });
    const first = start(python!, [program], env());
    await until(async () => ((await job(id))["steps"] as unknown[]).length === 1);
    // It renews while it is busy: longer than its claim of one second.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(await job(id)).toMatchObject({ state: "running", attempt: 1 });
    first.child.kill("SIGKILL");
    await first.ended;
    const second = start(python!, [program], env());
    await until(async () => (await job(id))["state"] === "completed");
    second.child.kill("SIGTERM");
    expect(await second.ended).toBe(0);
    expect(readFileSync(file, "utf8").trim().split("\n")).toEqual([
      `one ${id} fence 1`,
      `two ${id} fence 2`,
      `three ${id} fence 2`,
    ]);
    expect(await job(id)).toMatchObject({ attempt: 2, output: "three" });
  });
});
