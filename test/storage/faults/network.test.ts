/**
 * What if the network swallows packets, delays, cuts, half-closes, resets or trickles? A loop and a worker run over a
 * proxy that plays a script drawn from a seed, for each networked storage and client. Once the network is well again,
 * the schedule fires within storageTimeout + 2 s, each occurrence made one job, every promise settled, what was wrong
 * was told, and the connections are as many as before.
 *
 * A few seeds here, fifty with BELFRY_LONG=1; a failing one is run again with BELFRY_SEED. libSQL over HTTP is played in the
 * long run alone: the runtime's fetch keeps requests that nobody waits for open for 300 s, and on a busy machine one script
 * in about eight then found no connection for more than a minute. That is an open fault, not a property of the test.
 */
import { createClient } from "@libsql/client";
import pg from "pg";
import postgresJs from "postgres";
import { expect, inject, test } from "vitest";
import { libsql } from "../../../adapters/libsql.ts";
import { postgres } from "../../../adapters/postgres.ts";
import { Belfry } from "../../../mod.ts";
import type { Storage } from "../../../src/storage/port.ts";
import { seededRandom } from "../../../src/testing/mod.ts";
import { freshSchema } from "../../engines/databases.ts";
import { until } from "../../engines/ports.ts";
import { startSqld } from "../../engines/sqld.ts";
import { LONG, rounds } from "../rounds.ts";
import { drawScript, Network } from "./network.ts";

const STORAGE_TIMEOUT_MS = 1_000;
const seeds = process.env["BELFRY_SEED"]
  ? [Number(process.env["BELFRY_SEED"])]
  : Array.from({ length: rounds(50, 2) }, (_, i) => i + 1);

interface Client {
  storage: Storage;
  close(): Promise<unknown>;
}

interface Server {
  url: string;
  dispose(): Promise<unknown>;
}

const postgresServer = async (): Promise<Server> => {
  const schema = await freshSchema(inject("postgresUrl"));
  return { url: schema.url, dispose: () => schema.dispose() };
};

const clients: [name: string, server: () => Promise<Server>, open: (url: string) => Client][] = [
  [
    "pg Pool",
    postgresServer,
    (url) => {
      const pool = new pg.Pool({ connectionString: url, max: 6 });
      return { storage: postgres(pool), close: async () => void pool.end().catch(() => undefined) };
    },
  ],
  [
    "postgres.js",
    postgresServer,
    (url) => {
      const sql = postgresJs(url, { max: 6, onnotice: () => undefined });
      return { storage: postgres(sql), close: () => sql.end({ timeout: 0 }) };
    },
  ],
  [
    "libSQL over HTTP",
    startSqld,
    (url) => {
      const client = createClient({ url });
      return { storage: libsql(client), close: async () => client.close() };
    },
  ],
  [
    "libSQL over WebSocket",
    startSqld,
    (url) => {
      const client = createClient({ url: url.replace(/^http/, "ws") });
      return { storage: libsql(client), close: async () => client.close() };
    },
  ],
];

const played = clients.filter(([name]) => LONG || name !== "libSQL over HTTP");

for (const [name, startServer, open] of played) {
  test.each(seeds)(`${name} fires on time again after network script %i`, { timeout: 90_000 }, async (seed) => {
    const server = await startServer();
    const network = await Network.open(server.url);
    const client = open(network.url);
    const told: unknown[] = [];
    const belfry = new Belfry({
      storage: client.storage,
      storageTimeout: STORAGE_TIMEOUT_MS,
      leaseTtl: "3s",
      claimTtl: "6s",
      drain: "1s",
      onError: (error) => void told.push(error),
      logger: { debug() {}, info() {}, warn: (message) => void told.push(message), error() {} },
    });
    const stop = new AbortController();
    try {
      let ran = 0;
      belfry.task("count", async (ctx) => {
        await ctx.step("one", () => 1);
        ran++;
      });
      await belfry.schedule("every second", "@every 1s", "count");
      const running = belfry.run({ signal: stop.signal });
      await until(() => ran >= 2, "two runs before anything goes wrong");
      const connections = network.open;

      const script = drawScript(seededRandom(seed));
      const waiting = Promise.allSettled([
        belfry.enqueue("count").then((job) => job.result({ timeout: "20s" })),
        belfry.health(),
        belfry.jobs.list(),
      ]);
      await network.play(script);
      const wellMs = performance.now();
      const before = ran;
      await until(() => ran > before, `a run after ${JSON.stringify(script)}`);
      expect(performance.now() - wellMs).toBeLessThan(STORAGE_TIMEOUT_MS + 2_000);
      await waiting;

      // It has caught up: one outcome for each second, and a job for each.
      const outcomes = () => client.storage.listOccurrences({ schedule: "every second", limit: 1_000 });
      await until(async () => {
        const untilAt = Math.max(...(await outcomes()).map((row) => row.untilAt));
        return Date.now() - untilAt < 3_000;
      }, "the schedule to catch up");
      const rows = await outcomes();
      const instants = rows.map(({ at }) => at).sort((a, b) => a - b);
      for (let i = 1; i < instants.length; i++) expect(instants[i]! - instants[i - 1]!).toBe(1_000);
      expect(new Set(rows.map(({ jobId }) => jobId)).size).toBe(rows.length);

      stop.abort();
      await running;
      // Over HTTP the runtime's fetch keeps a request that nobody waits for open until its own limit of 300 s.
      expect(network.open).toBeLessThanOrEqual(connections + (name === "libSQL over HTTP" ? 24 : 6));
    } finally {
      stop.abort();
      await belfry.close();
      await client.close();
      await network.close();
      await server.dispose();
    }
  });
}
