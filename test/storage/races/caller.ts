/**
 * How does a race call a storage in a process of its own? This program opens SQLite files on request and calls methods
 * of their storages for the test that started it: one message per call, one per answer.
 *
 * node:sqlite is synchronous, so batches of one process never overlap; those of several processes do.
 */
import { setImmediate as turn } from "node:timers/promises";
import { sqlite } from "../../../adapters/sqlite.ts";
import type { Storage } from "../../../src/storage/port.ts";

/** A call to make. */
export interface CallMessage {
  id: number;
  /** Names the connection: the file and which of this process's connections to it. */
  path: string;
  connection: number;
  method: string;
  request: unknown;
  /** Busy waiting before the call, so that calls overlap in many ways. */
  lateUs: number;
}

/** The answer. */
export interface AnswerMessage {
  id: number;
  value?: unknown;
  error?: { code: string; message: string };
}

const open = new Map<string, Storage>();

process.on("message", async (message: CallMessage) => {
  const { id, path, connection, method, request, lateUs } = message;
  const name = `${connection} ${path}`;
  const answer: AnswerMessage = { id };
  try {
    let storage = open.get(name);
    if (!storage) {
      storage = sqlite(path, { durability: "process" });
      open.set(name, storage);
    }
    const start = performance.now() + lateUs / 1000;
    while (performance.now() < start) await turn();
    const methods = storage as unknown as Record<string, (request: unknown) => Promise<unknown>>;
    answer.value = await methods[method]!.call(storage, request);
    if (method === "close") open.delete(name);
  } catch (error) {
    const { code = "", message: text } = error as { code?: string; message: string };
    answer.error = { code, message: text };
  }
  process.send!(answer);
});
process.send!({ id: -1 } satisfies AnswerMessage);
