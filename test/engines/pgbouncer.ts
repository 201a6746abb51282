/**
 * How do tests start a real pooler? PgBouncer is not on npm: they use the one in the PATH (Debian's package `pgbouncer`) or
 * the one that `BELFRY_PGBOUNCER` names; without one, tests that need it are skipped and say so.
 *
 * In transaction mode each batch of a client may use another of a few connections to the server, so that no state of a
 * session lasts.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, until } from "./ports.ts";
import { asUnprivileged, makeServerFolder } from "./unprivileged.ts";

const binary = process.env["BELFRY_PGBOUNCER"] ?? "pgbouncer";

/** Whether PgBouncer is installed. */
export const HAS_PGBOUNCER: boolean = spawnSync(binary, ["--version"], { stdio: "ignore" }).status === 0;

/** A running pooler. */
export interface Pgbouncer {
  /** Address for clients. */
  readonly url: string;
  dispose(): Promise<void>;
}

/** Whether something listens on a port. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Starts a pooler in transaction mode. @param options `connections`: how many it keeps to the server */
export async function startPgbouncer(target: string, options: { connections: number }): Promise<Pgbouncer> {
  const { hostname, port, username, pathname } = new URL(target);
  const database = pathname.slice(1);
  const folder = makeServerFolder("belfry-pool-");
  const listen = await freePort();
  const config = join(folder, "pgbouncer.ini");
  const settings = [
    "[databases]",
    `${database} = host=${hostname} port=${port} dbname=${database} user=${username}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${listen}`,
    "unix_socket_dir =",
    "auth_type = any",
    "pool_mode = transaction",
    `default_pool_size = ${options.connections}`,
    "max_client_conn = 200",
    "ignore_startup_parameters = extra_float_digits,options",
    // Connections are used in turn, so that each batch of a client uses another one.
    "server_round_robin = 1",
  ];
  writeFileSync(config, `${settings.join("\n")}\n`, { mode: 0o644 });
  const child: ChildProcess = spawn(binary, ["-q", config], {
    ...asUnprivileged,
    cwd: folder,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-10_000);
  });
  await until(() => {
    if (child.exitCode !== null) throw new Error(`pgbouncer ended: ${log}`);
    return listens(listen);
  }, "pgbouncer to start");
  return {
    url: `postgres://${username}@127.0.0.1:${listen}/${database}`,
    async dispose() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
