/** Starts tickers as real processes, finds out which of them leads, and waits for what must happen. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { OccurrenceRecord, Storage } from "../../../src/storage/port.ts";

const TICKER = fileURLToPath(new URL("ticker.ts", import.meta.url));

export interface TickerProcess {
  readonly child: ChildProcess;
  readonly holder: string;
  /** What it wrote to stderr. */
  readonly errors: string[];
}

/** Waits for real: other processes cannot be moved by hand. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts one ticker. @returns when it runs */
export function startTicker(spec: string, ttlMs: number, offMs = 0): Promise<TickerProcess> {
  const child = spawn(process.execPath, ["--no-warnings", TICKER, spec, String(ttlMs), String(offMs)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const errors: string[] = [];
  child.stderr!.on("data", (data: Buffer) => void errors.push(String(data)));
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout!.on("data", (data: Buffer) => {
      text += String(data);
      if (text.includes("\n")) resolve({ child, holder: text.trim(), errors });
    });
    child.on("exit", (code) => reject(new Error(`The ticker ended with ${code}: ${errors.join("")}`)));
  });
}

/** Ends a process at once, and waits until it is gone. */
export async function kill({ child }: TickerProcess, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await gone;
}

/** Waits until a condition holds. */
export async function until<T>(
  what: string,
  maxMs: number,
  look: () => Promise<T | null | undefined | false>,
): Promise<T> {
  const end = Date.now() + maxMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`Waited ${maxMs} ms in vain for ${what}`);
    await pause(20);
  }
}

/** The ticker that leads. */
export async function leaderOf(storage: Storage, tickers: readonly TickerProcess[]): Promise<TickerProcess> {
  return await until("a leader", 60_000, async () => {
    const { lease } = await storage.stats({ now: Date.now() });
    return (
      lease !== null && lease.expiresAt > Date.now() - 600_000 && tickers.find(({ holder }) => holder === lease.holder)
    );
  });
}

/** All outcomes of a schedule. */
export async function outcomes(storage: Storage, schedule: string): Promise<OccurrenceRecord[]> {
  return await storage.listOccurrences({ schedule, limit: 1_000_000 });
}
