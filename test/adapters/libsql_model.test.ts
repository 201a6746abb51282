/**
 * Does the libSQL adapter give exactly the answers of the model? On real servers, over HTTP and over WebSocket.
 *
 * Four comparisons side by side, each on a server of its own, since a server has one writer and reads its whole schema
 * for every batch.
 */
import { createClient } from "@libsql/client";
import { expect, test } from "vitest";
import { libsql } from "../../adapters/libsql.ts";
import { memory } from "../../adapters/memory.ts";
import { storageDifferential } from "../../src/testing/conformance/mod.ts";
import { startSqld } from "../engines/sqld.ts";
import { DIFFERENTIAL_OPERATIONS } from "../storage/rounds.ts";

/** Over HTTP each call takes twice as long, in the client. */
const WORLDS = [
  { seed: 1, protocol: "http", share: 0.16 },
  { seed: 2, protocol: "ws", share: 0.28 },
  { seed: 3, protocol: "ws", share: 0.28 },
  { seed: 4, protocol: "ws", share: 0.28 },
];

for (const { seed, protocol, share } of WORLDS) {
  test.concurrent(`libsql over ${protocol} answers as the model does, seed ${seed}`, { timeout: 240_000 }, async () => {
    const server = await startSqld();
    const client = createClient({ url: server.url.replace("http", protocol) });
    try {
      const operations = Math.ceil(DIFFERENTIAL_OPERATIONS * share);
      const { rows } = await storageDifferential({ model: memory(), subject: libsql(client), seed, operations });
      expect(rows).toBeGreaterThan(0);
    } finally {
      client.close();
      await server.dispose();
    }
  });
}
