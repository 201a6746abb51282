/** Is the memory storage a storage? The kit, run against the model itself. */
import { test } from "vitest";
import { memory } from "../../adapters/memory.ts";
import { storageConformance } from "../../src/testing/conformance/mod.ts";

storageConformance({
  name: "memory",
  test,
  skip: test.skip,
  manifest: { reopen: true, listen: true },
  open: async () => {
    const storage = memory();
    // All who use one memory storage use the same object: a second connection is the first.
    return { storage, reopen: async () => storage };
  },
});

storageConformance({
  name: "memory with a clock of its own",
  test,
  skip: test.skip,
  manifest: { reopen: false, listen: true, serverClock: true },
  open: async () => {
    let time = 5;
    return { storage: memory({ time: () => time++ }) };
  },
});
