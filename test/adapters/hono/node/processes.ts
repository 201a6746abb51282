/** Starts the examples as processes of their own, on a free port and an empty folder, and stops them by their id. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { root } from "../../../house/source.ts";

export const TOKEN = "a-token-of-the-examples-0123";

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "belfry-http-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Started {
  readonly child: ChildProcess;
  /** Everything it has written. */
  output(): string;
  /** Resolves when what it wrote matches. */
  says(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Resolves with its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string | null>;
}

/** Starts a program; it is killed after the test if it still runs. */
export function start(command: string, args: string[], env: Record<string, string> = {}, cwd: string = root): Started {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  const waiting = new Set<() => void>();
  const take = (chunk: Buffer): void => {
    text += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const ended = new Promise<number | string | null>((resolve) => {
    child.once("close", (code, signal) => {
      resolve(code ?? signal);
      for (const look of waiting) look();
    });
    child.once("error", (error) => {
      text += String(error);
      resolve(null);
    });
  });
  onTestFinished(() => {
    if (child.exitCode === null) child.kill("SIGKILL");
  });
  const says = (pattern: RegExp, timeoutMs = 60_000): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer);
        waiting.delete(look);
        act();
      };
      const look = (): void => {
        const found = pattern.exec(text);
        if (found) finish(() => resolve(found[1] ?? found[0]));
        else if (child.exitCode !== null || child.signalCode !== null)
          finish(() => reject(new Error(`it ended and never said ${pattern}:\n${text}`)));
      };
      const timer = setTimeout(() => finish(() => reject(new Error(`it did not say ${pattern}:\n${text}`))), timeoutMs);
      waiting.add(look);
      look();
    });
  return { child, output: () => text, says, ended };
}

/** Calls an app of another process. */
export async function call(
  base: string,
  method: string,
  path: string,
  json?: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(base + path, {
    method,
    headers: {
      Authorization: `Bearer ${TOKEN}`,
      ...(json === undefined ? {} : { "Content-Type": "application/json" }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Looks again and again, as other processes have no clock that could be moved. */
export async function until<T>(look: () => Promise<T | undefined | false>, timeoutMs = 60_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > endMs) throw new Error("it did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
