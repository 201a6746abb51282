/** A storage whose calls a test sees, and may answer in its own way. */
import { memory } from "../../adapters/memory.ts";
import type { Storage } from "../../src/storage/port.ts";

/**
 * Makes a memory storage that passes each call to a test.
 *
 * @param handle answers a call; `pass` sends it to the storage
 */
export function watched(
  handle: (method: string, request: never, pass: () => Promise<unknown>) => Promise<unknown>,
  capabilities: Partial<Storage["capabilities"]> = {},
): Storage {
  return new Proxy(memory(), {
    get(target, key) {
      if (key === "capabilities") return { ...target.capabilities, ...capabilities };
      const value: unknown = Reflect.get(target, key);
      // Without announcements of changes, each call of a worker is one that it needs.
      if (key === "listen") return undefined;
      if (typeof value !== "function") return value;
      return (request: never) =>
        handle(String(key), request, () => (value as (request: never) => Promise<unknown>).call(target, request));
    },
  });
}
