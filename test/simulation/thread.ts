/**
 * How do several SQLite connections run concurrently? Each in a thread of its own, which is called by messages.
 *
 * In one thread SQLite's batches run one after the other; in several they contend for the locks of the file, as processes
 * do. This file is both sides: as a thread it opens a file and serves calls; imported, it gives the storage that sends them.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { sqlite } from "../../adapters/sqlite.ts";
import type { Storage } from "../../src/storage/port.ts";

type Ask = { n: number; method: string; request: unknown };
type Answer = { n: number; reply?: unknown; error?: string };

if (!isMainThread && (workerData as { sqlite?: string } | null)?.sqlite !== undefined) {
  const storage = sqlite((workerData as { sqlite: string }).sqlite, { durability: "process" });
  parentPort!.on("message", ({ n, method, request }: Ask) => {
    const ask = storage[method as keyof Storage] as unknown as (request: unknown) => Promise<unknown>;
    const say = (answer: Answer): void => parentPort!.postMessage(answer);
    ask.call(storage, request).then(
      (reply) => say({ n, reply }),
      (error: Error) => say({ n, error: `${error.name}: ${error.message}` }),
    );
  });
}

/** Opens a SQLite file in a thread. @returns its storage, and the end of the thread */
export function sqliteInThread(path: string): { storage: Storage; close: () => Promise<void> } {
  const thread = new Worker(new URL("thread.ts", import.meta.url), { workerData: { sqlite: path } });
  const waiting = new Map<number, (answer: Answer) => void>();
  let asked = 0;
  thread.on("message", (answer: Answer) => {
    waiting.get(answer.n)!(answer);
    waiting.delete(answer.n);
  });
  const call = (method: string, request: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const n = asked++;
      waiting.set(n, ({ reply, error }) => (error === undefined ? resolve(reply) : reject(new Error(error))));
      thread.postMessage({ n, method, request } satisfies Ask);
    });
  const storage = new Proxy({} as Storage, {
    get: (_, method) => (request: unknown) => call(String(method), request),
  });
  return {
    storage,
    async close() {
      await call("close", undefined);
      await thread.terminate();
    },
  };
}
