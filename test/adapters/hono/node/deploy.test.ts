/**
 * `docs/deploy.md` is copied and run: the block of each platform, as it stands there, in that platform's runtime. Only the
 * names of the package become paths of this repository, and Postgres a SQLite file, so that no server is needed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { Hono } from "hono";
import { Miniflare } from "miniflare";
import { describe, expect, it } from "vitest";
import { bundle } from "../../../../bench/http/bundle.ts";
import { freePort } from "../../../engines/ports.ts";
import { readJson, root } from "../../../house/source.ts";
import { call, folder, type Started, start, TOKEN, until } from "./processes.ts";

const text = readFileSync(join(root, "docs/deploy.md"), "utf8");
const names = readJson<{ exports: Record<string, string> }>("deno.json").exports;
const target = join(root, ".belfry/deploy");
const bin = (name: string): string => join(root, "node_modules/.bin", name);

/** Finds the blocks of a section. */
function blocks(heading: string, language: string): string[] {
  const from = text.indexOf(`\n## ${heading}\n`);
  if (from < 0) throw new Error(`docs/deploy.md has no section "${heading}"`);
  const end = text.indexOf("\n## ", from + 4);
  const section = text.slice(from, end < 0 ? undefined : end);
  return [...section.matchAll(new RegExp(`^\`\`\`${language}[^\\n]*\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map(
    (match) => match[1]!,
  );
}

/** Writes the program of a section where it can run. */
function program(heading: string, file: string): string {
  const path = join(target, file);
  const code = blocks(heading, "ts")[0]!
    .replace(/import pg from "pg";\n/, "")
    .replace(/import \{ postgres \} from "belfry\/postgres";/, 'import { sqlite } from "belfry/sqlite";')
    .replace(/new pg\.Pool\(\{ connectionString: process\.env\.DATABASE_URL \}\)/, "process.env.DATABASE_URL!")
    .replace(/postgres\(/g, "sqlite(")
    .replace(/(from )"(belfry[^"]*)"/g, (_whole, before: string, name: string) => {
      const source = names[name.replace(/^belfry/, ".")];
      if (!source) throw new Error(`docs/deploy.md imports "${name}", which is not exported`);
      return `${before}"${relative(dirname(path), join(root, source))}"`;
    });
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
  return path;
}

/** Does what a first user does: enqueues the report of the docs, and sees it done. */
async function works(url: string, base = ""): Promise<void> {
  const { status, body } = await call(url, "POST", `${base}/jobs`, { task: "report" });
  expect(status).toBe(201);
  await call(url, "POST", `${base}/tick`);
  await until(async () => (await call(url, "GET", `${base}/jobs/${body["id"]}`)).body["state"] === "completed");
  expect((await call(url, "GET", `${base}/jobs/${body["id"]}`)).body).toMatchObject({ output: 42 });
}

async function stopped(server: Started): Promise<void> {
  server.child.kill("SIGTERM");
  expect(await server.ended).toBe(0);
}

describe("docs/deploy.md", () => {
  for (const [runtime, command] of [
    ["Node", bin("node")],
    ["Bun", bin("bun")],
  ] as const) {
    it(`Node and Bun: runs on ${runtime}`, async () => {
      const path = program("Node and Bun", "server.ts");
      const env = { BELFRY_TOKEN: TOKEN, BELFRY_DB: join(folder(), "app.db"), PORT: String(await freePort()) };
      const server = start(command, [path], env);
      const url = await server.says(/listening on (\S+)/);
      await works(url);
      expect((await call(url, "GET", "/schedules/daily-report")).body).toMatchObject({ state: "active" });
      await stopped(server);
    });
  }

  it("Deno Deploy: runs on Deno", async () => {
    const path = program("Deno Deploy", "main.ts");
    const env = { BELFRY_TOKEN: TOKEN, DATABASE_URL: join(folder(), "app.db"), DENO_SERVE_ADDRESS: "" };
    const port = await freePort();
    // The docs leave the port to the platform; here it must be one that nobody has.
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("serve({ belfry, app })", `serve({ belfry, app, port: ${port} })`),
    );
    const server = start(bin("deno"), ["run", "-A", "--unstable-cron", path], env);
    const url = `http://127.0.0.1:${port}`;
    await until(() =>
      fetch(`${url}/health`)
        .then(({ ok }) => ok)
        .catch(() => false),
    );
    await works(url);
    await stopped(server);
  });

  it("Vercel: its file answers under /api/belfry, and ticks by GET with the cron's secret", async () => {
    const path = program("Vercel", "api/belfry.ts");
    Object.assign(process.env, {
      DATABASE_URL: join(folder(), "app.db"),
      CRON_SECRET: "the-secret-of-the-cron",
      BELFRY_TOKEN: TOKEN,
    });
    const { GET } = (await import(pathToFileURL(path).href)) as { GET: (request: Request) => Promise<Response> };
    const get = (token: string) =>
      GET(new Request("https://app.example/api/belfry/tick", { headers: { Authorization: `Bearer ${token}` } }));
    expect((await get("the-secret-of-the-cron")).status).toBe(200);
    expect((await get("another-secret-of-a-cron")).status).toBe(401);
    const [{ crons }] = blocks("Vercel", "json").map(
      (found) => JSON.parse(found) as { crons: { path: string; schedule: string }[] },
    ) as [{ crons: { path: string; schedule: string }[] }];
    expect(crons).toEqual([{ path: "/api/belfry/tick", schedule: "* * * * *" }]);
  });

  it("Netlify: its function ticks", async () => {
    const path = program("Netlify", "netlify/belfry_tick.ts");
    Object.assign(process.env, { DATABASE_URL: join(folder(), "app.db") });
    const { default: tick, config } = (await import(pathToFileURL(path).href)) as {
      default: () => Promise<Response>;
      config: { schedule: string };
    };
    expect(config.schedule).toBe("* * * * *");
    expect(await (await tick()).json()).toMatchObject({ leader: true, fired: 0 });
  });

  // Machines without the two programs have nothing to copy it into.
  const shell = spawnSync("sh", ["-c", "command -v curl && command -v openssl"]).status === 0;
  it.skipIf(!shell)(
    "Any other trigger: the curl script signs a tick, also of an app that is mounted under a path",
    async () => {
      const path = program("Any other trigger", "signed.ts");
      process.env["BELFRY_SECRET"] = "0123456789abcdef0123456789abcdef";
      const { app } = (await import(pathToFileURL(path).href)) as {
        app: { fetch(request: Request): Promise<Response> };
      };
      const { serve } = await import("../../../../adapters/node.ts");
      const { Belfry } = await import("../../../../src/belfry.ts");
      const { memory } = await import("../../../../adapters/memory.ts");
      const mounted = new Hono().route("/", app as never).route("/under/a/path", app as never);
      const belfry = new Belfry({ storage: memory() });
      const served = await serve({ belfry, app: mounted, port: 0, run: false, signals: false });
      const script = blocks("Any other trigger", "sh")[0]!;
      for (const url of [served.url, `${served.url}/under/a/path`]) {
        const call = start("sh", ["-c", script], { BELFRY_URL: url, BELFRY_SECRET: process.env["BELFRY_SECRET"] });
        expect([url, await call.ended, call.output()]).toEqual([url, 0, expect.stringContaining('"leader":true')]);
      }
      await served.close();
    },
  );

  const inWorkerd = async (heading: string, more: object, env: object): Promise<void> => {
    const path = program(heading, `${heading.replaceAll(" ", "_").toLowerCase()}/worker.ts`);
    const { code, imports } = await bundle({ path });
    expect(imports).toEqual([]);
    const manifest = {
      mainModule: "worker.js",
      modulesRoot: "/",
      modules: { "worker.js": { type: "esm" as const, contents: code } },
    };
    const bindings = { BELFRY_TOKEN: { type: "text", value: TOKEN }, ...env };
    const config = { name: "worker", compatibilityDate: "2026-10-01", manifest, env: bindings, ...more };
    const worker = new Miniflare({ workers: [{ config }] } as ConstructorParameters<typeof Miniflare>[0]);
    try {
      await works(String(await worker.ready).replace(/\/$/, ""));
    } finally {
      await worker.dispose();
    }
  };

  it("Cloudflare Workers: runs in workerd without a Node built-in", () =>
    inWorkerd("Cloudflare Workers", {}, { DB: { type: "d1", id: "DB" } }));

  it("Cloudflare Durable Objects: runs in workerd without a Node built-in", () =>
    inWorkerd(
      "Cloudflare Durable Objects",
      { exports: { Bell: { type: "durable-object", storage: "sqlite" } } },
      { BELLS: { type: "durable-object", worker: "worker", exportName: "Bell" } },
    ));

  it("every wrangler.jsonc names the Worker, a date and its bindings", () => {
    for (const heading of ["Cloudflare Workers", "Cloudflare Durable Objects"]) {
      const config = JSON.parse(blocks(heading, "jsonc")[0]!.replace(/^\s*\/\/.*$/gm, "")) as Record<string, unknown>;
      expect(config).toMatchObject({
        main: "worker.ts",
        compatibility_date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      });
    }
  });
});

describe("the bundle of a Worker", () => {
  it("has no Node built-in, and is at most 120 kB gzip", async () => {
    const { code, gzip, imports } = await bundle({ path: "examples/cloudflare/worker.ts" });
    expect(imports).toEqual([]);
    expect(code).not.toMatch(/["']node:|require\(/);
    // 116 kB on 2026-11-28; docs/decisions.md says what each part costs.
    expect(gzip).toBeLessThan(120_000);
  });
});
